#include "events/intake.h"

#include "clock.h"
#include "config/config.h"
#include "events/delivery.h"
#include "events/drops.h"
#include "events/intake_inside.h"
#include "events/intake_load.h"
#include "events/nodes.h"
#include "events/numbered_events.h"
#include "events/publisher_counts.h"
#include "events/rate_limits.h"
#include "events/report_answer.h"
#include "events/seen_events.h"
#include "log/event_log.h"
#include "log/log_files.h"
#include "messages.h"
#include "net/connection.h"
#include "refusal.h"
#include "secret.h"
#include "streams/decisions.h"
#include "streams/streams.h"
#include "topic.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As with the bus: what is settled at once is queued for a client before it can read any of it. */
enum { TURN_BYTES = 256 * 1024, TROUBLE_MS = 30000 };

bool intake_is_over_limits(const struct intake *intake, const struct event *event)
{
    const char *fault =
        topic_fault(event->topic, event->topic_length, intake->parts.config->max_topic_length,
                    intake->parts.config->max_topic_levels);

    if (fault != NULL) /* a handler with other limits in its configuration */
        message_warning("event refused: its topic is over the daemon's limits",
                        message_text("fault", fault));
    return fault != NULL;
}

static struct publisher_count *find_publisher(const struct intake *intake, uint64_t token)
{
    const struct publisher_counts *known = intake->parts.publishers;

    return known != NULL ? publisher_counts_find(known, token) : NULL;
}

struct publisher_count *intake_publisher_of(const struct intake *intake,
                                            const struct bus_message *message)
{
    return find_publisher(intake, message->envelope.token);
}

static void note_unpublished(const struct intake *intake, const struct unpublished *post)
{
    struct streams *streams = intake->parts.delivery->streams;

    decisions_note_unpublished(&streams->decisions, post);
    access_log_unpublished(&streams->access, loop_now(intake->parts.loop), post);
}

void intake_note_refusal(struct intake *intake, const struct bus_message *message,
                         const char *reason, uint64_t first)
{
    const struct publisher_count *publisher = intake_publisher_of(intake, message);

    note_unpublished(intake, &(struct unpublished){.reason = reason,
                                                   .user = "",
                                                   .by = publisher != NULL ? publisher->name : "",
                                                   .topic = message->event.topic,
                                                   .topic_length = message->event.topic_length,
                                                   .first = first});
}

/* ---- delivering and acknowledging ---- */

static void note_posted(const struct intake *intake, const struct event *event, uint32_t receivers)
{
    const struct publisher_count *publisher = find_publisher(intake, event->token);

    access_log_posted(&intake->parts.delivery->streams->access, loop_now(intake->parts.loop),
                      publisher != NULL ? publisher->name : "", event, receivers);
}

bool intake_deliver(struct intake *intake, const struct log_entry *entry, uint32_t *receivers)
{
    struct event event = entry->stored.event;

    if (!delivery_publish(intake->parts.delivery, &event, receivers))
        return false;
    struct net *net = intake->parts.delivery->net;
    written_watch_deliver(&net->written, entry->taken_ns,
                          net->writes.taken + connection_marks(net));
    busy_topics_note(&intake->parts.delivery->busy, event.topic, event.topic_length, *receivers);
    note_posted(intake, &event, *receivers);
    intake->counters.events++;
    intake->trouble = ACK_DELIVERED;
    return true;
}

void intake_acknowledge(struct intake *intake, const struct log_entry *entry,
                        enum ack_status status, uint32_t receivers)
{
    const struct ack ack = {.sequence = entry->asked_as,
                            .event_sequence = entry->stored.event.sequence,
                            .receivers = receivers,
                            .status = status};

    bus_inbox_acknowledge(intake->inbox, entry->publisher, &ack);
}

static void note_trouble(struct intake *intake, enum ack_status why)
{
    intake->trouble = why;
    intake->trouble_at = loop_now(intake->parts.loop);
}

const char *intake_trouble(const struct intake *intake)
{
    if (intake->trouble == ACK_DELIVERED ||
        loop_now(intake->parts.loop) - intake->trouble_at > TROUBLE_MS)
        return NULL;
    return intake->trouble == ACK_UNSTORED
               ? "Events are refused: the log cannot be written to the disk"
               : "Events are refused: out of memory";
}

static void count_refused(struct intake *intake, enum ack_status status)
{
    intake->counters.overloads++;
    intake->counters.unstored += status == ACK_UNSTORED;
    intake->counters.topics += status == ACK_TOPIC;
}

