#include "bus/bus_answers.h"
#include "bus/bus_engine.h"
#include "bus/bus_redis_keeper.h"
#include "bus/bus_redis_message.h"
#include "bus/bus_redis_reader.h"
#include "clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

struct redis_inbox {
    struct bus_inbox base; /* first */
    struct redis_node node;
    pthread_t keeper, reader;
    bool has_keeper, has_reader;
    uint64_t malformed;
    struct redis_item *item;       /* that the caller borrows */
    struct redis_node_list *nodes; /* likewise */
    struct bus_answers answers;
};

/* ---- opening and closing ---- */

static void stop_threads(struct redis_inbox *inbox, bool leaves)
{
    if (inbox->has_keeper || inbox->has_reader)
        redis_node_stop(&inbox->node, leaves);
    if (inbox->has_keeper)
        (void)pthread_join(inbox->keeper, NULL);
    if (inbox->has_reader)
        (void)pthread_join(inbox->reader, NULL);
    inbox->has_keeper = inbox->has_reader = false;
}

static void close_inbox(struct bus_inbox *base)
{
    struct redis_inbox *old = (struct redis_inbox *)base;
    stop_threads(old, false);
    redis_node_free(&old->node);
    bus_answers_free(&old->answers);
    free(old->item);
    free(old->nodes);
    free(old);
}

static void leave(struct bus_inbox *base)
{
    stop_threads((struct redis_inbox *)base, true);
}

/* Redis may be started at the same time, or be on its way to another host. */
static bool wait_until_ready(struct redis_inbox *inbox, char error[BUS_ERROR_SIZE])
{
    struct redis_node *node = &inbox->node;
    struct timespec until;
    int waited = 0;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (time_t)(node->options.start_ms / 1000);
    (void)pthread_mutex_lock(&node->lock);
    while (!node->is_ready && waited == 0)
        waited = pthread_cond_timedwait(&node->changed, &node->lock, &until);
    bool ready = node->is_ready;
    if (!ready)
        (void)snprintf(error, BUS_ERROR_SIZE, "Redis does not answer: %.200s",
                       node->trouble[0] != '\0' ? node->trouble : "nothing is known");
    (void)pthread_mutex_unlock(&node->lock);
    return ready;
}

static struct bus_inbox *open_inbox(const struct bus_options *options, uint64_t epoch,
                                    char error[BUS_ERROR_SIZE])
{
    (void)epoch; /* is Redis' to say */
    struct redis_inbox *inbox = calloc(1, sizeof *inbox);
    if (inbox == NULL || !redis_node_open(&inbox->node, options, error)) {
        if (inbox == NULL)
            (void)snprintf(error, BUS_ERROR_SIZE, "no memory for the bus");
        free(inbox);
        return NULL;
    }
    inbox->base.calls = &bus_redis_inbox;
    inbox->has_keeper = redis_keeper_start(&inbox->node, &inbox->keeper);
    inbox->has_reader = inbox->has_keeper && redis_reader_start(&inbox->node, &inbox->reader);
    if (!inbox->has_reader)
        (void)snprintf(error, BUS_ERROR_SIZE, "cannot start the bus: %s", strerror(errno));
    if (inbox->has_reader && wait_until_ready(inbox, error))
        return &inbox->base;
    close_inbox(&inbox->base);
    return NULL;
}

/* ---- taking ---- */

static int inbox_descriptor(const struct bus_inbox *base)
{
    return ((const struct redis_inbox *)base)->node.queue.descriptor;
}

static bool read_item(struct redis_inbox *inbox, struct bus_message *message)
{
    const struct redis_item *item = inbox->item;
    struct bus_part parts[BUS_EVENT_PARTS];
    message->news = item->news;
    message->number = item->number;
    message->wall_ms = item->wall_ms;
    message->past = item->past;
    message->value = item->value;
    message->news.text = item->data;
    message->news.length = item->length;
    if (item->news.kind != 0) {
        message->event = (struct event){0};
        return true;
    }
    if (redis_message_read(parts, item->data, item->length) && bus_message_read(message, parts))
        return true;
    inbox->malformed++;
    return false;
}

