#include "publish_queue.h"

#include "clock.h"
#include "handler_counters.h"
#include "messages.h"
#include "trouble.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* One thread's events; lives on its stack until they are done. */
struct job {
    struct job *next;
    struct bus_event *events;
    size_t count;
    bool is_told; /* by bus_tell() */
    bool done;
    pthread_cond_t wake;
};

struct publish_queue {
    struct bus_options options;
    const struct config *config;
    struct bus_publisher *bus; /* the leader's; NULL until opened */
    struct trouble trouble;    /* the leader's: the log says that events are not acknowledged */
    pthread_mutex_t lock;      /* guards what follows */
    struct job *first, **last;
    bool led; /* some thread is publishing */
};

struct publish_queue *publish_queue_new(const struct bus_options *options,
                                        const struct config *config)
{
    struct publish_queue *queue = calloc(1, sizeof *queue);
    if (queue == NULL)
        return NULL;
    queue->options = *options;
    queue->config = config;
    queue->last = &queue->first;
    if (pthread_mutex_init(&queue->lock, NULL) == 0)
        return queue;
    free(queue);
    return NULL;
}

void publish_queue_free(struct publish_queue **queue)
{
    if (*queue == NULL)
        return;
    bus_publisher_close(&(*queue)->bus);
    (void)pthread_mutex_destroy(&(*queue)->lock);
    free(*queue);
    *queue = NULL;
}

bool publish_queue_connect(struct publish_queue *queue)
{
    if (queue->bus != NULL)
        return true;
    char error[BUS_ERROR_SIZE];
    queue->bus = bus_publisher_open(&queue->options, error);
    if (queue->bus == NULL && trouble_note(&queue->trouble, true) == TROUBLE_BEGINS)
        message_error("cannot open the bus", message_text("reason", error));
    return queue->bus != NULL;
}

static const char *bus_endpoint(const struct config *config)
{
    return config->bus_engine == CONFIG_BUS_REDIS ? config->redis_url : config->bus_events[0];
}

/* One line when events begin to fail and one when they are taken again, not one for each. */
static void tell_change(struct publish_queue *queue, bool published)
{
    const struct config *config = queue->config;
    const char *endpoint = bus_endpoint(config);
    const char *reason = queue->bus != NULL ? bus_publisher_trouble(queue->bus) : "";
    enum trouble_change change = trouble_note(&queue->trouble, !published);
    if (change == TROUBLE_BEGINS)
        message_warning(config->bus_engine == CONFIG_BUS_REDIS
                            ? "Redis does not take events"
                            : "the fan-out daemon does not take events",
                        message_text("endpoint", endpoint),
                        message_number("time_limit_ms", (int64_t)config->publish_time),
                        *reason != '\0' ? message_text("reason", reason) : MESSAGE_END);
    if (change == TROUBLE_ENDS)
        message_warning(config->bus_engine == CONFIG_BUS_REDIS
                            ? "Redis takes events again"
                            : "the fan-out daemon takes events again",
                        message_text("endpoint", endpoint));
}

static void publish(struct publish_queue *queue, struct bus_event *events, size_t count)
{
    uint64_t begun_ns = clock_monotonic_ns();
    bool published = publish_queue_connect(queue) &&
                     bus_publish(queue->bus, events, count, (unsigned)queue->config->publish_time,
                                 (unsigned)queue->config->publish_down_time);
    handler_counters_note_events(events, count, clock_monotonic_ns() - begun_ns);
    tell_change(queue, published);
}

static void tell(struct publish_queue *queue, const struct job *job)
{
    if (publish_queue_connect(queue))
        bus_tell(queue->bus, job->events, job->count, (unsigned)queue->config->publish_time,
                 (unsigned)queue->config->publish_down_time);
}

/* The bus takes one array: the jobs' events are gathered in one and their answers handed back. */
static void publish_together(struct publish_queue *queue, struct job *batch, size_t count)
{
    struct bus_event *events = calloc(count, sizeof *events);
    size_t at = 0;
    if (events == NULL)
        return; /* nothing was acknowledged */
    for (const struct job *job = batch; job != NULL; job = job->next) {
        if (job->is_told)
            continue;
        memcpy(events + at, job->events, job->count * sizeof *events);
        at += job->count;
    }
    publish(queue, events, count);
    at = 0;
    for (struct job *job = batch; job != NULL; job = job->next) {
        if (job->is_told)
            continue;
        memcpy(job->events, events + at, job->count * sizeof *events);
        at += job->count;
    }
    free(events);
}

static void publish_batch(struct publish_queue *queue, struct job *batch)
{
    size_t count = 0;
    for (const struct job *job = batch; job != NULL; job = job->next)
        count += job->is_told ? 0 : job->count;
    if (batch->next == NULL && count > 0)
        publish(queue, batch->events, batch->count);
    else if (count > 0)
        publish_together(queue, batch, count);
    for (const struct job *job = batch; job != NULL; job = job->next)
        if (job->is_told)
            tell(queue, job);
}

static struct job *take_jobs(struct publish_queue *queue)
{
    struct job *batch = queue->first;
    queue->first = NULL;
    queue->last = &queue->first;
    return batch;
}

/* With the lock held, as on return. */
static void lead(struct publish_queue *queue)
{
    queue->led = true;
    struct job *batch = take_jobs(queue);
    (void)pthread_mutex_unlock(&queue->lock);
    publish_batch(queue, batch);
    (void)pthread_mutex_lock(&queue->lock);
    while (batch != NULL) {
        struct job *next = batch->next;
        batch->done = true;
        (void)pthread_cond_signal(&batch->wake);
        batch = next;
    }
    queue->led = false;
    if (queue->first != NULL) /* whoever waits longest leads next */
        (void)pthread_cond_signal(&queue->first->wake);
}

static void wait_for_turn(struct publish_queue *queue, struct job *job)
{
    if (pthread_cond_init(&job->wake, NULL) != 0)
        return;
    (void)pthread_mutex_lock(&queue->lock);
    *queue->last = job;
    queue->last = &job->next;
    while (!job->done && queue->led)
        (void)pthread_cond_wait(&job->wake, &queue->lock);
    if (!job->done)
        lead(queue);
    (void)pthread_mutex_unlock(&queue->lock);
    (void)pthread_cond_destroy(&job->wake);
}

void publish_queue_send(struct publish_queue *queue, struct bus_event *events, size_t count)
{
    struct job job = {.events = events, .count = count};
    wait_for_turn(queue, &job);
}

void publish_queue_tell(struct publish_queue *queue, struct bus_event *events, size_t count)
{
    struct job job = {.events = events, .count = count, .is_told = true};
    wait_for_turn(queue, &job);
}
