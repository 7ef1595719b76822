#include "sessions/session_events.h"

#include "sessions/session_id.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* ---- are they sent ---- */

static bool has_letter(const char *value, size_t length, char letter)
{
    /* "A" stands for all kinds of changes, and not for where they are said. */
    return memchr(value, letter, length) != NULL ||
           (letter != 'K' && memchr(value, 'A', length) != NULL);
}

enum session_events_state session_events_ask(struct redis_client *client,
                                             char error[REDIS_CLIENT_ERROR_SIZE])
{
    static const struct redis_word words[] = {
        {"CONFIG", 6}, {"GET", 3}, {"notify-keyspace-events", 22}};
    char why[REDIS_CLIENT_ERROR_SIZE];
    struct redis_answer *answer = redis_client_ask(client, words, 3, why);
    size_t length = 0;
    const char *value = redis_answer_text(redis_answer_part(answer, 1), &length);
    enum session_events_state state = SESSION_EVENTS_ON;
    if (value == NULL) {
        (void)snprintf(error, REDIS_CLIENT_ERROR_SIZE,
                       "notify-keyspace-events cannot be asked for (%.100s); it has to be "
                       "\"" SESSION_EVENTS_NEEDED "\", else logging out ends no streams",
                       answer == NULL ? why : "no answer");
        state = SESSION_EVENTS_UNKNOWN;
    }
    for (const char *letter = SESSION_EVENTS_NEEDED; *letter != '\0'; letter++) {
        if (state != SESSION_EVENTS_ON || has_letter(value, length, *letter))
            continue;
        (void)snprintf(error, REDIS_CLIENT_ERROR_SIZE,
                       "notify-keyspace-events is \"%.*s\": logging out ends no streams; it has to "
                       "be \"" SESSION_EVENTS_NEEDED "\"",
                       (int)(length < 20 ? length : 20), value);
        state = SESSION_EVENTS_OFF;
    }
    redis_answer_free(&answer);
    return state;
}

/* ---- where they are heard ---- */

/* As Redis' patterns take it: for nothing but itself. */
static void write_literally(struct bytes *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (strchr("*?[]^\\", *text) != NULL)
            bytes_append(out, "\\", 1);
        bytes_append(out, text, 1);
    }
}

void session_events_write_keys(struct bytes *out, const char *prefix)
{
    write_literally(out, prefix);
    bytes_append_text(out, "*");
}

void session_events_write_pattern(struct bytes *out, unsigned database, const char *prefix)
{
    bytes_append_format(out, "__keyspace@%u__:", database);
    session_events_write_keys(out, prefix);
}

/* ---- what they say ---- */

static bool is_one_of(const struct redis_answer *event, const char *const *names)
{
    for (; *names != NULL; names++)
        if (redis_answer_is(event, *names))
            return true;
    return false;
}

static enum session_event kind_of(const struct redis_answer *event)
{
    static const char *const ends[] = {"del",         "expired",   "evicted",
                                       "rename_from", "move_from", NULL};
    static const char *const stays[] = {"expire", "persist", NULL};
    if (is_one_of(event, ends))
        return SESSION_EVENT_ENDED;
    return is_one_of(event, stays) ? SESSION_EVENT_NONE : SESSION_EVENT_WRITTEN;
}

enum session_event session_event_read(const struct redis_answer *message, const char *prefix,
                                      const char **id, size_t *length)
{
    size_t prefix_length = strlen(prefix);
    const char *channel = redis_answer_text(redis_answer_part(message, 2), length);
    *id = NULL;
    if (!redis_answer_is(redis_answer_part(message, 0), "pmessage") || channel == NULL)
        return SESSION_EVENT_NONE;
    const char *colon = memchr(channel, ':', *length);
    size_t left = colon != NULL ? *length - (size_t)(colon + 1 - channel) : 0;
    if (left < prefix_length || memcmp(colon + 1, prefix, prefix_length) != 0 ||
        !session_id_is_valid(colon + 1 + prefix_length, left - prefix_length))
        return SESSION_EVENT_NONE;
    *id = colon + 1 + prefix_length;
    *length = left - prefix_length;
    return kind_of(redis_answer_part(message, 3));
}