/* One whose topic is over the limits would not be taken later either. */
void intake_refuse(struct intake *intake, struct log_entry *entry, enum ack_status status)
{
    if (status != ACK_TOPIC)
        note_trouble(intake, status);
    entry->stored.event.sequence = 0;
    count_refused(intake, status);
    intake_acknowledge(intake, entry, status, 0);
}

/* How long the token has to wait until it may publish this one; 0: it may now. */
static uint64_t wait_of(struct intake *intake, const struct bus_message *message,
                        const struct publisher_count *publisher)
{
    const struct config *config = intake->parts.config;
    uint64_t rate =
        publisher != NULL && publisher->rate > 0 ? publisher->rate : config->publish_rate;

    if (rate == 0 || message->envelope.token == 0)
        return 0;
    return rate_limits_take(intake->parts.rates, message->envelope.token, rate,
                            config->publish_burst, loop_now(intake->parts.loop));
}

/* Answers for an event whose token has published too much. */
static bool refuse_limited(struct intake *intake, const struct bus_message *message)
{
    struct publisher_count *publisher = intake_publisher_of(intake, message);
    uint64_t wait = wait_of(intake, message, publisher);

    if (publisher != NULL)
        *(wait == 0 ? &publisher->events : &publisher->limited) += 1;
    if (wait == 0)
        return false;
    intake->counters.limited++;
    intake_note_refusal(intake, message, REFUSAL_LIMITED, 0);
    bus_inbox_acknowledge(intake->inbox, message->envelope.publisher,
                          &(struct ack){.sequence = message->envelope.sequence,
                                        .wait_ms = (uint32_t)wait,
                                        .status = ACK_LIMITED});
    return true;
}

static void deliver_now(struct intake *intake, struct log_entry *entry)
{
    uint32_t receivers = 0;

    if (!intake_deliver(intake, entry, &receivers)) {
        intake_refuse(intake, entry, ACK_OVERLOAD);
        return;
    }
    intake_acknowledge(intake, entry, ACK_DELIVERED, receivers);
    if (!seen_events_add(intake->parts.seen, entry->stored.key,
                         seen_events_content(intake->parts.seen, &entry->stored.event),
                         entry->stored.event.sequence, receivers, loop_now(intake->parts.loop)))
        message_error("event not remembered for want of memory: a resend would be delivered twice");
    else
        seen_events_note_message(intake->parts.seen, entry->publisher, entry->asked_as);
}

/* ---- by way of the disk ---- */

/* Is remembered first: one that cannot be would be delivered twice when it is sent again. */
static void send_to_disk(struct intake *intake, struct log_entry *entry)
{
    const struct stored_event *stored = &entry->stored;

    if (!seen_events_add_pending(intake->parts.seen, stored->key,
                                 seen_events_content(intake->parts.seen, &stored->event),
                                 stored->event.sequence, loop_now(intake->parts.loop))) {
        intake_refuse(intake, entry, ACK_OVERLOAD);
        return;
    }
    seen_events_note_message(intake->parts.seen, entry->publisher, entry->asked_as);
    if (!log_store_append(intake->store, entry)) {
        seen_events_forget(intake->parts.seen, stored->key);
        intake_refuse(intake, entry, ACK_UNSTORED);
    }
}

static void settle_event(struct intake *intake, const struct log_entry *entry, bool stored)
{
    uint32_t receivers = 0;

    if (stored && intake_deliver(intake, entry, &receivers)) {
        seen_events_settle(intake->parts.seen, entry->stored.key, receivers);
        intake_acknowledge(intake, entry, ACK_DELIVERED, receivers);
        return;
    }
    seen_events_forget(intake->parts.seen, entry->stored.key);
    note_trouble(intake, stored ? ACK_OVERLOAD : ACK_UNSTORED);
    count_refused(intake, intake->trouble);
    intake_acknowledge(intake, entry, intake->trouble, 0);
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
        if (entry->revocation.kind != 0)
            drops_stored(intake->parts.drops, entry, stored);
        else if (intake->waits)
            settle_event(intake, entry, stored);
        else
            continue;
        size_t length = entry->stored.event.json_length;
        bytes = length < bytes ? bytes - length : 0;
        count--;
    }
    return false;
}

static void on_done(void *context)
{
    struct intake *intake = context;

    if (intake->inbox == NULL) /* another program serves: all was settled before */
        return;
    if (!settle_some(intake, intake->parts.config->bus_batch, TURN_BYTES))
        log_store_call_again(intake->store);
    bus_inbox_flush(intake->inbox);
}

/* ---- taking ---- */

/* What came a second time, or another event under the same id. While the first is on its way to the
 * disk it is not known yet what to say: who asks will ask again. */
