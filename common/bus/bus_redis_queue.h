/* What the threads that talk with Redis have for the daemon's loop: bounded in bytes, in order, with a descriptor that
 * can be read while something is there. */
#ifndef ESN_BUS_REDIS_QUEUE_H
#define ESN_BUS_REDIS_QUEUE_H

#include "bus/bus.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

/* A message or news. Its bytes are a message of handlers, or the text of a note. */
struct redis_item {
    STAILQ_ENTRY(redis_item) next;
    struct bus_news news;
    uint64_t number, wall_ms;
    bool past, value;
    size_t length;
    char data[];
};

struct redis_queue {
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t room;
    STAILQ_HEAD(, redis_item) items;
    size_t bytes, max_bytes;
    bool is_closed;
    int descriptor;
};

/* False with a reason in errno. */
bool redis_queue_open(struct redis_queue *queue, size_t max_bytes);
/* Nobody may be using it. */
void redis_queue_free(struct redis_queue *queue);
/* From here on nobody waits for room, and nothing is put in. From any thread. */
void redis_queue_close(struct redis_queue *queue);

/* Zeroed, with a copy of the bytes; NULL without memory. */
struct redis_item *redis_item_new(const void *data, size_t length);
/* Each of these takes the item over. Waits for room; false when the queue was closed meanwhile. */
bool redis_queue_put(struct redis_queue *queue, struct redis_item *item);
/* Waits for nothing; false when there is no room. */
bool redis_queue_offer(struct redis_queue *queue, struct redis_item *item);
/* Whether there is room or not: of what is rare and must not be lost. */
void redis_queue_push(struct redis_queue *queue, struct redis_item *item);
/* The oldest, to be freed by the caller; NULL: there is none. */
struct redis_item *redis_queue_take(struct redis_queue *queue);

#endif
