#include "events/replay.h"

#include "config/config.h"
#include "envelope.h"
#include "events/delivery.h"
#include "events/past_audience.h"
#include "heap.h"
#include "net/connection.h"
#include "streams/stream.h"
#include "streams/streams.h"
#include "streams/transport.h"

#include <stdlib.h>

enum {
    /* Bytes queued for one connection before others have their turn. The more of them do not read,
     * the less: all together they never hold what others need. */
    REPLAY_WINDOW = 64 * 1024,
    REPLAY_WINDOW_LEAST = 4 * 1024,
    /* Bytes formatted for all, or queued of what is shared, before live events have theirs. */
    REPLAY_TURN_BYTES = 1024 * 1024,
    /* The same in things done, a tenth of a microsecond each: what is found need not be for who
     * looks, and small frames cost more than their bytes. */
    REPLAY_SLICE_WORK = 4096,
    REPLAY_TURN_WORK = 4 * REPLAY_SLICE_WORK,
    REPLAY_FRAME_WORK = 4,
    REPLAY_REPORT_WORK = 4,
    REPLAY_TURN_SLICES = 64, /* each is written by a call of its own */
    /* A slice that others have as well has to be written all the same. */
    REPLAY_TAKING_WORK = 16,
    REPLAY_TAKING_BYTES = 512, /* of it for a unit of work */
    /* Looking for topics that match is not sliced: past this, the log is walked. */
    REPLAY_GATHER_MOST = 2 * REPLAY_SLICE_WORK
};

struct replay {
    struct stream *stream;
    struct replay_queue *queue;
    uint64_t after; /* everything up to this sequence is queued */
    bool may_have_gap;
    struct past_audience past;
    struct presence_due due;
    bool tells_first;            /* what is due, before the log */
    bool waits;                  /* for the socket: counted in the queue */
    bool walks;                  /* through the log, not topic by topic */
    struct replay_sources kept;  /* topic by topic, for the next slice */
    uint64_t kept_bytes;         /* of those, counted in the queue */
    struct replay_member member; /* of those that want the same */
    uint64_t iat;                /* of its newest frame */
    struct replay *next,
        **link; /* in the queue while it has room; link NULL while it waits for the socket */
};

static struct event_log *log_of(const struct replay_queue *queue)
{
    return queue->delivery->log;
}

uint64_t replay_kept_bytes(const struct replay_queue *queue)
{
    return queue->kept_bytes + queue->cohorts.filter_bytes;
}

