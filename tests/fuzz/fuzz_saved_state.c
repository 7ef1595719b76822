/* The state that one program hands over to the next: any bytes as a whole, then, by the first of them,
 * the others as a section of one module. What was read is written, and that read again is the same. */
#include "events/rate_limits.h"
#include "events/seen_events.h"
#include "log/event_log.h"
#include "saved_state.h"
#include "streams/decisions.h"
#include "streams/departed.h"
#include "streams/held_topics.h"
#include "streams/poll_gap.h"
#include "streams/presence.h"
#include "streams/revocations.h"
#include "topics/audience.h"
#include "used_tickets.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads a section; when it was as it should be, writes it. */
typedef bool handle(struct saved_reader *reader, struct saved_writer *writer);

static bool tickets(struct saved_reader *reader, struct saved_writer *writer)
{
    struct used_tickets *used = used_tickets_open(1000);
    bool loaded = used_tickets_load(used, reader);

    if (loaded)
        used_tickets_save(used, writer);
    used_tickets_close(&used);
    return loaded;
}

static bool seen(struct saved_reader *reader, struct saved_writer *writer)
{
    struct seen_events events = {.max_count = 1000, .max_age_ms = 1000};
    seen_events_open(&events, 1);
    bool loaded = seen_events_load(&events, reader);

    if (loaded)
        seen_events_save(&events, writer);
    seen_events_free(&events);
    return loaded;
}

static bool rates(struct saved_reader *reader, struct saved_writer *writer)
{
    struct rate_limits limits = {0};
    rate_limits_open(&limits, 1);
    bool loaded = rate_limits_load(&limits, reader);

    if (loaded)
        rate_limits_save(&limits, writer);
    rate_limits_free(&limits);
    return loaded;
}

static bool revoked(struct saved_reader *reader, struct saved_writer *writer)
{
    struct revocations revocations = {0};
    revocations_open(&revocations, 1);
    revocations.most = 1000;
    uint64_t left_out;
    (void)revocations_load(&revocations, reader, 0, &left_out);
    revocations_save(&revocations, writer);
    revocations_free(&revocations);
    return false; /* of one name there may be several, which become one */
}

static bool secrets(struct saved_reader *reader, struct saved_writer *writer)
{
    struct stream_secrets secrets = {0};
    bool loaded = stream_secrets_load(&secrets, reader);

    if (loaded)
        stream_secrets_save(&secrets, writer);
    stream_secrets_close(&secrets);
    return false; /* those that came back are in another order */
}

static bool departed(struct saved_reader *reader, struct saved_writer *writer)
{
    struct departed departed = {.max_count = UINT64_MAX, .max_age_ms = UINT64_MAX};
    struct identities identities = {.seed = 1};
    departed_open(&departed);
    bool loaded = departed_load(&departed, &identities, reader);

    if (loaded)
        departed_save(&departed, writer);
    departed_free(&departed);
    identities_close(&identities);
    return false; /* the second of a connection id is passed over */
}

static bool events(struct saved_reader *reader, struct saved_writer *writer)
{
    struct event_log log;
    bool loaded = event_log_open(&log, 1, 1);

    log.max_bytes = log.max_age_ms = UINT64_MAX;
    loaded = loaded && event_log_load(&log, reader);
    if (loaded)
        event_log_save(&log, 0, writer);
    event_log_close(&log);
    return false; /* figures that contradict the events are put right */
}

static bool values(struct saved_reader *reader, struct saved_writer *writer)
{
    struct last_values values;
    bool loaded = last_values_open(&values, 1) && last_values_load(&values, reader);

    if (loaded)
        last_values_save(&values, writer);
    last_values_close(&values);
    return false; /* of one topic the last one is kept */
}

/* All leave, and that is told. */
static void empty_presence(struct presence *presence, struct poll_gap *gap)
{
    struct presence_entry *entry;

    presence_end_loading(presence);
    while ((entry = poll_gap_expired(gap, UINT64_MAX)) != NULL) {
        presence_note_change(presence, entry);
        presence_leave(presence, entry);
    }
    while ((entry = presence_take_changed(presence)) != NULL)
        presence_settle(presence, entry, 1);
    presence_free(presence);
    poll_gap_free(gap);
}

/* Both of those who are there, and of those who are between two polls. */
static bool present(struct saved_reader *reader, struct saved_writer *writer)
{
    struct presence presence = {.seed = 1};
    struct poll_gap gap = {.most = 1000};
    poll_gap_open(&gap);
    presence.past.most = 1000;

    if (presence_load(&presence, reader)) {
        presence_save(&presence, writer);
        if (poll_gap_load(&gap, &presence, reader))
            poll_gap_save(&gap, writer);
    }
    empty_presence(&presence, &gap);
    return false;
}

static bool topics(struct saved_reader *reader, struct saved_writer *writer)
{
    struct topic_index indexes[SUBSCRIPTION_KINDS] = {0};
    struct subscriber subscriber = {0};
    bool loaded = true;

    for (int kind = 0; kind < SUBSCRIPTION_KINDS; kind++)
        loaded = topic_index_open(&indexes[kind], 1) && loaded;
    loaded = loaded && held_topics_load(indexes, &subscriber, reader);
    if (loaded)
        held_topics_save(&subscriber, writer);
    held_topics_clear(indexes, &subscriber);
    for (int kind = 0; kind < SUBSCRIPTION_KINDS; kind++)
        topic_index_close(&indexes[kind]);
    return loaded && reader->at == reader->end;
}

/* As `esnctl explain` reads them. */
static bool decided(struct saved_reader *reader, struct saved_writer *writer)
{
    struct decisions decisions = {.max_bytes = UINT64_MAX};
    struct decision_place place = {0};
    struct decision decision;
    decisions_open(&decisions, 1);
    bool loaded = decisions_load(&decisions, reader);

    while (loaded && decisions_next(&decisions, &place, &decision))
        for (const char *text = NULL; (text = decision_next_text(&decision, text)) != NULL;)
            continue;
    if (loaded)
        decisions_save(&decisions, writer);
    decisions_close(&decisions);
    return loaded;
}

static handle *const handles[] = {tickets, seen,   rates,   revoked, secrets, departed,
                                  events,  values, present, topics,  decided};

static bool handle_bytes(handle *section, const void *bytes, size_t length,
                         struct saved_writer *writer)
{
    struct saved_reader reader = {.at = bytes, .end = (const unsigned char *)bytes + length};

    return section(&reader, writer) && saved_is_read(&reader);
}

static void read_section(const uint8_t *data, size_t size)
{
    struct saved_writer first = {0}, second = {0};
    handle *section = handles[data[0] % (sizeof handles / sizeof *handles)];

    if (handle_bytes(section, data + 1, size - 1, &first) &&
        (!handle_bytes(section, first.out.data, first.out.length, &second) ||
         second.out.length != first.out.length))
        abort();
    bytes_free(&first.out);
    bytes_free(&second.out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct saved_state state;
    char error[SAVED_ERROR_SIZE];

    (void)saved_read(&state, data, size, error);
    if (size > 0)
        read_section(data, size);
    return 0;
}
