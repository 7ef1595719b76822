#include "events/replay_send.h"

#include "config/config.h"
#include "envelope.h"
#include "events/delivery.h"
#include "net/connection.h"
#include "streams/stream.h"
#include "streams/streams.h"

#include <stdlib.h>

enum {
    REPLAY_FRAME_WORK = 4,
    REPLAY_REPORT_WORK = 4,
    /* A slice that others have as well has to be written all the same. */
    REPLAY_TAKING_WORK = 16,
    REPLAY_TAKING_BYTES = 512, /* of it for a unit of work */
    /* Looking for topics that match is not sliced: past this, the log is walked. */
    REPLAY_GATHER_MOST = 2 * REPLAY_SLICE_WORK
};

static struct event_log *log_of(const struct replay_queue *queue)
{
    return queue->delivery->log;
}

/* Past it they walk, and compare with each topic of theirs. */
static bool may_keep(const struct replay *replay, uint64_t bytes)
{
    const struct config *config = replay->queue->delivery->net->config;

    return replay_kept_bytes(replay->queue) + bytes <= config->max_replay_kept;
}

static void count_kept(struct replay *replay, uint64_t bytes)
{
    replay->kept_bytes += bytes;
    replay->queue->kept_bytes += bytes;
}

void replay_drop_kept(struct replay *replay)
{
    replay->queue->kept_bytes -= replay->kept_bytes;
    replay->kept_bytes = 0;
    replay_sources_free(&replay->kept);
}

/* Who may hear it is looked at now; it says no more of whom it was left out. */
static bool may_have_value(const struct replay *replay, const struct logged_event *logged,
                           const struct subscription *requested)
{
    const struct subscription *first =
        replay->stream->subscriber.subscriptions + replay->first_slot;

    return requested >= first && audience_suits(logged->flags, requested->kind) &&
           past_audience_may_hear(&replay->past, logged, requested->kind);
}

/* Whether the event is for this stream, under this topic; notes what the slice has to know of it. */
static bool may_send(struct replay *replay, const struct logged_event *logged,
                     const struct subscription *requested)
{
    const struct stream *stream = replay->stream;
    struct replay_slice *slice = &replay->queue->slice;
    const struct event event = logged_event_get(logged);

    if (replay->in_values)
        return may_have_value(replay, logged, requested);
    if (slice->first == UINT64_MAX)
        slice->first = event.sequence;
    if (event.whisper && event.whisper != stream->connid) {
        replay_slice_note_stranger(slice, event.whisper);
        return false;
    }
    slice->is_private = slice->is_private || event.whisper || event.except == stream->connid ||
                        past_audience_depends_on_user(requested->kind);
    if (event.except == stream->connid)
        return false;
    if (event.except != 0)
        replay_slice_note_stranger(slice, event.except);
    return audience_may_hear(&event, requested->kind, stream_user(stream)) &&
           (event.sequence > replay->asked_at ||
            past_audience_may_hear(&replay->past, logged, requested->kind));
}

/* The event is written to this client; false when nobody wants to know. */
static bool add_to_report(struct replay *replay, uint64_t sequence)
{
    const struct delivery *delivery = replay->queue->delivery;
    struct reports *reports = &delivery->streams->reports;
    struct report *report = reports_find(reports, sequence);

    if (report == NULL)
        return false;
    replay->queue->work += REPLAY_REPORT_WORK;
    reports_add(reports, report, replay->stream, true, loop_now(&delivery->net->loop));
    return true;
}

static void note_report(struct replay *replay, uint64_t sequence)
{
    struct replay_slice *slice = &replay->queue->slice;

    if (!add_to_report(replay, sequence))
        return;
    if (slice->report_count < REPLAY_SLICE_REPORTS)
        slice->reports[slice->report_count++] = sequence;
    else
        slice->is_private = true;
}

/* The event for one subscription, whose topic it matches. again: it comes once more, for another
 * one. False without memory. */
static bool send_to_subscription(struct replay *replay, const struct logged_event *logged,
                                 const struct subscription *requested, bool again)
{
    struct replay_queue *queue = replay->queue;
    struct replay_slice *slice = &queue->slice;
    const struct log_position place = {.sequence = replay->after, .values_after = logged->sequence};
    struct event event = logged_event_get(logged);

    event.is_value = replay->in_values;
    if (event.is_value) {
        event.place = &place;
        /* Who has it now is not among those to whom it was sent. */
        event.flags &= (uint16_t)~ENVELOPE_REPORT;
    }
    queue->events++;
    replay->events++;
    queue->work += REPLAY_FRAME_WORK;
    if (!delivery_format(queue->delivery, replay->stream->transport, requested, &event, again,
                         &slice->frames))
        return false;
    if ((event.flags & ENVELOPE_REPORT) != 0)
        note_report(replay, event.sequence);
    slice->last_iat = log_of(queue)->last_iat;
    if (slice->events++ == 0)
        slice->first_iat = slice->last_iat;
    return true;
}

