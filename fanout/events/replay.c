#include "events/replay.h"

#include "net/connection.h"
#include "server.h"
#include "streams/subscribe.h"

#include <stdlib.h>

enum {
    REPLAY_WINDOW = 64 * 1024, /* bytes queued for one connection before others have their turn */
    REPLAY_TURN_BYTES = 1024 * 1024, /* bytes formatted for all before live events have theirs */
    /* The same in things looked at: what is found need not be for who looks. */
    REPLAY_SLICE_WORK = 4096,
    REPLAY_TURN_WORK = 4 * REPLAY_SLICE_WORK,
    /* Sources are kept from slice to slice when it costs something to gather them again, as long
     * as all connections together keep no more than the latter. */
    REPLAY_KEEP_LEAST = 256,
    REPLAY_KEEP_MOST = 512 * 1024
};

struct replay {
    struct connection *connection;
    uint64_t after; /* everything up to this sequence is queued */
    bool may_have_gap;
    struct replay_sources kept;
    struct replay *next,
        **link; /* in server->replays while it has room; link NULL while it waits for the socket */
};

static void drop_kept(struct replay *replay)
{
    replay->connection->server->replays.kept -= replay->kept.capacity;
    replay_sources_free(&replay->kept);
}

static void keep(struct replay *replay, struct replay_sources *scratch)
{
    struct replay_queue *queue = &replay->connection->server->replays;

    if (scratch->count < REPLAY_KEEP_LEAST || queue->kept + scratch->capacity > REPLAY_KEEP_MOST)
        return;
    replay->kept = *scratch;
    queue->kept += scratch->capacity;
    *scratch = (struct replay_sources){0};
}

/* What was kept, or what is found now; NULL without memory. */
static struct replay_sources *find_sources(struct server *server, struct replay *replay)
{
    struct replay_queue *queue = &server->replays;

    if (replay->kept.count > 0 && replay->after >= server->events.forgotten)
        return &replay->kept;
    drop_kept(replay);
    if (!replay_sources_gather(&queue->scratch, server, replay->connection, replay->after))
        return NULL;
    queue->work += queue->scratch.count;
    return &queue->scratch;
}

static bool send_event(struct server *server, struct connection *connection,
                       const struct replay_sources *sources)
{
    const struct logged_event *logged = replay_sources_first(sources);
    const struct subscription *requested = sources->sources[0].requested;
    struct delivery_event event = {.topic = logged->topic->name,
                                   .topic_length = logged->topic->length,
                                   .json = logged->json,
                                   .json_length = logged->json_length,
                                   .sequence = logged->sequence};

    if ((logged->whisper && logged->whisper != connection->connid) ||
        !audience_may_hear(logged->flags, logged_event_allowed(logged), logged->allowed_length,
                           requested->kind, connection->user))
        return true;
    server->replays.events++;
    return delivery_replay(server, connection, requested, &event);
}

/* Queues events in order until the window is full, never stopping within one event. False without
 * memory. */
static bool send_slice(struct server *server, struct replay *replay)
{
    struct connection *connection = replay->connection;
    struct replay_sources *sources = find_sources(server, replay);

    if (sources == NULL)
        return false;
    for (unsigned looked_at = 0; sources->count > 0; looked_at++) {
        uint64_t sequence = sources->sources[0].next;
        if (sequence != replay->after &&
            (connection->output.length >= REPLAY_WINDOW || looked_at >= REPLAY_SLICE_WORK)) {
            if (sources != &replay->kept)
                keep(replay, sources);
            return true;
        }
        server->replays.work++;
        if (!send_event(server, connection, sources))
            return false;
        replay->after = sequence;
        replay_sources_advance(sources);
    }
    replay->after = sources->until;
    drop_kept(replay);
    return true;
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
    if (connection->replay != NULL)
        drop_kept(connection->replay);
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
    if (!send_slice(server, replay)) {
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

void replay_open(struct replay_queue *queue)
{
    *queue = (struct replay_queue){.last = &queue->first};
}

void replay_close(struct replay_queue *queue)
{
    replay_sources_free(&queue->scratch);
    *queue = (struct replay_queue){0};
}
