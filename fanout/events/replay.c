#include "events/replay.h"

#include "net/connection.h"
#include "server.h"
#include "streams/subscribe.h"

#include <stdlib.h>

enum {
    REPLAY_WINDOW = 64 * 1024, /* bytes queued for one connection before others have their turn */
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
    struct connection *connection;
    uint64_t after; /* everything up to this sequence is queued */
    bool may_have_gap;
    bool walks;                 /* through the log, not topic by topic */
    struct replay_sources kept; /* topic by topic, for the next slice */
    struct replay_filter *filter;
    uint64_t kept_bytes; /* of those two, counted in the queue */
    struct replay *next,
        **link; /* in server->replays while it has room; link NULL while it waits for the socket */
};

static struct replay_queue *queue_of(const struct replay *replay)
{
    return &replay->connection->server->replays;
}

static struct event_log *log_of(const struct replay *replay)
{
    return &replay->connection->server->events;
}

static bool may_keep(const struct replay *replay, uint64_t bytes)
{
    return queue_of(replay)->kept_bytes + bytes <= REPLAY_KEEP_MOST;
}

static void count_kept(struct replay *replay, uint64_t bytes)
{
    replay->kept_bytes += bytes;
    queue_of(replay)->kept_bytes += bytes;
}

static void drop_kept(struct replay *replay)
{
    queue_of(replay)->kept_bytes -= replay->kept_bytes;
    replay->kept_bytes = 0;
    replay_sources_free(&replay->kept);
    replay_filter_free(&replay->filter);
}

/* The event for one subscription, whose topic it matches. False without memory. */
static bool send_to_subscription(struct replay *replay, const struct logged_event *logged,
                                 const struct subscription *requested)
{
    struct connection *connection = replay->connection;
    struct delivery_event event = {.topic = logged->topic->name,
                                   .topic_length = logged->topic->length,
                                   .json = logged->json,
                                   .json_length = logged->json_length,
                                   .sequence = logged->sequence};

    if ((logged->whisper && logged->whisper != connection->connid) ||
        !audience_may_hear(logged->flags, logged_event_allowed(logged), logged->allowed_length,
                           requested->kind, connection->user))
        return true;
    queue_of(replay)->events++;
    queue_of(replay)->work += REPLAY_FRAME_WORK;
    return delivery_replay(connection->server, connection, requested, &event);
}

/* Never stops within one event: an answer to a poll has all of it. */
static bool slice_is_over(const struct replay *replay, uint64_t work_before)
{
    return replay->connection->output.length >= REPLAY_WINDOW ||
           queue_of(replay)->work - work_before >= REPLAY_SLICE_WORK;
}

/* ---- topic by topic ---- */

/* Finding the topics is given up where walking would have cost as much. */
static enum replay_gathering gather(struct replay *replay)
{
    struct replay_queue *queue = queue_of(replay);
    const struct subscriber *subscriber = &replay->connection->subscriber;
    uint64_t walking = 4 * event_log_count_after(log_of(replay), replay->after) +
                       8 * (uint64_t)subscriber->count + 64;
    size_t most = walking < REPLAY_GATHER_MOST ? (size_t)walking : REPLAY_GATHER_MOST, work;
    enum replay_gathering result = replay_sources_gather(
        &queue->scratch, log_of(replay), subscriber, replay->after, most, &queue->hits.name, &work);

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
    uint64_t work = queue_of(replay)->work;

