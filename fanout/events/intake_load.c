#include "events/intake_load.h"

#include "clock.h"
#include "events/drops.h"
#include "events/intake_parts.h"
#include "events/seen_events.h"
#include "log/event_log.h"
#include "log/log_store.h"
#include "messages.h"
#include "net/loop.h"
#include "streams/revocations.h"

#include <stdio.h>

struct loading {
    const struct intake_parts *parts;
    uint64_t wall_ms, age_ms; /* age of the last event */
    uint64_t failures, not_revoked;
};

/* Ages only shrink, however the wall clock jumped while events were written. Times before the
 * loop's clock began wrap around, as do the differences that are taken from them. */
static uint64_t time_of(struct loading *loading, uint64_t wall_ms)
{
    uint64_t age = wall_ms < loading->wall_ms ? loading->wall_ms - wall_ms : 0;

    if (age < loading->age_ms)
        loading->age_ms = age;
    return loop_now(loading->parts->loop) - loading->age_ms;
}

static void load_event(const struct stored_event *stored, void *context)
{
    struct loading *loading = context;
    const struct intake_parts *parts = loading->parts;
    uint64_t time = time_of(loading, stored->wall_ms);

    /* Was refused for want of memory after it had been written, and then sent again. */
    if (seen_events_find(parts->seen, stored->key, time) != NULL)
        return;
    if (!event_log_append(parts->log, &stored->event, time) ||
        !seen_events_add(parts->seen, stored->key, seen_events_content(parts->seen, &stored->event),
                         stored->event.sequence, 0, time))
        loading->failures++;
}

static void load_revocation(const struct log_revocation *kept, void *context)
{
    struct loading *loading = context;

    if (kept->until_ms > loading->wall_ms &&
        revocations_add(loading->parts->drops->revocations, kept->kind, kept->name,
                        kept->name_length, kept->at_ms, kept->until_ms, loading->wall_ms) == NULL)
        loading->not_revoked++;
}

/* With fewer of them allowed than before the others count no more. */
static bool load_revocations(struct log_store *store, struct loading *loading,
                             char error[LOG_DATABASE_ERROR_SIZE])
{
    if (!log_store_load_revocations(store, load_revocation, loading, error))
        return false;
    drops_tell_left_out(loading->not_revoked);
    return true;
}

static void load_value(const struct event *event, void *context)
{
    const struct loading *loading = context;

    last_values_take(&loading->parts->log->values, event);
}

bool intake_take_up(const struct intake_parts *parts, const struct log_state *state,
                    char error[LOG_DATABASE_ERROR_SIZE])
{
    const struct event_log *log = parts->log;

    if (state->epoch == log->epoch && state->head <= log->given)
        return true;
    (void)snprintf(error, LOG_DATABASE_ERROR_SIZE,
                   "the log on disk is not the one of the program before: that needs a restart");
    return false;
}

bool intake_load(const struct intake_parts *parts, struct log_store *store, uint64_t *lost_through,
                 char error[LOG_DATABASE_ERROR_SIZE])
{
    struct event_log *log = parts->log;
    struct loading loading = {.parts = parts, .wall_ms = clock_wall_ms(), .age_ms = UINT64_MAX};
    struct log_past past;

    if (!log_store_load(store, &past, load_event, &loading, error))
        return false;
    if (loading.failures > 0) {
        (void)snprintf(error, LOG_DATABASE_ERROR_SIZE, "no memory for the event log");
        return false;
    }
    if (past.state.epoch == 0)
        return true;
    if (!load_revocations(store, &loading, error) ||
        !log_store_load_values(store, load_value, &loading, error))
        return false;
    log->epoch = past.state.epoch;
    event_log_forget(log, past.forgotten);
    event_log_resume(log, past.state.head, past.state.lost_through,
                     !past.state.unsure && !past.tail_missing, loading.wall_ms);
    event_log_expire(log, loop_now(parts->loop));
    *lost_through = log->lost_through;
    message_info("event log read", message_number("events", (int64_t)log->events),
                 message_number("bytes", (int64_t)event_log_bytes(log)),
                 message_number("kept", (int64_t)log->values.count),
                 message_number("through", (int64_t)log->stored_head));
    return true;
}