static void answer_double(struct intake *intake, const struct bus_message *message,
                          const struct event *event, const struct seen_event *seen)
{
    struct ack ack = {.sequence = message->envelope.sequence, .status = ACK_OTHER};
    bool same = seen_events_content(intake->parts.seen, event) == seen->content;

    if ((message->event.flags & ENVELOPE_HAS_POST_KEY) != 0 &&
        !seen_events_came_by(seen, message->envelope.publisher, message->envelope.sequence))
        intake_note_refusal(intake, message, same ? REFUSAL_DOUBLE : REFUSAL_OTHER,
                            seen->event_sequence);
    if (same) {
        intake->counters.doubles++;
        ack = (struct ack){.sequence = message->envelope.sequence,
                           .event_sequence = seen->event_sequence,
                           .receivers = seen->receivers,
                           .status = ACK_DOUBLE};
    } else {
        intake->counters.others++;
    }
    if (!same || !seen->pending)
        bus_inbox_acknowledge(intake->inbox, message->envelope.publisher, &ack);
}

void intake_forget_what_does_not_fit(const struct intake *intake, struct event *event)
{
    if ((event->flags & ENVELOPE_KEEP) != 0 && !last_values_fit(&intake->parts.log->values, event))
        event->flags |= ENVELOPE_FORGET;
}

static void take_event(struct intake *intake, const struct bus_message *message)
{
    struct log_entry entry = {.forgotten = intake->parts.log->forgotten,
                              .let_go = intake->parts.log->values.forgotten,
                              .taken_ns = intake->parts.delivery->net->written.taken_ns,
                              .publisher = message->envelope.publisher,
                              .asked_as = message->envelope.sequence};

    seen_events_key(entry.stored.key, &message->envelope);
    entry.stored.event = message->event;
    intake_forget_what_does_not_fit(intake, &entry.stored.event);
    const struct seen_event *seen =
        seen_events_find(intake->parts.seen, entry.stored.key, loop_now(intake->parts.loop));
    if (seen != NULL) {
        answer_double(intake, message, &entry.stored.event, seen);
        return;
    }
    if (intake_is_over_limits(intake, &entry.stored.event)) {
        intake_note_refusal(intake, message, "over the daemon's limits", 0);
        intake_refuse(intake, &entry, ACK_TOPIC);
        return;
    }
    if (refuse_limited(intake, message))
        return;
    entry.stored.event.sequence = event_log_take_sequence(intake->parts.log);
    entry.stored.wall_ms = intake->store != NULL ? clock_wall_ms() : 0;
    if (intake->waits)
        send_to_disk(intake, &entry);
    else if (intake->store != NULL && !log_store_append(intake->store, &entry))
        intake_refuse(intake, &entry, ACK_UNSTORED);
    else
        deliver_now(intake, &entry);
}

/* Everybody who may has what came up to here; what is on its way to the disk has a later id. */
static void tell_position(struct intake *intake, const struct bus_message *message)
{
    const struct ack ack = {.sequence = message->envelope.sequence,
                            .event_sequence = intake->parts.log->sequence,
                            .status = ACK_DELIVERED};

    bus_inbox_acknowledge(intake->inbox, message->envelope.publisher, &ack);
}

/* ---- what was not published ---- */

static void count_limited(struct intake *intake, const char *name)
{
    struct publisher_count *publisher = find_publisher(intake, secret_id(name, strlen(name)));

    intake->counters.limited++;
    if (publisher != NULL)
        publisher->limited++;
}

static void count_refusal(struct intake *intake, const struct refusal *refusal)
{
    struct intake_counters *counters = &intake->counters;

    if (strcmp(refusal->reason, REFUSAL_DOUBLE) == 0)
        counters->doubles++;
    else if (strcmp(refusal->reason, REFUSAL_OTHER) == 0)
        counters->others++;
    else if (strcmp(refusal->reason, REFUSAL_LIMITED) == 0)
        count_limited(intake, refusal->by);
    else
        counters->refused++;
}

static void take_refusal(struct intake *intake, const struct bus_message *message)
{
    const struct ack ack = {.sequence = message->envelope.sequence, .status = ACK_DELIVERED};
    const struct refusal *refusal = &message->refusal;

    count_refusal(intake, refusal);
    note_unpublished(intake, &(struct unpublished){.reason = refusal->reason,
                                                   .by = refusal->by,
                                                   .user = refusal->user,
                                                   .topic = refusal->topic,
                                                   .topic_length = strlen(refusal->topic),
                                                   .first = refusal->first});
    bus_inbox_acknowledge(intake->inbox, message->envelope.publisher, &ack);
}