    while (sources->count > 0) {
        const struct replay_source *first = &sources->sources[0];
        uint64_t sequence = first->next;
        if (sequence != replay->after && slice_is_over(replay, work)) {
            keep_sources(replay, sources);
            return true;
        }
        queue_of(replay)->work++;
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
    struct replay_hits *hits = &queue_of(replay)->hits;
    bool found = replay->filter != NULL
                     ? replay_filter_match(replay->filter, logged, hits)
                     : replay_filter_compare(&replay->connection->subscriber, logged, hits);

    queue_of(replay)->work += hits->work;
    return found;
}

/* As large as what the connection has in the index, at most; without room for it each of its topics
 * is compared. */
static void make_filter(struct replay *replay)
{
    struct replay_queue *queue = queue_of(replay);

    if (replay->filter != NULL || !may_keep(replay, 0))
        return;
    replay->filter = replay_filter_new(&replay->connection->subscriber, queue->seed, &queue->hits);
    if (replay->filter == NULL)
        return;
    count_kept(replay, replay_filter_bytes(replay->filter));
    queue->work += replay->kept_bytes / 64;
}

static bool send_walking(struct replay *replay)
{
    const struct connection *connection = replay->connection;
    struct replay_queue *queue = queue_of(replay);
    uint64_t work = queue->work;

    make_filter(replay);
    for (const struct logged_event *logged = event_log_first_after(log_of(replay), replay->after);
         logged != NULL; logged = logged->newer) {
        if (slice_is_over(replay, work))
            return true;
        if (!find_hits(replay, logged))
            return false;
        for (size_t i = 0; i < queue->hits.count; i++)
            if (!send_to_subscription(replay, logged,
                                      &connection->subscriber.subscriptions[queue->hits.slots[i]]))
                return false;
        replay->after = logged->sequence;
    }
    replay->after = log_of(replay)->sequence;
    drop_kept(replay);
    return true;
}

/* Queues events in order until the window is full. False without memory. */
static bool send_slice(struct replay *replay)
{
    if (replay->walks)
        return send_walking(replay);
    if (replay->kept.count > 0 && replay->after >= log_of(replay)->forgotten)
        return send_from_sources(replay, &replay->kept);
    drop_kept(replay);
    switch (gather(replay)) {
    case REPLAY_GATHERED:
        return send_from_sources(replay, &queue_of(replay)->scratch);
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
        replay->connection->server->replays.last = replay->link;
    replay->link = NULL;
    replay->next = NULL;
}

static void link_last(struct replay *replay)
{
    struct replay_queue *queue = &replay->connection->server->replays;

    replay->next = NULL;
    replay->link = queue->last;
    *queue->last = replay;
    queue->last = &replay->next;
}

bool replay_begin(struct connection *connection, uint64_t after, bool may_have_gap)
{
    struct replay *replay = calloc(1, sizeof *replay);

    if (replay == NULL)
        return false;
    replay->connection = connection;
    replay->after = after;
    replay->may_have_gap = may_have_gap;
    connection->replay = replay;
    connection->server->replays.catching_up++;
    link_last(replay);
    return true;
}

uint64_t replay_position(const struct connection *connection)
{
    return connection->replay != NULL ? connection->replay->after
                                      : connection->server->events.sequence;
}

void replay_abandon(struct connection *connection)
{
    if (connection->replay == NULL)
        return;
    unlink_replay(connection->replay);
    drop_kept(connection->replay);
    free(connection->replay);
    connection->replay = NULL;
    connection->server->replays.catching_up--;
}

void replay_continue(struct connection *connection)
{
    if (connection->replay != NULL && connection->replay->link == NULL)
        link_last(connection->replay);
}

void replay_topics_changed(struct connection *connection)
{
    if (connection->replay == NULL)
        return;
    drop_kept(connection->replay);
    connection->replay->walks = false;
}

/* One slice for the first in the queue. */
static void run_first(struct server *server)
{
    struct replay *replay = server->replays.first;
    struct connection *connection = replay->connection;

    unlink_replay(replay);
    /* A client so slow that the log went past it has a gap that it must know of. */
    if (replay->after < server->events.forgotten && !replay->may_have_gap) {
        connection_close(connection, CLOSE_SLOW);
        return;
    }
    replay->may_have_gap = false;
    if (!send_slice(replay)) {
        connection_close(connection, CLOSE_MEMORY);
        return;
    }
    if (replay->after < server->events.sequence) {
        /* Else it goes on when its output is written. */
        if (connection->output.length < REPLAY_WINDOW)
            link_last(replay);
        return;
    }
    replay_abandon(connection);
    if (!subscribe_send_available(connection))
        connection_close(connection, CLOSE_MEMORY);
}

bool replay_can_go_on(const struct server *server)
{
    /* Those who catch up wait rather than push slow ones out: go on when something was written. */
    return server->replays.first != NULL &&
           server->delivery.pool.bytes_held <= server->config.max_pending_total / 2;
}

void replay_run(struct server *server)
{
    const struct delivery *delivery = &server->delivery;
    uint64_t begun = delivery->bytes_formatted, work = server->replays.work;

    while (replay_can_go_on(server) && delivery->bytes_formatted - begun < REPLAY_TURN_BYTES &&
           server->replays.work - work < REPLAY_TURN_WORK)
        run_first(server);
}

void replay_open(struct replay_queue *queue, uint64_t seed)
{
    *queue = (struct replay_queue){.last = &queue->first, .seed = seed};
}

void replay_close(struct replay_queue *queue)
{
    replay_sources_free(&queue->scratch);
    replay_hits_free(&queue->hits);
    *queue = (struct replay_queue){0};
}
