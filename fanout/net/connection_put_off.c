/* Connections that a turn of the loop had no time to read from wait for one of the next. Left to
 * libuv, a thousand ready sockets are asked for up to 48 times in a turn, which takes longer than to
 * read them: uv__io_poll() polls again while the kernel fills its array of 1,024. */
#include "net/connection.h"

#include <stdlib.h>

enum {
    FIRST_CAPACITY = 256,     /* a power of 2 */
    RESUMED_MOST = 128,       /* what a turn reads of small requests */
    LOOKED_AT_MOST = 4 * 1024 /* of those whose addresses have used their shares */
};

static struct connection **place(const struct put_off_queue *queue, size_t index)
{
    return &queue->waiting[(queue->start + index) & (queue->capacity - 1)];
}

static bool grow(struct put_off_queue *queue)
{
    size_t capacity = queue->capacity > 0 ? 2 * queue->capacity : FIRST_CAPACITY;
    struct connection **larger = malloc(capacity * sizeof(struct connection *));

    if (larger == NULL)
        return false;
    for (size_t i = 0; i < queue->count; i++)
        larger[i] = *place(queue, i);
    free(queue->waiting);
    *queue = (struct put_off_queue){larger, 0, queue->count, capacity};
    return true;
}

void connection_put_off(struct connection *connection)
{
    struct put_off_queue *queue = &connection->net->put_off;

    if (queue->count == queue->capacity && !grow(queue))
        return; /* libuv asks for it again by itself */
    *place(queue, queue->count++) = connection;
    connection->put_off = true;
    (void)uv_read_stop(&connection->io.stream);
}

void connection_take_from_put_off(struct connection *connection)
{
    struct put_off_queue *queue = &connection->net->put_off;
    size_t kept = 0;

    if (!connection->put_off)
        return;
    /* That is rare: it is not worth a number in each connection. */
    for (size_t i = 0; i < queue->count; i++) {
        struct connection *other = *place(queue, i);
        if (other != connection)
            *place(queue, kept++) = other;
    }
    queue->count = kept;
    connection->put_off = false;
}

static struct connection *take_oldest(struct put_off_queue *queue)
{
    struct connection *oldest = *place(queue, 0);

    queue->start = (queue->start + 1) & (queue->capacity - 1);
    queue->count--;
    return oldest;
}

bool connection_resume_put_off(struct net *net)
{
    struct put_off_queue *queue = &net->put_off;
    size_t looked_at = queue->count < LOOKED_AT_MOST ? queue->count : LOOKED_AT_MOST;

    for (size_t resumed = 0; looked_at > 0 && resumed < RESUMED_MOST; looked_at--) {
        struct connection *connection = take_oldest(queue);
        struct turn_share *share = connection_share(connection);
        if (share != NULL && !turn_shares_admit(&net->loop.watch.shares, share, true)) {
            *place(queue, queue->count++) = connection;
            continue;
        }
        connection->put_off = false;
        (void)connection_start_reading(connection);
        resumed++;
    }
    return queue->count > 0;
}
