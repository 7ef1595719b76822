#include "log/log_checksums.h"

#include "log/logged_event.h"

enum { PRIVATE_FORMAT = 2 };

bool log_checksum_event(EVP_MD_CTX *digest, const struct stored_event *stored, uint64_t previous,
                        unsigned char out[LOG_CHECKSUM_SIZE])
{
    const struct event *event = &stored->event;
    const uint64_t numbers[] = {
        event->sequence,
        previous,
        stored->wall_ms,
        event->flags,
        logged_event_connid(event),
        event->topic_length,
        event->json_length,
        event->allowed_length,
        PRIVATE_FORMAT,
    };
    /* A daemon that knows no private events must not take such a row for one that anybody may hear:
     * to it the checksum is wrong. */
    bool is_private = (event->flags & ENVELOPE_PRIVATE) != 0;
    size_t numbers_size = is_private ? sizeof numbers : sizeof numbers - sizeof *numbers;
    const struct log_checked parts[] = {{numbers, numbers_size},
                                        {stored->key, sizeof stored->key},
                                        {event->topic, event->topic_length},
                                        {event->json, event->json_length},
                                        {event->allowed, event->allowed_length}};

    return log_rows_checksum(digest, parts, sizeof parts / sizeof *parts, out);
}

bool log_checksum_state(EVP_MD_CTX *digest, const struct log_state *state,
                        unsigned char out[LOG_CHECKSUM_SIZE])
{
    const uint64_t numbers[] = {state->epoch, state->head, state->lost_through, state->unsure};
    const struct log_checked part = {numbers, sizeof numbers};

    return log_rows_checksum(digest, &part, 1, out);
}

bool log_checksum_revocation(EVP_MD_CTX *digest, const struct log_revocation *kept,
                             unsigned char out[LOG_CHECKSUM_SIZE])
{
    const uint64_t numbers[] = {kept->kind, kept->at_ms, kept->until_ms, kept->name_length};
    const struct log_checked parts[] = {{numbers, sizeof numbers}, {kept->name, kept->name_length}};

    return log_rows_checksum(digest, parts, sizeof parts / sizeof *parts, out);
}
