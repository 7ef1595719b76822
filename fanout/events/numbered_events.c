#include "events/numbered_events.h"

#include "clock.h"
#include "events/delivery.h"
#include "events/drops.h"
#include "events/intake_inside.h"
#include "events/intake_parts.h"
#include "events/nodes.h"
#include "events/publisher_counts.h"
#include "events/replay.h"
#include "log/event_log.h"
#include "net/net.h"

static struct event event_of(const struct intake *intake, const struct bus_message *message)
{
    struct event event = message->event;

    event.sequence = message->number;
    event.wall_ms = message->wall_ms;
    /* Of a report that was asked for by now nobody here would know when it is due. */
    event.flags &= (uint16_t)~ENVELOPE_WITHIN;
    intake_forget_what_does_not_fit(intake, &event);
    return event;
}

/* ---- of before ---- */

static void take_value(struct intake *intake, const struct bus_message *message)
{
    const struct event event = event_of(intake, message);
    bool is_of_before = event.sequence > 0 && event.sequence <= intake->parts.log->sequence;

    if (is_of_before && (event.flags & ENVELOPE_FORGET) == 0 &&
        !intake_is_over_limits(intake, &event))
        last_values_add(&intake->parts.log->values, &event);
}

/* As old as it is; one that comes later is not older, whatever was done to the clock meanwhile. */
static uint64_t time_of(const struct intake *intake, uint64_t wall_ms)
{
    const struct event_log *log = intake->parts.log;
    uint64_t wall = clock_wall_ms(), now = loop_now(intake->parts.loop);
    uint64_t age = wall_ms < wall ? wall - wall_ms : 0;

    if (log->newest != NULL && now - log->newest->logged_at_ms < age)
        return log->newest->logged_at_ms;
    return now - age;
}

static void keep_past(struct intake *intake, const struct event *event)
{
    struct event_log *log = intake->parts.log;

    if (intake_is_over_limits(intake, event)) {
        event_log_pass(log, event->sequence);
        return;
    }
    (void)event_log_iat(log, event->wall_ms < clock_wall_ms() ? event->wall_ms : 0);
    if (!event_log_append(log, event, time_of(intake, event->wall_ms))) {
        nodes_lose(intake->parts.nodes, event->sequence);
        return;
    }
    if ((event->flags & ENVELOPE_KEEP) != 0)
        last_values_take(&log->values, event);
}

/* Those that still count come from before the window too, and twice when they are of it. */
static void take_past_drop(struct intake *intake, const struct bus_message *message)
{
    struct event_log *log = intake->parts.log;

    drops_take_numbered(intake->parts.drops, message);
    if (!intake->parts.nodes->has_past || message->number <= log->given)
        return;
    event_log_note_given(log, message->number);
    event_log_pass(log, message->number);
}

/* ---- live ---- */

/* Others have it: who cannot have it here may get it from them. */
static void miss(struct intake *intake, struct log_entry *entry)
{
    uint64_t number = entry->stored.event.sequence;

    intake_refuse(intake, entry, ACK_OVERLOAD);
    nodes_lose(intake->parts.nodes, number);
}

static void deliver(struct intake *intake, const struct bus_message *message,
                    const struct event *event)
{
    struct log_entry entry = {.stored = {.event = *event},
                              .taken_ns = intake->parts.delivery->net->written.taken_ns,
                              .publisher = message->envelope.publisher,
                              .asked_as = message->envelope.sequence};
    struct publisher_count *publisher = intake_publisher_of(intake, message);
    uint32_t receivers = 0;

    if (intake_is_over_limits(intake, event)) {
        intake_note_refusal(intake, message, "over the daemon's limits", 0);
        event_log_pass(intake->parts.log, event->sequence);
        intake_refuse(intake, &entry, ACK_TOPIC);
        return;
    }
    if (publisher != NULL)
        publisher->events++;
    if (intake_deliver(intake, &entry, &receivers))
        intake_acknowledge(intake, &entry, ACK_DELIVERED, receivers);
    else
        miss(intake, &entry);
}

void numbered_events_take(struct intake *intake, const struct bus_message *message)
{
    struct event_log *log = intake->parts.log;

    if (message->value) {
        take_value(intake, message);
        return;
    }
    last_values_settle(&log->values);
    if (message->past && message->envelope.kind == ENVELOPE_DROP) {
        take_past_drop(intake, message);
        return;
    }
    if (message->past)
        nodes_take_past(intake->parts.nodes, message->number);
    if (message->number <= log->given) { /* it was here before */
        intake->counters.doubles++;
        return;
    }
    event_log_note_given(log, message->number);
    if (message->envelope.kind == ENVELOPE_DROP) {
        event_log_pass(log, message->number);
        drops_take_numbered(intake->parts.drops, message);
    } else {
        const struct event event = event_of(intake, message);
        if (message->past)
            keep_past(intake, &event);
        else
            deliver(intake, message, &event);
    }
    replay_log_grew(intake->parts.nodes->replays);
}
