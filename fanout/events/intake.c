#include "events/intake.h"

#include "clock.h"
#include "events/bus_reader.h"
#include "log/log_files.h"
#include "messages.h"
#include "server.h"
#include "topic.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As with the bus: what is settled at once is queued for a client before it can read any of it. */
enum { TURN_BYTES = 256 * 1024 };

struct intake {
    struct server *server;
    struct log_store *store; /* NULL: the log is in memory alone */
    bool waits;              /* for the disk, before anybody hears of an event */
    unsigned char stream_key[LOG_KEY_SIZE];
};

_Static_assert((int)LOG_KEY_SIZE == (int)STREAM_SECRETS_KEY_SIZE, "one key for both");

static void record_of(struct event_record *record, const struct bus_message *message)
{
    *record = (struct event_record){.topic = message->topic,
                                    .topic_length = message->topic_length,
                                    .json = message->event,
                                    .json_length = message->event_length,
                                    .allowed = message->allowed,
                                    .allowed_length = message->allowed_length,
                                    .flags = message->envelope.flags};
    /* No stream has connection id 0, which would be a shout. */
    if (message->envelope.flags & ENVELOPE_WHISPER)
        record->whisper = message->envelope.whisper ? message->envelope.whisper : UINT64_MAX;
}

static bool is_over_limits(const struct server *server, const struct event_record *record)
{
    const char *fault =
        topic_fault(record->topic, record->topic_length, server->config.max_topic_length,
                    server->config.max_topic_levels);

    if (fault != NULL) /* a handler with other limits in its configuration */
        message_warning("event refused: its topic is over the daemon's limits",
                        message_text("fault", fault));
    return fault != NULL;
}

/* ---- delivering and acknowledging ---- */

static bool deliver(struct server *server, const struct stored_event *stored, uint32_t *receivers)
{
    const struct event_record *record = &stored->record;
    struct delivery_event event = {.topic = record->topic,
                                   .topic_length = record->topic_length,
                                   .json = record->json,
                                   .json_length = record->json_length,
                                   .sequence = stored->sequence,
                                   .whisper = record->whisper,
                                   .audience = {.flags = record->flags,
                                                .allowed = record->allowed,
                                                .allowed_length = record->allowed_length}};

    if (!delivery_publish(server, &event, receivers))
        return false;
    server->counters.events++;
    return true;
}

static void acknowledge(struct server *server, const struct log_entry *entry,
                        enum ack_status status, uint32_t receivers)
{
    const struct ack ack = {.sequence = entry->asked_as,
                            .event_sequence = entry->event.sequence,
                            .receivers = receivers,
                            .status = status};

    bus_reader_acknowledge(server->bus, entry->publisher, &ack);
}

static void refuse(struct server *server, struct log_entry *entry)
{
    entry->event.sequence = 0;
    server->counters.overloads++;
    acknowledge(server, entry, ACK_OVERLOAD, 0);
}

/* Answers for an event whose token has published too much. */
static bool refuse_limited(struct server *server, const struct bus_message *message)
{
    const struct config *config = &server->config;
    const struct envelope *envelope = &message->envelope;
    uint64_t wait = 0;

    if (config->publish_rate > 0 && envelope->token != 0)
        wait = rate_limits_take(&server->rates, envelope->token, config->publish_rate,
                                config->publish_burst, server_now(server));
    if (wait == 0)
        return false;
    server->counters.limited++;
    bus_reader_acknowledge(server->bus, envelope->publisher,
                           &(struct ack){.sequence = envelope->sequence,
                                         .wait_ms = (uint32_t)wait,
                                         .status = ACK_LIMITED});
    return true;
}

static void deliver_now(struct server *server, struct log_entry *entry)
{
    uint32_t receivers = 0;

    if (!deliver(server, &entry->event, &receivers)) {
        refuse(server, entry);
        return;
    }
    acknowledge(server, entry, ACK_DELIVERED, receivers);
    if (!seen_events_add(&server->seen, entry->event.key, entry->event.sequence, receivers,
                         server_now(server)))
        message_error("event not remembered for want of memory: a resend would be delivered twice");
}

/* ---- by way of the disk ---- */