void intake_take(struct intake *intake, const struct bus_message *message)
{
    if (message->news.kind != 0)
        nodes_take_news(intake->parts.nodes, &message->news);
    else if (message->number != 0 || message->value || message->past)
        numbered_events_take(intake, message);
    else if (message->envelope.kind == ENVELOPE_QUESTION)
        report_answer(intake->parts.delivery, intake->inbox, message);
    else if (message->envelope.kind == ENVELOPE_DROP)
        drops_take(intake->parts.drops, message);
    else if (message->envelope.kind == ENVELOPE_POSITION)
        tell_position(intake, message);
    else if (message->envelope.kind == ENVELOPE_REFUSAL)
        take_refusal(intake, message);
    else
        take_event(intake, message);
}

/* ---- the log on disk ---- */

static bool open_key(struct intake *intake, char error[LOG_DATABASE_ERROR_SIZE])
{
    const char *path = intake->parts.config->log_path;
    bool opened = path != NULL ? log_key_open(path, intake->stream_key)
                               : secret_random(intake->stream_key, sizeof intake->stream_key);

    if (!opened)
        (void)snprintf(error, LOG_DATABASE_ERROR_SIZE, "cannot make a key for streams: %.100s",
                       path != NULL ? strerror(errno) : "the system gives no random bytes");
    return opened;
}

/* NULL, with a sentence in error, also when what is in it cannot be read. */
static struct log_store *open_file(struct intake *intake, const struct log_store_options *options,
                                   uint64_t *lost_through, char error[LOG_DATABASE_ERROR_SIZE])
{
    struct log_state state;
    bool goes_on = intake->parts.goes_on;

    intake->store =
        goes_on ? log_store_take_up(options, &state, error) : log_store_open(options, error);
    if (intake->store == NULL)
        return NULL;
    bool known = goes_on ? intake_take_up(&intake->parts, &state, error)
                         : intake_load(&intake->parts, intake->store, lost_through, error);
    return known ? intake->store : NULL;
}

static bool open_store(struct intake *intake, char error[LOG_DATABASE_ERROR_SIZE])
{
    const struct config *config = intake->parts.config;
    const struct log_store_options options = {.path = config->log_path,
                                              .sync = (enum log_sync)config->log_sync,
                                              .interval_ms = config->log_sync_interval,
                                              .max_bytes = config->log_max_unsynced,
                                              /* Nobody would wait for the answer any more. */
                                              .max_wait_ms =
                                                  intake->waits ? config->publish_time : 0};
    uint64_t lost_through = intake->parts.log->lost_through;

    intake->parts.drops->store = open_file(intake, &options, &lost_through, error);
    return intake->parts.drops->store != NULL && open_key(intake, error) &&
           log_store_start(intake->store, intake->parts.log->epoch, lost_through,
                           &intake->parts.loop->uv, on_done, intake, error);
}

struct intake *intake_open(const struct intake_parts *parts, char error[LOG_DATABASE_ERROR_SIZE])
{
    struct intake *intake = calloc(1, sizeof *intake);

    if (intake == NULL) {
        (void)snprintf(error, LOG_DATABASE_ERROR_SIZE, "out of memory");
        return NULL;
    }
    intake->parts = *parts;
    intake->waits =
        parts->config->log_path != NULL && parts->config->log_sync == (int)LOG_SYNC_ALWAYS;
    if (!(parts->config->log_path != NULL ? open_store(intake, error) : open_key(intake, error)))
        intake_free(&intake);
    return intake;
}

void intake_set_inbox(struct intake *intake, struct bus_inbox *inbox)
{
    intake->inbox = inbox;
    intake->parts.drops->inbox = inbox;
    if (intake->parts.nodes != NULL)
        nodes_set_inbox(intake->parts.nodes, inbox);
}

void intake_stop(struct intake *intake)
{
    log_store_stop(intake->store);
    if (intake->store == NULL || intake->inbox == NULL)
        return;
    (void)settle_some(intake, UINT64_MAX, SIZE_MAX);
    bus_inbox_flush(intake->inbox);
}

bool intake_rest(struct intake *intake)
{
    if (intake->store == NULL)
        return true;
    bool rests = log_store_rest(intake->store);
    (void)settle_some(intake, UINT64_MAX, SIZE_MAX);
    bus_inbox_flush(intake->inbox);
    return rests;
}

bool intake_go_on(struct intake *intake, char error[LOG_DATABASE_ERROR_SIZE])
{
    return intake->store == NULL ||
           log_store_go_on(intake->store, intake->parts.config->log_path, error);
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

const struct intake_counters *intake_counters(const struct intake *intake)
{
    return &intake->counters;
}

uint64_t intake_bytes(const struct intake *intake)
{
    return rate_limits_bytes(intake->parts.rates) +
           (intake_has_store(intake) ? intake_figures(intake).unsynced_bytes : 0);
}
