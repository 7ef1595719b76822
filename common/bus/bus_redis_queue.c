#include "bus/bus_redis_queue.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

bool redis_queue_open(struct redis_queue *queue, size_t max_bytes)
{
    STAILQ_INIT(&queue->items);
    queue->max_bytes = max_bytes;
    queue->descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return queue->descriptor >= 0 && pthread_mutex_init(&queue->lock, NULL) == 0 &&
           pthread_cond_init(&queue->room, NULL) == 0;
}

void redis_queue_free(struct redis_queue *queue)
{
    while (!STAILQ_EMPTY(&queue->items)) {
        struct redis_item *item = STAILQ_FIRST(&queue->items);
        STAILQ_REMOVE_HEAD(&queue->items, next);
        free(item);
    }
    (void)pthread_cond_destroy(&queue->room);
    (void)pthread_mutex_destroy(&queue->lock);
    (void)close(queue->descriptor);
}

void redis_queue_close(struct redis_queue *queue)
{
    (void)pthread_mutex_lock(&queue->lock);
    queue->is_closed = true;
    (void)pthread_cond_broadcast(&queue->room);
    (void)pthread_mutex_unlock(&queue->lock);
}

struct redis_item *redis_item_new(const void *data, size_t length)
{
    struct redis_item *item = malloc(sizeof *item + length);
    if (item == NULL)
        return NULL;
    *item = (struct redis_item){.length = length};
    if (length > 0)
        memcpy(item->data, data, length);
    return item;
}

static size_t size_of(const struct redis_item *item)
{
    return sizeof *item + item->length;
}

/* With the lock held. An empty queue takes whatever it is. */
static bool has_room(const struct redis_queue *queue, const struct redis_item *item)
{
    return queue->bytes == 0 || queue->bytes + size_of(item) <= queue->max_bytes;
}

static void append(struct redis_queue *queue, struct redis_item *item)
{
    bool was_empty = STAILQ_EMPTY(&queue->items);
    STAILQ_INSERT_TAIL(&queue->items, item, next);
    queue->bytes += size_of(item);
    if (was_empty)
        (void)eventfd_write(queue->descriptor, 1);
}

/* False, and the item is freed: closed, or no room and nobody waits for it. */
static bool add(struct redis_queue *queue, struct redis_item *item, bool waits)
{
    (void)pthread_mutex_lock(&queue->lock);
    while (waits && !queue->is_closed && !has_room(queue, item))
        (void)pthread_cond_wait(&queue->room, &queue->lock);
    bool taken = !queue->is_closed && has_room(queue, item);
    if (taken)
        append(queue, item);
    (void)pthread_mutex_unlock(&queue->lock);
    if (!taken)
        free(item);
    return taken;
}

bool redis_queue_put(struct redis_queue *queue, struct redis_item *item)
{
    return add(queue, item, true);
}

bool redis_queue_offer(struct redis_queue *queue, struct redis_item *item)
{
    return add(queue, item, false);
}

void redis_queue_push(struct redis_queue *queue, struct redis_item *item)
{
    (void)pthread_mutex_lock(&queue->lock);
    append(queue, item);
    (void)pthread_mutex_unlock(&queue->lock);
}

struct redis_item *redis_queue_take(struct redis_queue *queue)
{
    eventfd_t count;
    (void)pthread_mutex_lock(&queue->lock);
    struct redis_item *item = STAILQ_FIRST(&queue->items);
    if (item != NULL) {
        STAILQ_REMOVE_HEAD(&queue->items, next);
        queue->bytes -= size_of(item);
        (void)pthread_cond_signal(&queue->room);
    } else {
        (void)eventfd_read(queue->descriptor, &count);
    }
    (void)pthread_mutex_unlock(&queue->lock);
    return item;
}