/* Never stops within one event: an answer to a poll has all of it. */
static bool slice_is_over(const struct replay *replay, uint64_t work_before)
{
    const struct replay_queue *queue = replay->queue;

    return queue->slice.frames.length >= queue->window ||
           queue->work - work_before >= REPLAY_SLICE_WORK;
}

/* ---- where it is ---- */

static uint64_t *place_of(struct replay *replay)
{
    return replay->in_values ? &replay->values_after : &replay->after;
}

/* There is nothing more up to this sequence. */
static void finish(struct replay *replay, uint64_t through)
{
    *place_of(replay) = through;
    replay->in_values = false;
    replay_drop_kept(replay);
}

/* ---- topic by topic ---- */

/* Finding the topics is given up where walking would have cost as much. */
static enum replay_gathering gather(struct replay *replay)
{
    struct replay_queue *queue = replay->queue;
    struct event_log *log = log_of(queue);
    const struct subscriber *subscriber = &replay->stream->subscriber;
    uint64_t events = replay->in_values
                          ? last_values_count_after(&log->values, replay->values_after)
                          : event_log_count_after(log, replay->after);
    uint64_t walking = 4 * events + 8 * (uint64_t)subscriber->count + 64;
    size_t most = walking < REPLAY_GATHER_MOST ? (size_t)walking : REPLAY_GATHER_MOST, work;
    enum replay_gathering result =
        replay->in_values
            ? replay_sources_gather_values(&queue->scratch, log, subscriber, replay->first_slot,
                                           replay->values_after, replay->after, most,
                                           &queue->hits.name, &work)
            : replay_sources_gather(&queue->scratch, log, subscriber, replay->after, most,
                                    &queue->hits.name, &work);

    queue->work += work;
    return result;
}

/* For the next slice; where it may not be kept, the log is walked from there on. */
static void keep_sources(struct replay *replay, struct replay_sources *sources)
{
    uint64_t bytes = sources->count * sizeof *sources->sources;

    if (sources == &replay->kept || replay->in_values) /* values come and go */
        return;
    replay->walks = !may_keep(replay, bytes);
    if (replay->walks)
        return;
    replay_sources_trim(sources);
    replay->kept = *sources;
    count_kept(replay, bytes);
    *sources = (struct replay_sources){0};
}

/* The next slice is there already, from here on. */
static bool meets_another(struct replay *replay, uint64_t sequence, uint64_t stop_at)
{
    if (sequence <= stop_at)
        return false;
    replay->after = stop_at;
    return true;
}

static bool send_from_sources(struct replay *replay, struct replay_sources *sources,
                              uint64_t stop_at)
{
    uint64_t work = replay->queue->work, *place = place_of(replay);

    while (sources->count > 0) {
        const struct subscription *requested = sources->sources[0].requested;
        uint64_t sequence = sources->sources[0].next;
        if (sequence != *place &&
            (slice_is_over(replay, work) || meets_another(replay, sequence, stop_at))) {
            keep_sources(replay, sources);
            return true;
        }
        replay->queue->work++;
        const struct logged_event *logged = replay_sources_first(sources);
        replay_sources_advance(sources);
        const struct replay_source *next = &sources->sources[0];
        bool again = sources->count > 0 && next->next == sequence &&
                     may_send(replay, logged, next->requested);
        if (may_send(replay, logged, requested) &&
            !send_to_subscription(replay, logged, requested, again))
            return false;
        *place = sequence;
    }
    finish(replay, sources->until);
    return true;
}

/* ---- event by event ---- */

static bool find_hits(struct replay *replay, const struct logged_event *logged)
{
    struct replay_hits *hits = &replay->queue->hits;
    const struct replay_filter *filter = replay->member.cohort->filter;
    bool found = filter != NULL ? replay_filter_match(filter, logged, hits)
                                : replay_filter_compare(&replay->stream->subscriber, logged, hits);

    replay->queue->work += hits->work;
    return found;
}

/* As large as what the connection has in the index, at most, and made in slices. Without room for it
 * each of its topics is compared. False while it is not whole. */
static bool make_filter(struct replay *replay)
{
    struct replay_queue *queue = replay->queue;
    struct replay_cohort *cohort = replay->member.cohort;

    if (cohort->filter != NULL ? replay_filter_is_whole(cohort->filter) : !may_keep(replay, 0))
        return true;
    if (!replay_cohorts_make_filter(&queue->cohorts, &replay->member, REPLAY_SLICE_WORK,
                                    &queue->hits))
        return true;
    queue->work += queue->hits.work;
    return replay_filter_is_whole(cohort->filter);
}

static bool send_hits(struct replay *replay, const struct logged_event *logged)
{
    const struct subscription *list = replay->stream->subscriber.subscriptions, *found = NULL;
    const struct replay_hits *hits = &replay->queue->hits;

    for (size_t i = 0; i < hits->count; i++) {
        if (!may_send(replay, logged, &list[hits->slots[i]]))
            continue;
        if (found != NULL && !send_to_subscription(replay, logged, found, true))
            return false;
        found = &list[hits->slots[i]];
    }
    return found == NULL || send_to_subscription(replay, logged, found, false);
}