uint64_t replay_bytes(const struct replay_queue *queue)
{
    return replay_kept_bytes(queue) + queue->catching_up * heap_taken(sizeof(struct replay)) +
           replay_cohorts_bytes(&queue->cohorts) +
           queue->scratch.capacity * sizeof *queue->scratch.sources +
           queue->hits.capacity * sizeof *queue->hits.slots +
           topic_matches_bytes(&queue->hits.matches) + queue->hits.name.capacity;
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

static void drop_kept(struct replay *replay)
{
    replay->queue->kept_bytes -= replay->kept_bytes;
    replay->kept_bytes = 0;
    replay_sources_free(&replay->kept);
}

/* Whether the event is for this stream, under this topic; notes what the slice has to know of it. */
static bool may_send(struct replay *replay, const struct logged_event *logged,
                     const struct subscription *requested)
{
    const struct stream *stream = replay->stream;
    struct replay_slice *slice = &replay->queue->slice;
    const struct event event = logged_event_get(logged);

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
           past_audience_may_hear(&replay->past, logged, requested->kind);
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
    const struct event event = logged_event_get(logged);

    queue->events++;
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

/* ---- topic by topic ---- */

/* Finding the topics is given up where walking would have cost as much. */
static enum replay_gathering gather(struct replay *replay)
{
    struct replay_queue *queue = replay->queue;
    const struct subscriber *subscriber = &replay->stream->subscriber;
    uint64_t walking = 4 * event_log_count_after(log_of(replay->queue), replay->after) +
                       8 * (uint64_t)subscriber->count + 64;
    size_t most = walking < REPLAY_GATHER_MOST ? (size_t)walking : REPLAY_GATHER_MOST, work;
    enum replay_gathering result =
        replay_sources_gather(&queue->scratch, log_of(replay->queue), subscriber, replay->after,
                              most, &queue->hits.name, &work);

    queue->work += work;
    return result;
}

/* For the next slice; where it may not be kept, the log is walked from there on. */
static void keep_sources(struct replay *replay, struct replay_sources *sources)
{
    uint64_t bytes = sources->count * sizeof *sources->sources;

    if (sources == &replay->kept)
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
    uint64_t work = replay->queue->work;

    while (sources->count > 0) {
        const struct subscription *requested = sources->sources[0].requested;
        uint64_t sequence = sources->sources[0].next;
        if (sequence != replay->after &&
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
        replay->after = sequence;
    }
    replay->after = sources->until;
    drop_kept(replay);
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

static bool send_walking(struct replay *replay, uint64_t stop_at)
{
    struct replay_queue *queue = replay->queue;
    uint64_t work = queue->work;

    if (!make_filter(replay))
        return true; /* the next slice goes on with it */
    for (const struct logged_event *logged =
             event_log_first_after(log_of(replay->queue), replay->after);
         logged != NULL; logged = logged->newer) {
        if (slice_is_over(replay, work) || meets_another(replay, logged->sequence, stop_at))
            return true;
        if (!find_hits(replay, logged))
            return false;
        if (!send_hits(replay, logged))
            return false;
        replay->after = logged->sequence;
    }
    replay->after = log_of(replay->queue)->sequence;
    drop_kept(replay);
    return true;
}

/* ---- slices ---- */

/* Events in order until the window is full. False without memory. */
static bool find_events(struct replay *replay, uint64_t stop_at)
{
    if (replay->walks)
        return send_walking(replay, stop_at);
    if (replay->kept.count > 0 && replay->after >= log_of(replay->queue)->forgotten)
        return send_from_sources(replay, &replay->kept, stop_at);
    drop_kept(replay);
    switch (gather(replay)) {
    case REPLAY_GATHERED:
        return send_from_sources(replay, &replay->queue->scratch, stop_at);
    case REPLAY_TOO_MUCH:
        replay->walks = true;
        return send_walking(replay, stop_at);
    default:
        return false;
    }
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

static bool take_slice(struct replay *replay, const struct replay_slice *slice)
{
    struct replay_queue *queue = replay->queue;

    drop_kept(replay);
    queue->work += REPLAY_TAKING_WORK + slice->frames.length / REPLAY_TAKING_BYTES;
    queue->events += slice->events;
    queue->shared += slice->events;
    queue->shared_bytes += slice->frames.length;
    for (uint32_t i = 0; i < slice->report_count; i++)
        (void)add_to_report(replay, slice->reports[i]);
    replay->after = slice->to;
    if (slice->events > 0)
        replay->iat = slice->last_iat;
    return connection_queue_all(&replay->stream->connection, &slice->frames);
}

/* False without memory. */
static bool send_slice(struct replay *replay)
{
    struct replay_queue *queue = replay->queue;
    uint64_t stop_at;

    if (replay->member.cohort == NULL &&
        !replay_cohorts_join(&queue->cohorts, &replay->member, replay->stream))
        return false;
    const struct replay_slice *slice =
        replay_cohort_find(&replay->member, replay->after, replay->iat, queue->window, &stop_at);
    return slice != NULL ? take_slice(replay, slice) : make_slice(replay, stop_at);
}

static void unlink_replay(struct replay *replay)
{
    if (replay->link == NULL)
        return;
    *replay->link = replay->next;
    if (replay->next != NULL)
        replay->next->link = replay->link;
    else
        replay->queue->last = replay->link;
    replay->link = NULL;
    replay->next = NULL;
}

static void link_last(struct replay *replay)
{
    struct replay_queue *queue = replay->queue;

    replay->next = NULL;
    replay->link = queue->last;
    *queue->last = replay;
    queue->last = &replay->next;
}

static void free_replay(struct replay *replay)
{
    past_audience_free(&replay->past);
    free(replay);
}

bool replay_begin(struct replay_queue *queue, struct stream *stream, uint64_t after,
                  bool may_have_gap, const struct past_rights *past, const struct presence_due *due)
{
    struct replay *replay = calloc(1, sizeof *replay);

    if (replay == NULL)
        return false;
    if (!past_audience_set(&replay->past, past)) {
        free_replay(replay);
        return false;
    }
    replay->queue = queue;
    replay->stream = stream;
    replay->after = after;
    replay->may_have_gap = may_have_gap;
    replay->due = *due;
    replay->tells_first = stream->transport->answers_once;
    replay->iat = log_of(queue)->last_iat;
    if (!replay_cohorts_join(&queue->cohorts, &replay->member, stream)) {
        free_replay(replay);
        return false;
    }
    stream->replay = replay;
    queue->catching_up++;
    link_last(replay);
    return true;
}

uint64_t replay_position(const struct replay_queue *queue, const struct stream *stream)
{
    const struct stream_identity *identity = stream->identity;
    uint64_t position = stream->replay != NULL ? stream->replay->after : log_of(queue)->sequence;

    /* Presence has the id of the event before it. */
    if (identity != NULL && identity->withheld != 0 && identity->withheld <= position)
        position = identity->withheld - 1;
    return position;
}

const struct presence_due *replay_presence(const struct stream *stream)
{
    return stream->replay != NULL ? &stream->replay->due : NULL;
}

static void set_waiting(struct replay *replay, bool waits)
{
    replay->queue->waiting += waits;
    replay->queue->waiting -= replay->waits;
    replay->waits = waits;
}

void replay_abandon(struct stream *stream)
{
    struct replay *replay = stream->replay;

    if (replay == NULL)
        return;
    unlink_replay(replay);
    set_waiting(replay, false);
    drop_kept(replay);
    replay_cohorts_leave(&replay->queue->cohorts, &replay->member);
    replay->queue->catching_up--;
    free_replay(replay);
    stream->replay = NULL;
}

void replay_continue(struct stream *stream)
{
    if (stream->replay == NULL || stream->replay->link != NULL)
        return;
    set_waiting(stream->replay, false);
    link_last(stream->replay);
}

void replay_topics_changed(struct stream *stream)
{
    if (stream->replay == NULL)
        return;
    drop_kept(stream->replay);
    replay_cohorts_leave(&stream->replay->queue->cohorts, &stream->replay->member);
    stream->replay->walks = false;
}

bool replay_withhold(struct stream *stream, const struct bytes *topics)
{
    struct replay *replay = stream->replay;

    if (replay == NULL || topics->length == 0)
        return true;
    return past_audience_withhold(&replay->past, topics);
}

/* With the next slice; else when its output is written. */
static void go_on(struct replay *replay)
{
    if (replay->stream->connection.output.length < replay->queue->window)
        link_last(replay);
    else
        set_waiting(replay, true);
}

/* False when there is more to be told, or the connection was closed. */
static bool tell_due(struct replay *replay)
{
    struct replay_queue *queue = replay->queue;
    struct replay_measure measure = {.window = queue->window, .most_work = REPLAY_SLICE_WORK};
    enum replay_telling result = queue->tell(replay->stream, &replay->due, &measure);

    queue->work += measure.work;
    if (result == REPLAY_MORE)
        go_on(replay);
    else if (result == REPLAY_FAILED)
        connection_close(&replay->stream->connection, CLOSE_MEMORY);
    return result == REPLAY_TOLD;
}

/* One slice for the first in the queue. */
static void run_first(struct replay_queue *queue)
{
    struct replay *replay = queue->first;
    struct stream *stream = replay->stream;
    const struct event_log *log = log_of(queue);

    unlink_replay(replay);
    if (delivery_proof_is_over(queue->delivery, stream)) {
        set_waiting(replay, true); /* for its end */
        return;
    }
    /* A client so slow that the log went past it has a gap that it must know of. */
    if (replay->after < log->forgotten && !replay->may_have_gap) {
        connection_close(&stream->connection, CLOSE_SLOW);
        return;
    }
    replay->may_have_gap = false;
    if (replay->tells_first && !tell_due(replay))
        return;
    replay->tells_first = false;
    if (replay->after < log->sequence && !send_slice(replay)) {
        connection_close(&stream->connection, CLOSE_MEMORY);
        return;
    }
    if (replay->after < log->sequence)
        go_on(replay);
    else if (tell_due(replay))
        replay_abandon(stream);
}

/* Those who catch up wait rather than push slow ones out, and go on when something was written. */
static uint64_t most_held(const struct net *net)
{
    return net->config->max_pending_total / 8 * 7;
}

bool replay_can_go_on(const struct replay_queue *queue)
{
    const struct net *net = queue->delivery->net;

    return queue->first != NULL && net->frames.bytes_held <= most_held(net);
}

static void set_window(struct replay_queue *queue)
{
    const struct net *net = queue->delivery->net;
    uint64_t window = net->config->max_pending_total / 8 / (queue->waiting + 1);

    if (window > REPLAY_WINDOW)
        window = REPLAY_WINDOW;
    if (window < REPLAY_WINDOW_LEAST || net->frames.bytes_held > net->config->max_pending_total / 2)
        window = REPLAY_WINDOW_LEAST;
    queue->window = window;
}

/* What was told to one that catches up is newer than what is kept. */
static void trim_shared(struct replay_queue *queue)
{
    struct net *net = queue->delivery->net;
    uint64_t most = net->config->max_pending_total / 16;

    if (most > net->config->max_replay_shared)
        most = net->config->max_replay_shared;
    if (queue->told != queue->delivery->told_in_replay ||
        net->frames.bytes_held > net->config->max_pending_total / 2)
        most = 0;
    queue->told = queue->delivery->told_in_replay;
    replay_cohorts_trim(&queue->cohorts, most, loop_now(&net->loop));
}

void replay_run(struct replay_queue *queue)
{
    const struct delivery *delivery = queue->delivery;
    uint64_t begun = delivery->bytes_formatted + queue->shared_bytes, work = queue->work,
             slices = 0;

    set_window(queue);
    trim_shared(queue);
    if (queue->first != NULL)
        connection_relieve_for_others(delivery->net, most_held(delivery->net));
    while (replay_can_go_on(queue) &&
           delivery->bytes_formatted + queue->shared_bytes - begun < REPLAY_TURN_BYTES &&
           queue->work - work < REPLAY_TURN_WORK && slices++ < REPLAY_TURN_SLICES)
        run_first(queue);
    loop_watch_did(&delivery->net->loop.watch, LOOP_REPLAY, queue->work - work);
}

void replay_open(struct replay_queue *queue, struct delivery *delivery, replay_tell *tell,
                 uint64_t seed)
{
    *queue = (struct replay_queue){.delivery = delivery, .tell = tell, .last = &queue->first};
    replay_cohorts_open(&queue->cohorts, seed);
}

void replay_close(struct replay_queue *queue)
{
    replay_sources_free(&queue->scratch);
    replay_hits_free(&queue->hits);
    replay_cohorts_close(&queue->cohorts);
    *queue = (struct replay_queue){0};
}
