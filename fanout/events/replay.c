#include "events/replay.h"

#include "envelope.h"
#include "events/delivery.h"
#include "net/connection.h"
#include "past_rights.h"
#include "streams/stream.h"
#include "user_set.h"

#include <stdlib.h>

enum {
    /* Bytes queued for one connection before others have their turn. The more of them do not read,
     * the less: all together they never hold what others need. */
    REPLAY_WINDOW = 64 * 1024,
    REPLAY_WINDOW_LEAST = 4 * 1024,
    REPLAY_TURN_BYTES = 1024 * 1024, /* bytes formatted for all before live events have theirs */
    /* The same in things done, a tenth of a microsecond each: what is found need not be for who
     * looks, and small frames cost more than their bytes. */
    REPLAY_SLICE_WORK = 4096,
    REPLAY_TURN_WORK = 4 * REPLAY_SLICE_WORK,
    REPLAY_FRAME_WORK = 4,
    /* Looking for topics that match is not sliced: past this, the log is walked. */
    REPLAY_GATHER_MOST = 2 * REPLAY_SLICE_WORK,
    /* Of all connections. Past it they walk, and compare with each topic of theirs. */
    REPLAY_KEEP_MOST = 16 * 1024 * 1024
};

struct replay {
    struct stream *stream;
    struct replay_queue *queue;
    uint64_t after; /* everything up to this sequence is queued */
    bool may_have_gap;
    struct past_rights past;
    struct user_set deaf, inbox; /* of the topics there */
    bool waits;                  /* for the socket: counted in the queue */
    bool walks;                  /* through the log, not topic by topic */
    struct replay_sources kept;  /* topic by topic, for the next slice */
    struct replay_filter *filter;
    uint64_t kept_bytes; /* of those two, counted in the queue */
    struct replay *next,
        **link; /* in the queue while it has room; link NULL while it waits for the socket */
};

static struct event_log *log_of(const struct replay_queue *queue)
{
    return queue->delivery->log;
}

static bool may_keep(const struct replay *replay, uint64_t bytes)
{
    return replay->queue->kept_bytes + bytes <= REPLAY_KEEP_MOST;
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
    replay_filter_free(&replay->filter);
}

/* A right that was taken away does not count for what was said before; nor does what nobody has
 * looked at. */
static bool may_hear_past(const struct replay *replay, const struct logged_event *logged,
                          uint32_t kind)
{
    switch (kind) {
    case SUBSCRIPTION_BOUND:
        return replay->past.topics_known && !user_set_has(&replay->deaf, logged->topic->name);
    case SUBSCRIPTION_INBOX:
        /* Of one that names its users nothing stands in the database. */
        if ((logged->flags & ENVELOPE_ADDRESSED) != 0)
            return true;
        return replay->past.inbox_known && user_set_has(&replay->inbox, logged->topic->name);
    default:
        return true;
    }
}

/* The event for one subscription, whose topic it matches. False without memory. */
static bool send_to_subscription(struct replay *replay, const struct logged_event *logged,
                                 const struct subscription *requested)
{
    const struct stream *stream = replay->stream;
    const struct event event = logged_event_get(logged);

    if ((event.whisper && event.whisper != stream->connid) ||
        !audience_may_hear(&event, requested->kind, stream_user(stream)) ||
        !may_hear_past(replay, logged, requested->kind))
        return true;
    replay->queue->events++;
    replay->queue->work += REPLAY_FRAME_WORK;
    return delivery_replay(replay->queue->delivery, replay->stream, requested, &event);
}

