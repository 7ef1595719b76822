/* What is to be written: bytes are queued for a connection, which is marked then and written with
 * many others before the loop sleeps, in slices of a turn where there are many. */
#include "net/connection.h"

#include "net/send_batch.h"

#include <stdlib.h>
#include <string.h>

bool connection_reserve_marks(struct net *net, uint64_t connections)
{
    struct write_queue *queue = &net->writes;

    if (connections <= queue->capacity)
        return true;
    size_t capacity = queue->capacity ? queue->capacity : 64;
    while (capacity < connections)
        capacity *= 2;
    struct connection **larger = realloc(queue->marked, capacity * sizeof(struct connection *));
    if (larger == NULL)
        return false;
    queue->marked = larger;
    queue->capacity = capacity;
    return true;
}

void connection_mark(struct connection *connection)
{
    struct write_queue *queue = &connection->net->writes;

    if (connection->marked)
        return;
    if (queue->end == queue->capacity) {
        /* There is room in front: each connection stands in the queue at most once. */
        size_t count = queue->end - queue->start;
        memmove(queue->marked, queue->marked + queue->start, count * sizeof(struct connection *));
        queue->start = 0;
        queue->end = count;
    }
    connection->marked = true;
    queue->marked[queue->end++] = connection;
}

/* The oldest marked one leaves the queue. */
static struct connection *take_oldest(struct write_queue *queue)
{
    struct connection *oldest = queue->marked[queue->start++];

    queue->taken++;
    if (queue->start < queue->end)
        __builtin_prefetch(queue->marked[queue->start]);
    else
        queue->start = queue->end = 0;
    return oldest;
}

/* Takes the oldest marked ones off the queue. Closes what is doomed, which may mark others: those
 * that are taken stay marked until the end, so that none is taken twice. Returns how many there
 * are. */
static size_t take_marked(struct write_queue *queue, struct connection *taken[SEND_BATCH_MOST])
{
    size_t count = 0;

    while (queue->start < queue->end && count < SEND_BATCH_MOST) {
        struct connection *connection = take_oldest(queue);
        bool is_closed = connection->state == CONNECTION_CLOSED;
        if (!is_closed && !connection->doomed) {
            taken[count++] = connection;
            continue;
        }
        if (!is_closed)
            connection_close(connection, CLOSE_MEMORY);
        connection_unmark(connection);
    }
    for (size_t i = 0; i < count; i++)
        taken[i]->marked = false;
    return count;
}

size_t connection_marks(const struct net *net)
{
    return net->writes.end - net->writes.start;
}

bool connection_flush_some(struct net *net)
{
    struct write_queue *queue = &net->writes;
    struct connection *taken[SEND_BATCH_MOST];
    size_t count = take_marked(queue, taken);

    connection_write_all(net, taken, count);
    written_watch_advance(&net->written, queue->taken);
    if (queue->start == queue->end)
        connection_relieve_memory(net); /* may mark others */
    return queue->start < queue->end;
}

bool connection_flush(struct net *net)
{
    loop_watch_begin_writing(&net->loop.watch);
    while (connection_flush_some(net)) {
        if (loop_watch_may_write(&net->loop.watch))
            continue;
        connection_relieve_memory(net);
        return true;
    }
    return false;
}

void connection_drop_marks(struct net *net)
{
    struct write_queue *queue = &net->writes;

    while (queue->start < queue->end)
        connection_unmark(take_oldest(queue));
}

bool connection_queue(struct connection *connection, const struct frame *frame)
{
    if (!output_append(&connection->output, frame))
        return false;
    connection->written_at = loop_now(&connection->net->loop);
    connection_mark(connection);
    return true;
}

bool connection_queue_all(struct connection *connection, const struct output *output)
{
    if (!output_append_all(&connection->output, output))
        return false;
    if (output->length > 0) {
        connection->written_at = loop_now(&connection->net->loop);
        connection_mark(connection);
    }
    return true;
}

bool connection_queue_bytes(struct connection *connection, const char *bytes, size_t length)
{
    struct frame frame;

    return frame_store(&connection->net->frames, FRAME_PRIVATE, bytes, length, "", 0, "", 0,
                       &frame) &&
           connection_queue(connection, &frame);
}

uint64_t connection_marks_bytes(const struct net *net)
{
    return net->writes.capacity * sizeof(struct connection *);
}
