#include "bus/bus_redis_node.h"

#include "bus/bus_redis_message.h"
#include "secret.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* docs/bus.md gives the reasons for these numbers. */
enum { QUEUE_BYTES = 8 << 20, OUTGOING_BYTES = 16 << 20 };

static bool open_parts(struct redis_node *node, const char *url)
{
    node->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    node->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    node->url = strdup(url != NULL ? url : "");
    return node->stop >= 0 && node->wake >= 0 && node->url != NULL &&
           pthread_mutex_init(&node->lock, NULL) == 0 &&
           pthread_cond_init(&node->changed, NULL) == 0;
}

bool redis_node_open(struct redis_node *node, const struct bus_options *options,
                     char error[BUS_ERROR_SIZE])
{
    *node = (struct redis_node){.options = options->redis,
                                .take_up = options->take_up,
                                .max_message_bytes = options->max_message_bytes,
                                .boot = options->take_up.boot,
                                .last_note = options->take_up.notes,
                                .stop = -1,
                                .wake = -1};
    STAILQ_INIT(&node->outgoing);
    while (node->boot == 0 && secret_random(&node->boot, sizeof node->boot))
        ;
    if (redis_queue_open(&node->queue, QUEUE_BYTES) && open_parts(node, options->redis.url) &&
        node->boot != 0)
        return true;
    (void)snprintf(error, BUS_ERROR_SIZE, "cannot prepare the bus: %s", strerror(errno));
    redis_node_free(node);
    return false;
}

static void free_outgoing(struct redis_outgoings *list)
{
    while (!STAILQ_EMPTY(list)) {
        struct redis_outgoing *one = STAILQ_FIRST(list);
        STAILQ_REMOVE_HEAD(list, next);
        bytes_free(&one->text);
        free(one);
    }
}

void redis_node_free(struct redis_node *node)
{
    redis_queue_free(&node->queue);
    free_outgoing(&node->outgoing);
    free(node->url);
    free(node->nodes);
    if (node->stop >= 0)
        (void)close(node->stop);
    if (node->wake >= 0)
        (void)close(node->wake);
    (void)pthread_cond_destroy(&node->changed);
    (void)pthread_mutex_destroy(&node->lock);
}

void redis_node_stop(struct redis_node *node, bool leaves)
{
    (void)pthread_mutex_lock(&node->lock);
    node->is_stopping = true;
    node->leaves = leaves;
    (void)pthread_cond_broadcast(&node->changed);
    (void)pthread_mutex_unlock(&node->lock);
    (void)eventfd_write(node->stop, 1);
    (void)eventfd_write(node->wake, 1);
    redis_queue_close(&node->queue);
}

bool redis_node_is_stopping(struct redis_node *node)
{
    (void)pthread_mutex_lock(&node->lock);
    bool stopping = node->is_stopping;
    (void)pthread_mutex_unlock(&node->lock);
    return stopping;
}

void redis_node_pause(struct redis_node *node, uint64_t ms)
{
    struct pollfd stop = {.fd = node->stop, .events = POLLIN};
    (void)poll(&stop, 1, (int)ms);
}

void redis_node_note_trouble(struct redis_node *node, const char *words)
{
    (void)pthread_mutex_lock(&node->lock);
    (void)snprintf(node->trouble, sizeof node->trouble, "%s", words);
    (void)pthread_mutex_unlock(&node->lock);
}

void redis_node_tell(struct redis_node *node, struct bus_news news)
{
    struct redis_item *item;
    while ((item = redis_item_new(NULL, 0)) == NULL && !redis_node_is_stopping(node))
        redis_node_pause(node, 1000);
    if (item == NULL)
        return;
    item->news = news;
    redis_queue_push(&node->queue, item);
}

void redis_node_send(struct redis_node *node, uint64_t publisher, struct bytes *text)
{
    struct redis_outgoing *one = text->failed ? NULL : calloc(1, sizeof *one);
    (void)pthread_mutex_lock(&node->lock);
    bool was_empty = STAILQ_EMPTY(&node->outgoing);
    bool taken = one != NULL && node->outgoing_bytes + text->length <= OUTGOING_BYTES;
    if (taken) {
        *one = (struct redis_outgoing){
            .publisher = publisher, .text = *text, .number = node->last_note};
        *text = BYTES_EMPTY;
        STAILQ_INSERT_TAIL(&node->outgoing, one, next);
        node->outgoing_bytes += one->text.length;
    }
    (void)pthread_mutex_unlock(&node->lock);
    if (!taken)
        free(one);
    else if (was_empty)
        (void)eventfd_write(node->wake, 1);
    bytes_free(text);
}
