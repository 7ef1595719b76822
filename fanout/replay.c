#include "replay.h"

#include "connection.h"
#include "server.h"
#include "subscribe.h"

#include <stdlib.h>

enum {
    REPLAY_WINDOW = 64 * 1024, /* bytes queued for one connection before others have their turn */
    REPLAY_TURN_BYTES = 1024 * 1024, /* bytes formatted for all before live events have theirs */
    /* The same in things looked at: what is found need not be for who looks. */
    REPLAY_SLICE_WORK = 4096,
    REPLAY_TURN_WORK = 4 * REPLAY_SLICE_WORK
};

/* One logged topic that matches one requested topic. */
struct replay_source {
    const struct logged_topic *topic;
    const struct subscription *requested;
    uint32_t position; /* of its next event */
};

struct replay {
    struct connection *connection;
    uint64_t after; /* everything up to this sequence is queued */
    bool may_have_gap;
    struct replay *next,
        **link; /* in server->replays while it has room; link NULL while it waits for the socket */
};

static uint64_t next_sequence(const struct replay_source *source)
{
    return logged_topic_at(source->topic, source->position)->sequence;
}

static void sift_down(struct replay_queue *queue, size_t at)
{
    for (;;) {
        size_t least = at, left = 2 * at + 1, right = left + 1;
        struct replay_source kept = queue->sources[at];

        if (left < queue->source_count &&
            next_sequence(&queue->sources[left]) < next_sequence(&queue->sources[least]))
            least = left;
        if (right < queue->source_count &&
            next_sequence(&queue->sources[right]) < next_sequence(&queue->sources[least]))
            least = right;
        if (least == at)
            return;
        queue->sources[at] = queue->sources[least];
        queue->sources[least] = kept;
        at = least;
    }
}

static bool add_source(struct replay_queue *queue, const struct replay_source *source)
{
    if (queue->source_count == queue->source_capacity) {
        size_t capacity = queue->source_capacity ? queue->source_capacity * 2 : 16;
        struct replay_source *larger = realloc(queue->sources, capacity * sizeof *larger);
        if (!larger)
            return false;
        queue->sources = larger;
        queue->source_capacity = capacity;
    }
    queue->sources[queue->source_count++] = *source;
    return true;
}

static const struct topic_matches *find_logged(struct server *server,
                                               const struct subscription *requested)
{
    struct bytes *name = &server->delivery.name;

    if (requested->kind == SUBSCRIPTION_INBOX)
        return event_log_match_targeted(&server->events);
    bytes_clear(name);
    topic_node_write_name(requested->node, name);
    return name->failed ? NULL : event_log_match(&server->events, name->data, name->length);
}

static bool add_sources(struct server *server, const struct subscription *requested, uint64_t after)
{
    const struct topic_matches *matches = find_logged(server, requested);

    for (size_t i = 0; matches && i < matches->count; i++) {
        struct replay_source source = {.topic = event_log_topic_of(matches->nodes[i]),
                                       .requested = requested};
        source.position = logged_topic_after(source.topic, after);
        if (source.position < source.topic->count && !add_source(&server->replays, &source))
            return false;
    }
    return matches != NULL;
}

static bool gather_sources(struct server *server, const struct connection *connection,
                           uint64_t after)
{
    struct replay_queue *queue = &server->replays;

    queue->source_count = 0;
    for (uint32_t i = 0; i < connection->subscriber.count; i++)
        if (!add_sources(server, &connection->subscriber.subscriptions[i], after))
            return false;
    for (size_t i = queue->source_count / 2; i-- > 0;)
        sift_down(queue, i);
    return true;
}

static void advance_first(struct replay_queue *queue)
{
    struct replay_source *first = &queue->sources[0];

    if (++first->position == first->topic->count)
        *first = queue->sources[--queue->source_count];
    if (queue->source_count > 0)
        sift_down(queue, 0);
}

static bool send_event(struct server *server, struct connection *connection,
                       const struct replay_source *source)
{
    const struct logged_event *logged = logged_topic_at(source->topic, source->position);
    struct delivery_event event = {.topic = source->topic->name,
                                   .topic_length = source->topic->length,
                                   .json = logged->json,
                                   .json_length = logged->json_length,
                                   .sequence = logged->sequence};

    if ((logged->whisper && logged->whisper != connection->connid) ||
        !audience_may_hear(logged->flags, logged_event_allowed(logged), logged->allowed_length,
                           source->requested->kind, connection->user))
        return true;
    server->replays.events++;
    return delivery_replay(server, connection, source->requested, &event);
}

/* Queues events in order until the window is full, never stopping within one event. False without
 * memory. */
static bool send_slice(struct server *server, struct replay *replay)
{
    struct replay_queue *queue = &server->replays;
    struct connection *connection = replay->connection;

    if (!gather_sources(server, connection, replay->after))
        return false;
    queue->work += queue->source_count;
    for (unsigned looked_at = 0; queue->source_count > 0; looked_at++) {
        uint64_t sequence = next_sequence(&queue->sources[0]);
        if (sequence != replay->after &&
            (connection->output.length >= REPLAY_WINDOW || looked_at >= REPLAY_SLICE_WORK))
            return true;
        queue->work++;
        if (!send_event(server, connection, &queue->sources[0]))
            return false;
        replay->after = sequence;
        advance_first(queue);
    }
    replay->after = server->events.sequence;
    return true;
}

static void unlink_replay(struct replay *replay)
{
    if (!replay->link)
        return;
    *replay->link = replay->next;
    if (replay->next)
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

    if (!replay)
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
    return connection->replay ? connection->replay->after : connection->server->events.sequence;
}

void replay_abandon(struct connection *connection)
{
    if (!connection->replay)
        return;
    unlink_replay(connection->replay);
    free(connection->replay);
    connection->replay = NULL;
    connection->server->replays.catching_up--;
}

void replay_continue(struct connection *connection)
{
    if (connection->replay && !connection->replay->link)
        link_last(connection->replay);
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

bool replay_run(struct server *server)
{
    const struct delivery *delivery = &server->delivery;
    uint64_t begun = delivery->bytes_formatted, work = server->replays.work;

    while (server->replays.first) {
        /* Those who catch up wait rather than push slow ones out: go on when something was written.
         */
        if (delivery->pool.bytes_held > server->config.max_pending_total / 2)
            return false;
        if (delivery->bytes_formatted - begun >= REPLAY_TURN_BYTES ||
            server->replays.work - work >= REPLAY_TURN_WORK)
            return true;
        run_first(server);
    }
    return false;
}

void replay_open(struct replay_queue *queue)
{
    *queue = (struct replay_queue){.last = &queue->first};
}

void replay_close(struct replay_queue *queue)
{
    free(queue->sources);
    *queue = (struct replay_queue){0};
}