/* Never stops within one event: an answer to a poll has all of it. */
static bool slice_is_over(const struct replay *replay, uint64_t work_before)
{
    return replay->stream->connection.output.length >= replay->queue->window ||
           replay->queue->work - work_before >= REPLAY_SLICE_WORK;
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

static bool send_from_sources(struct replay *replay, struct replay_sources *sources)
{
    uint64_t work = replay->queue->work;

    while (sources->count > 0) {
        const struct replay_source *first = &sources->sources[0];
        uint64_t sequence = first->next;
        if (sequence != replay->after && slice_is_over(replay, work)) {
            keep_sources(replay, sources);
            return true;
        }
        replay->queue->work++;
        if (!send_to_subscription(replay, replay_sources_first(sources), first->requested))
            return false;
        replay->after = sequence;
        replay_sources_advance(sources);
    }
    replay->after = sources->until;
    drop_kept(replay);
    return true;
}

/* ---- event by event ---- */

static bool find_hits(struct replay *replay, const struct logged_event *logged)
{
    struct replay_hits *hits = &replay->queue->hits;
    bool found = replay->filter != NULL
                     ? replay_filter_match(replay->filter, logged, hits)
                     : replay_filter_compare(&replay->stream->subscriber, logged, hits);

    replay->queue->work += hits->work;
    return found;
}

/* As large as what the connection has in the index, at most; without room for it each of its topics
 * is compared. */
static void make_filter(struct replay *replay)
{
    struct replay_queue *queue = replay->queue;

    if (replay->filter != NULL || !may_keep(replay, 0))
        return;
    replay->filter = replay_filter_new(&replay->stream->subscriber, queue->seed, &queue->hits);
    if (replay->filter == NULL)
        return;
    count_kept(replay, replay_filter_bytes(replay->filter));
    queue->work += replay->kept_bytes / 64;
}

static bool send_walking(struct replay *replay)
{
    const struct stream *stream = replay->stream;
    struct replay_queue *queue = replay->queue;
    uint64_t work = queue->work;

    make_filter(replay);
    for (const struct logged_event *logged =
             event_log_first_after(log_of(replay->queue), replay->after);
         logged != NULL; logged = logged->newer) {
        if (slice_is_over(replay, work))
            return true;
        if (!find_hits(replay, logged))
            return false;
        for (size_t i = 0; i < queue->hits.count; i++)
            if (!send_to_subscription(replay, logged,
                                      &stream->subscriber.subscriptions[queue->hits.slots[i]]))
                return false;
        replay->after = logged->sequence;
    }
    replay->after = log_of(replay->queue)->sequence;
    drop_kept(replay);
    return true;
}

/* Queues events in order until the window is full. False without memory. */
static bool send_slice(struct replay *replay)
{
    if (replay->walks)
        return send_walking(replay);
    if (replay->kept.count > 0 && replay->after >= log_of(replay->queue)->forgotten)
        return send_from_sources(replay, &replay->kept);
    drop_kept(replay);
    switch (gather(replay)) {
    case REPLAY_GATHERED:
        return send_from_sources(replay, &replay->queue->scratch);
    case REPLAY_TOO_MUCH:
        replay->walks = true;
        return send_walking(replay);
    default:
        return false;
    }
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
    user_set_free(&replay->deaf);
    user_set_free(&replay->inbox);
    past_rights_free(&replay->past);
    free(replay);
}

static bool copy_topics(struct bytes *out, struct user_set *set, const struct bytes *topics)
{
    bytes_append(out, topics->data, topics->length);
    return !out->failed && user_set_fill(set, out->data, out->length);
}

static bool copy_past(struct replay *replay, const struct past_rights *past)
{
    if (past == NULL)
        return true;
    replay->past.topics_known = past->topics_known;
    replay->past.inbox_known = past->inbox_known;
    return copy_topics(&replay->past.deaf, &replay->deaf, &past->deaf) &&
           copy_topics(&replay->past.inbox, &replay->inbox, &past->inbox);
}

bool replay_begin(struct replay_queue *queue, struct stream *stream, uint64_t after,
                  bool may_have_gap, const struct past_rights *past)
{
    struct replay *replay = calloc(1, sizeof *replay);

    if (replay == NULL)
        return false;
    if (!copy_past(replay, past)) {
        free_replay(replay);
        return false;
    }
    replay->queue = queue;
    replay->stream = stream;
    replay->after = after;
    replay->may_have_gap = may_have_gap;
    stream->replay = replay;
    queue->catching_up++;
    link_last(replay);
    return true;
}

uint64_t replay_position(const struct replay_queue *queue, const struct stream *stream)
{
    return stream->replay != NULL ? stream->replay->after : log_of(queue)->sequence;
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
    stream->replay->walks = false;
}

bool replay_withhold(struct stream *stream, const struct bytes *topics)
{
    struct replay *replay = stream->replay;

    if (replay == NULL || topics->length == 0)
        return true;
    user_set_free(&replay->deaf);
    return copy_topics(&replay->past.deaf, &replay->deaf, topics);
}

/* One slice for the first in the queue. */
static void run_first(struct replay_queue *queue)
{
    struct replay *replay = queue->first;
    struct stream *stream = replay->stream;
    const struct event_log *log = log_of(queue);

    unlink_replay(replay);
    /* A client so slow that the log went past it has a gap that it must know of. */
    if (replay->after < log->forgotten && !replay->may_have_gap) {
        connection_close(&stream->connection, CLOSE_SLOW);
        return;
    }
    replay->may_have_gap = false;
    if (!send_slice(replay)) {
        connection_close(&stream->connection, CLOSE_MEMORY);
        return;
    }
    if (replay->after < log->sequence) {
        /* Else it goes on when its output is written. */
        if (stream->connection.output.length < queue->window)
            link_last(replay);
        else
            set_waiting(replay, true);
        return;
    }
    replay_abandon(stream);
    if (!queue->caught_up(stream))
        connection_close(&stream->connection, CLOSE_MEMORY);
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

void replay_run(struct replay_queue *queue)
{
    const struct delivery *delivery = queue->delivery;
    uint64_t begun = delivery->bytes_formatted, work = queue->work;

    set_window(queue);
    if (queue->first != NULL)
        connection_relieve_for_others(delivery->net, most_held(delivery->net));
    while (replay_can_go_on(queue) && delivery->bytes_formatted - begun < REPLAY_TURN_BYTES &&
           queue->work - work < REPLAY_TURN_WORK)
        run_first(queue);
    loop_watch_did(&delivery->net->loop.watch, LOOP_REPLAY, queue->work - work);
}

void replay_open(struct replay_queue *queue, struct delivery *delivery,
                 bool (*caught_up)(struct stream *stream), uint64_t seed)
{
    *queue = (struct replay_queue){
        .delivery = delivery, .caught_up = caught_up, .last = &queue->first, .seed = seed};
}

void replay_close(struct replay_queue *queue)
{
    replay_sources_free(&queue->scratch);
    replay_hits_free(&queue->hits);
    *queue = (struct replay_queue){0};
}