/* Is remembered first: one that cannot be would be delivered twice when it is sent again. */
static void send_to_disk(struct intake *intake, struct log_entry *entry)
{
    struct server *server = intake->server;
    const struct stored_event *event = &entry->event;

    if (!seen_events_add_pending(&server->seen, event->key, event->sequence, server_now(server))) {
        refuse(server, entry);
        return;
    }
    if (!log_store_append(intake->store, entry)) {
        seen_events_forget(&server->seen, event->key);
        refuse(server, entry);
    }
}

static void settle(struct server *server, const struct log_entry *entry, bool stored)
{
    uint32_t receivers = 0;

    if (stored && deliver(server, &entry->event, &receivers)) {
        seen_events_settle(&server->seen, entry->event.key, receivers);
        acknowledge(server, entry, ACK_DELIVERED, receivers);
        return;
    }
    seen_events_forget(&server->seen, entry->event.key);
    server->counters.overloads++;
    acknowledge(server, entry, ACK_OVERLOAD, 0);
}

/* False when some are left. */
static bool settle_some(struct intake *intake, uint64_t count, size_t bytes)
{
    const struct log_entry *entry;
    bool stored;

    while (count > 0 && bytes > 0) {
        entry = log_store_next(intake->store, &stored);
        if (entry == NULL)
            return true;
        if (!intake->waits)
            continue;
        settle(intake->server, entry, stored);
        size_t length = entry->event.record.json_length;
        bytes = length < bytes ? bytes - length : 0;
        count--;
    }
    return false;
}

static void on_done(void *context)
{
    struct intake *intake = context;

    if (!settle_some(intake, intake->server->config.bus_batch, TURN_BYTES))
        log_store_call_again(intake->store);
    bus_reader_flush(intake->server->bus);
}

/* ---- taking ---- */

/* What came a second time. While the first is on its way to the disk it is not known yet what to
 * say: who asks will ask again. */
static void answer_double(struct server *server, const struct bus_message *message,
                          const struct seen_event *seen)
{
    const struct ack ack = {.sequence = message->envelope.sequence,
                            .event_sequence = seen->event_sequence,
                            .receivers = seen->receivers,
                            .status = ACK_DOUBLE};

    server->counters.doubles++;
    if (!seen->pending)
        bus_reader_acknowledge(server->bus, message->envelope.publisher, &ack);
}

void intake_take(struct intake *intake, const struct bus_message *message)
{
    struct server *server = intake->server;
    struct log_entry entry = {.forgotten = server->events.forgotten,
                              .publisher = message->envelope.publisher,
                              .asked_as = message->envelope.sequence};

    seen_events_key(entry.event.key, &message->envelope);
    const struct seen_event *seen =
        seen_events_find(&server->seen, entry.event.key, server_now(server));
    if (seen != NULL) {
        answer_double(server, message, seen);
        return;
    }
    record_of(&entry.event.record, message);
    if (is_over_limits(server, &entry.event.record)) {
        refuse(server, &entry);
        return;
    }
    if (refuse_limited(server, message))
        return;
    entry.event.sequence = event_log_take_sequence(&server->events);
    entry.event.wall_ms = intake->store != NULL ? clock_wall_ms() : 0;
    if (intake->waits)
        send_to_disk(intake, &entry);
    else if (intake->store != NULL && !log_store_append(intake->store, &entry))
        refuse(server, &entry);
    else
        deliver_now(server, &entry);
}

/* ---- what was on disk ---- */

struct loading {
    struct server *server;
    uint64_t wall_ms, age_ms; /* age of the last event */
    uint64_t doubles, failures;
};

/* Ages only shrink, however the wall clock jumped while events were written. Times before the
 * loop's clock began wrap around, as do the differences that are taken from them. */
static uint64_t time_of(struct loading *loading, uint64_t wall_ms)
{
    uint64_t age = wall_ms < loading->wall_ms ? loading->wall_ms - wall_ms : 0;

    if (age < loading->age_ms)
        loading->age_ms = age;
    return server_now(loading->server) - loading->age_ms;
}

