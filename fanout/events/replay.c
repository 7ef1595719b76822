#include "events/replay.h"

#include "config/config.h"
#include "events/delivery.h"
#include "events/past_audience.h"
#include "events/replay_send.h"
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
    /* The same in things done: what is found need not be for who looks, and small frames cost more
     * than their bytes. */
    REPLAY_TURN_WORK = 4 * REPLAY_SLICE_WORK,
    REPLAY_TURN_SLICES = 64 /* each is written by a call of its own */
};

static struct event_log *log_of(const struct replay_queue *queue)
{
    return queue->delivery->log;
}

uint64_t replay_bytes(const struct replay_queue *queue)
{
    return replay_kept_bytes(queue) + queue->catching_up * heap_taken(sizeof(struct replay)) +
           replay_cohorts_bytes(&queue->cohorts) +
           queue->scratch.capacity * sizeof *queue->scratch.sources +
           queue->hits.capacity * sizeof *queue->hits.slots +
           topic_matches_bytes(&queue->hits.matches) + queue->hits.name.capacity;
}

static void unlink_replay(struct replay *replay)
{
    if (replay->link == NULL)
        return;
    *replay->link = replay->next;
    if (replay->next != NULL)
        replay->next->link = replay->link;
    else if (!replay->is_ahead)
        replay->queue->last = replay->link;
    replay->is_ahead = false;
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

static void link_ahead(struct replay *replay)
{
    struct replay_queue *queue = replay->queue;

    replay->is_ahead = true;
    replay->next = queue->ahead;
    replay->link = &queue->ahead;
    if (replay->next != NULL)
        replay->next->link = &replay->next;
    queue->ahead = replay;
}

void replay_log_grew(struct replay_queue *queue)
{
    for (struct replay *replay = queue->ahead, *next; replay != NULL; replay = next) {
        next = replay->next;
        if (replay->after > log_of(queue)->sequence)
            continue;
        unlink_replay(replay);
        link_last(replay);
    }
}

static void free_replay(struct replay *replay)
{
    past_audience_free(&replay->past);
    free(replay);
}

bool replay_begin(struct replay_queue *queue, struct stream *stream,
                  const struct replay_start *start, const struct past_rights *past,
                  const struct presence_due *due)
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
    replay->after = start->position.sequence;
    replay->in_values = log_position_lacks_values(start->position);
    replay->values_after = start->position.values_after;
    replay->first_slot = start->first_slot;
    replay->may_have_gap = start->may_have_gap;
    replay->is_resume = stream->asked_past;
    replay->asked_at = log_of(queue)->sequence;
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

struct log_position replay_position(const struct replay_queue *queue, const struct stream *stream)
{
    const struct stream_identity *identity = stream->identity;
    const struct replay *replay = stream->replay;
    uint64_t sequence = replay != NULL ? replay->after : log_of(queue)->sequence;

    if (stream->is_behind)
        return queue->delivery->streams->behind_at;

    /* Presence has the id of the event before it. */
    if (identity != NULL && identity->withheld != 0 && identity->withheld <= sequence)
        sequence = identity->withheld - 1;
    return (struct log_position){
        .sequence = sequence,
        .values_after = replay != NULL && replay->in_values ? replay->values_after : sequence};
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

void replay_count_resume(struct replay_queue *queue, uint64_t events)
{
    histogram_add(&queue->lengths, &histogram_counts, events, 1);
}

void replay_abandon(struct stream *stream)
{
    struct replay *replay = stream->replay;

    if (replay == NULL)
        return;
    if (replay->is_resume)
        replay_count_resume(replay->queue, replay->events);
    unlink_replay(replay);
    set_waiting(replay, false);
    replay_drop_kept(replay);
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
    replay_drop_kept(stream->replay);
    replay_cohorts_leave(&stream->replay->queue->cohorts, &stream->replay->member);
    stream->replay->walks = false;
    stream->replay->first_slot = 0; /* which topic stands where may be another */
}

/* Of topics that come one after the other values may come twice: they are what they are. */
void replay_add_values(struct stream *stream, uint32_t first_slot)
{
    struct replay *replay = stream->replay;
    const struct subscriber *subscriber = &stream->subscriber;

    if (replay == NULL)
        return;
    if (log_of(replay->queue)->values.count > 0) {
        if (!replay->in_values || first_slot < replay->first_slot)
            replay->first_slot = first_slot;
        replay->in_values = true;
        replay->values_after = 0;
    }
    for (uint32_t slot = first_slot; slot < subscriber->count; slot++)
        if (past_audience_depends_on_user(subscriber->subscriptions[slot].kind))
            replay->asked_at = log_of(replay->queue)->sequence;
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
    if (stream->is_behind) { /* there is a gap before it comes to the head */
        connection_close(&stream->connection, CLOSE_SLOW);
        return;
    }
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
    if ((replay->in_values || replay->after < log->sequence) && !replay_send_slice(replay)) {
        connection_close(&stream->connection, CLOSE_MEMORY);
        return;
    }
    if (replay->in_values || replay->after < log->sequence)
        go_on(replay);
    else if (replay->after > log->sequence)
        link_ahead(replay);
    else if (tell_due(replay))
        replay_abandon(stream);
}

/* Each address has its share, however many clients of it catch up: one that has had it comes
 * again behind the others. False when there is no time for another one. */
static bool run_or_put_off(struct replay_queue *queue)
{
    struct loop_watch *watch = &queue->delivery->net->loop.watch;
    struct replay *first = queue->first;
    struct turn_share *share = connection_share(&first->stream->connection);

    if (!loop_watch_admits(watch, share)) {
        unlink_replay(first);
        link_last(first);
        return loop_watch_has_time(watch);
    }
    run_first(queue);
    loop_watch_charge(watch, share);
    loop_watch_end_work(watch);
    return loop_watch_has_time(watch);
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

    loop_watch_begin_slice(&delivery->net->loop.watch);
    set_window(queue);
    trim_shared(queue);
    if (queue->first != NULL)
        connection_relieve_for_others(delivery->net, most_held(delivery->net));
    while (replay_can_go_on(queue) &&
           delivery->bytes_formatted + queue->shared_bytes - begun < REPLAY_TURN_BYTES &&
           queue->work - work < REPLAY_TURN_WORK && slices++ < REPLAY_TURN_SLICES &&
           run_or_put_off(queue))
        ;
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