/* The one after `current`; NULL, to begin with: after where it is. */
static const struct logged_event *next_logged(const struct replay *replay,
                                              const struct logged_event *current)
{
    const struct event_log *log = log_of(replay->queue);

    if (!replay->in_values)
        return current != NULL ? current->newer : event_log_first_after(log, replay->after);
    const struct logged_event *value = last_values_after(&log->values, replay->values_after);
    return value != NULL && value->sequence <= replay->after ? value : NULL;
}

static bool send_walking(struct replay *replay, uint64_t stop_at)
{
    struct replay_queue *queue = replay->queue;
    uint64_t work = queue->work, *place = place_of(replay);

    if (!make_filter(replay))
        return true; /* the next slice goes on with it */
    for (const struct logged_event *logged = next_logged(replay, NULL); logged != NULL;
         logged = next_logged(replay, logged)) {
        if (slice_is_over(replay, work) || meets_another(replay, logged->sequence, stop_at))
            return true;
        if (!find_hits(replay, logged))
            return false;
        if (!send_hits(replay, logged))
            return false;
        *place = logged->sequence;
    }
    finish(replay, replay->in_values ? replay->after : log_of(queue)->sequence);
    return true;
}

/* ---- slices ---- */

static bool gather_and_send(struct replay *replay, uint64_t stop_at)
{
    switch (gather(replay)) {
    case REPLAY_GATHERED:
        return send_from_sources(replay, &replay->queue->scratch, stop_at);
    case REPLAY_TOO_MUCH:
        replay->walks = !replay->in_values;
        return send_walking(replay, stop_at);
    default:
        return false;
    }
}

/* Events in order until the window is full. False without memory. */
static bool find_events(struct replay *replay, uint64_t stop_at)
{
    if (replay->in_values)
        return gather_and_send(replay, stop_at);
    if (replay->walks)
        return send_walking(replay, stop_at);
    if (replay->kept.count > 0 && replay->after >= log_of(replay->queue)->forgotten)
        return send_from_sources(replay, &replay->kept, stop_at);
    replay_drop_kept(replay);
    return gather_and_send(replay, stop_at);
}

/* As far as the next slice that was made for another one, at most. */
static bool make_slice(struct replay *replay, uint64_t stop_at)
{
    struct replay_queue *queue = replay->queue;
    struct replay_slice *slice = &queue->slice;

    *slice = (struct replay_slice){.from = replay->after,
                                   .first = UINT64_MAX,
                                   .window = queue->window,
                                   .made_at = loop_now(&queue->delivery->net->loop)};
    bool made = find_events(replay, stop_at) &&
                connection_queue_all(&replay->stream->connection, &slice->frames);
    if (!made) {
        output_clear(&slice->frames);
        return false;
    }
    slice->to = replay->after;
    if (slice->first > slice->to)
        slice->first = slice->to;
    if (slice->events > 0)
        replay->iat = slice->last_iat;
    replay_cohorts_keep(&queue->cohorts, &replay->member, slice);
    return true;
}

/* Values are others for whoever comes later, and where they stand is not where the log does. */
static bool send_values(struct replay *replay)
{
    struct replay_queue *queue = replay->queue;
    struct replay_slice *slice = &queue->slice;

    *slice = (struct replay_slice){.first = UINT64_MAX, .window = queue->window};
    bool made = find_events(replay, UINT64_MAX) &&
                connection_queue_all(&replay->stream->connection, &slice->frames);
    output_clear(&slice->frames);
    if (slice->events > 0)
        replay->iat = slice->last_iat;
    return made;
}

static bool take_slice(struct replay *replay, const struct replay_slice *slice)
{
    struct replay_queue *queue = replay->queue;

    replay_drop_kept(replay);
    queue->work += REPLAY_TAKING_WORK + slice->frames.length / REPLAY_TAKING_BYTES;
    queue->events += slice->events;
    replay->events += slice->events;
    queue->shared += slice->events;
    queue->shared_bytes += slice->frames.length;
    for (uint32_t i = 0; i < slice->report_count; i++)
        (void)add_to_report(replay, slice->reports[i]);
    replay->after = slice->to;
    if (slice->events > 0)
        replay->iat = slice->last_iat;
    return connection_queue_all(&replay->stream->connection, &slice->frames);
}

bool replay_send_slice(struct replay *replay)
{
    struct replay_queue *queue = replay->queue;
    uint64_t stop_at;

    if (replay->member.cohort == NULL &&
        !replay_cohorts_join(&queue->cohorts, &replay->member, replay->stream))
        return false;
    if (replay->in_values)
        return send_values(replay);
    const struct replay_slice *slice =
        replay_cohort_find(&replay->member, replay->after, replay->iat, queue->window, &stop_at);
    return slice != NULL ? take_slice(replay, slice) : make_slice(replay, stop_at);
}