static void load_event(const struct stored_event *event, void *context)
{
    struct loading *loading = context;
    struct server *server = loading->server;
    uint64_t time = time_of(loading, event->wall_ms);

    /* Was refused for want of memory after it had been written, and then sent again. */
    if (seen_events_find(&server->seen, event->key, time) != NULL) {
        loading->doubles++;
        return;
    }
    if (!event_log_append(&server->events, &event->record, event->sequence, time) ||
        !seen_events_add(&server->seen, event->key, event->sequence, 0, time))
        loading->failures++;
}

static bool load(struct intake *intake, uint64_t *lost_through, char error[LOG_DATABASE_ERROR_SIZE])
{
    struct server *server = intake->server;
    struct event_log *log = &server->events;
    struct loading loading = {.server = server, .wall_ms = clock_wall_ms(), .age_ms = UINT64_MAX};
    struct log_past past;

    if (!log_store_load(intake->store, &past, load_event, &loading, error))
        return false;
    if (loading.failures > 0) {
        (void)snprintf(error, LOG_DATABASE_ERROR_SIZE, "no memory for the event log");
        return false;
    }
    if (past.state.epoch == 0)
        return true;
    log->epoch = past.state.epoch;
    event_log_forget(log, past.forgotten);
    event_log_resume(log, past.state.head, past.state.lost_through,
                     !past.state.unsure && !past.tail_missing, loading.wall_ms);
    event_log_expire(log, server_now(server));
    *lost_through = log->lost_through;
    message_info("event log read", message_number("events", (int64_t)log->events),
                 message_number("bytes", (int64_t)event_log_bytes(log)),
                 message_number("through", (int64_t)log->stored_head));
    return true;
}

static bool open_key(struct intake *intake, char error[LOG_DATABASE_ERROR_SIZE])
{
    const char *path = intake->server->config.log_path;
    bool opened = path != NULL ? log_key_open(path, intake->stream_key)
                               : secret_random(intake->stream_key, sizeof intake->stream_key);

    if (!opened)
        (void)snprintf(error, LOG_DATABASE_ERROR_SIZE, "cannot make a key for streams: %.100s",
                       path != NULL ? strerror(errno) : "the system gives no random bytes");
    return opened;
}

static bool open_store(struct intake *intake, char error[LOG_DATABASE_ERROR_SIZE])
{
    struct server *server = intake->server;
    const struct config *config = &server->config;
    const struct log_store_options options = {.path = config->log_path,
                                              .sync = (enum log_sync)config->log_sync,
                                              .interval_ms = config->log_sync_interval,
                                              .max_bytes = config->log_max_unsynced,
                                              /* Nobody would wait for the answer any more. */
                                              .max_wait_ms =
                                                  intake->waits ? config->publish_time : 0};
    uint64_t lost_through = 0;

    intake->store = log_store_open(&options, error);
    return intake->store != NULL && load(intake, &lost_through, error) && open_key(intake, error) &&
           log_store_start(intake->store, server->events.epoch, lost_through, &server->loop,
                           on_done, intake, error);
}

struct intake *intake_open(struct server *server, char error[LOG_DATABASE_ERROR_SIZE])
{
    struct intake *intake = calloc(1, sizeof *intake);

    if (intake == NULL) {
        (void)snprintf(error, LOG_DATABASE_ERROR_SIZE, "out of memory");
        return NULL;
    }
    intake->server = server;
    intake->waits =
        server->config.log_path != NULL && server->config.log_sync == (int)LOG_SYNC_ALWAYS;
    if (!(server->config.log_path != NULL ? open_store(intake, error) : open_key(intake, error)))
        intake_free(&intake);
    return intake;
}

void intake_stop(struct intake *intake)
{
    log_store_stop(intake->store);
    if (intake->store == NULL || intake->server->bus == NULL)
        return;
    (void)settle_some(intake, UINT64_MAX, SIZE_MAX);
    bus_reader_flush(intake->server->bus);
}

void intake_free(struct intake **intake)
{
    if (*intake == NULL)
        return;
    log_store_close(&(*intake)->store);
    free(*intake);
    *intake = NULL;
}

const unsigned char *intake_stream_key(const struct intake *intake)
{
    return intake->stream_key;
}

bool intake_has_store(const struct intake *intake)
{
    return intake->store != NULL;
}

struct log_store_figures intake_figures(const struct intake *intake)
{
    return intake->store != NULL ? log_store_figures(intake->store) : (struct log_store_figures){0};
}