static void note_epoch(struct redis_inbox *inbox, uint64_t epoch)
{
    (void)pthread_mutex_lock(&inbox->node.lock);
    inbox->node.facts.epoch = epoch;
    (void)pthread_mutex_unlock(&inbox->node.lock);
}

static int take_next(struct bus_inbox *base, struct bus_message *message)
{
    struct redis_inbox *inbox = (struct redis_inbox *)base;
    do {
        free(inbox->item);
        inbox->item = redis_queue_take(&inbox->node.queue);
        if (inbox->item == NULL)
            return 0;
    } while (!read_item(inbox, message));
    if (message->news.kind == BUS_NEWS_EPOCH)
        note_epoch(inbox, message->news.epoch);
    return 1;
}

static uint64_t inbox_malformed(const struct bus_inbox *base)
{
    return ((const struct redis_inbox *)base)->malformed;
}

/* ---- saying ---- */

static void acknowledge(struct bus_inbox *base, uint64_t publisher, const struct ack *ack)
{
    bus_answers_add(&((struct redis_inbox *)base)->answers, publisher, 0, ack);
}

static void flush_answers(struct bus_inbox *base)
{
    struct redis_inbox *inbox = (struct redis_inbox *)base;
    for (size_t i = 0; i < inbox->answers.count; i++) {
        struct bus_answer *answer = &inbox->answers.list[i];
        redis_node_send(&inbox->node, answer->publisher, &answer->text);
        answer->text = BYTES_EMPTY;
    }
    inbox->answers.count = 0;
}

static void answer_question(struct bus_inbox *base, uint64_t publisher, const struct ack *ack,
                            const char *text, size_t length)
{
    struct bytes answer = BYTES_EMPTY;
    bus_answer_write(&answer, 0, ack, text, length);
    redis_node_send(&((struct redis_inbox *)base)->node, publisher, &answer);
}

static void say_note(struct bus_inbox *base, const char *text, size_t length)
{
    struct redis_node *node = &((struct redis_inbox *)base)->node;
    struct bytes note = BYTES_EMPTY;
    bytes_append(&note, text, length);
    (void)pthread_mutex_lock(&node->lock);
    node->last_note++;
    (void)pthread_mutex_unlock(&node->lock);
    redis_node_send(node, 0, &note);
}

/* ---- nodes ---- */

static struct bus_facts inbox_facts(const struct bus_inbox *base)
{
    struct redis_node *node = &((struct redis_inbox *)(uintptr_t)base)->node;
    (void)pthread_mutex_lock(&node->lock);
    struct bus_facts facts = node->facts;
    facts.notes = node->last_note;
    (void)pthread_mutex_unlock(&node->lock);
    return facts;
}

static void describe(struct bus_inbox *base, uint64_t streams, const char *url)
{
    struct redis_node *node = &((struct redis_inbox *)base)->node;
    (void)pthread_mutex_lock(&node->lock);
    node->streams = streams;
    char *copy = strcmp(node->url, url) != 0 ? strdup(url) : NULL;
    if (copy != NULL) {
        free(node->url);
        node->url = copy;
    }
    (void)pthread_mutex_unlock(&node->lock);
}

static size_t list_nodes(const struct bus_inbox *base, struct bus_node *nodes, size_t most)
{
    struct redis_inbox *inbox = (struct redis_inbox *)(uintptr_t)base;
    (void)pthread_mutex_lock(&inbox->node.lock);
    if (inbox->node.nodes != NULL) {
        free(inbox->nodes);
        inbox->nodes = inbox->node.nodes;
        inbox->node.nodes = NULL;
    }
    (void)pthread_mutex_unlock(&inbox->node.lock);
    size_t count = inbox->nodes != NULL ? inbox->nodes->count : 0;
    for (size_t i = 0; i < count && i < most; i++)
        nodes[i] = inbox->nodes->nodes[i];
    return count;
}

const struct bus_inbox_calls bus_redis_inbox = {.open = open_inbox,
                                                .close = close_inbox,
                                                .leave = leave,
                                                .descriptor = inbox_descriptor,
                                                .next = take_next,
                                                .acknowledge = acknowledge,
                                                .flush = flush_answers,
                                                .answer = answer_question,
                                                .malformed = inbox_malformed,
                                                .facts = inbox_facts,
                                                .note = say_note,
                                                .describe = describe,
                                                .nodes = list_nodes};
