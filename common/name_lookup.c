#include "name_lookup.h"

#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* It may outlive whoever asked: the last of the two frees it. */
struct question {
    char *host, *port;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool ended, abandoned; /* guarded by the lock */
    int code;              /* once it has ended, as is the next one */
    struct addrinfo *found;
};

static atomic_uint abandoned_count;

static void question_free(struct question *question)
{
    if (question->found != NULL)
        freeaddrinfo(question->found);
    (void)pthread_cond_destroy(&question->wake);
    (void)pthread_mutex_destroy(&question->lock);
    free(question->host);
    free(question->port);
    free(question);
}

static bool open_wake(struct question *question)
{
    pthread_condattr_t attributes;
    if (pthread_mutex_init(&question->lock, NULL) != 0)
        return false;
    bool opened = pthread_condattr_init(&attributes) == 0 &&
                  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
                  pthread_cond_init(&question->wake, &attributes) == 0;
    if (!opened)
        (void)pthread_mutex_destroy(&question->lock);
    return opened;
}

static struct question *question_new(const char *host, const char *port)
{
    struct question *question = calloc(1, sizeof *question);
    if (question == NULL)
        return NULL;
    question->host = strdup(host);
    question->port = strdup(port);
    if (question->host != NULL && question->port != NULL && open_wake(question))
        return question;
    free(question->host);
    free(question->port);
    free(question);
    return NULL;
}

static void *ask(void *context)
{
    struct question *question = context;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *found = NULL;
    int code = getaddrinfo(question->host, question->port, &hints, &found);
    (void)pthread_mutex_lock(&question->lock);
    question->code = code;
    question->found = found;
    question->ended = true;
    bool abandoned = question->abandoned;
    (void)pthread_cond_signal(&question->wake);
    (void)pthread_mutex_unlock(&question->lock);
    if (abandoned) {
        question_free(question);
        (void)atomic_fetch_sub(&abandoned_count, 1);
    }
    return NULL;
}

static bool start(struct question *question)
{
    pthread_t thread;
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0)
        return false;
    bool started = pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0 &&
                   pthread_create(&thread, &attributes, ask, question) == 0;
    (void)pthread_attr_destroy(&attributes);
    return started;
}

/* True when it has ended, and is ours to free; else it frees itself one day. */
static bool wait_for_end(struct question *question, uint64_t deadline_ms)
{
    const struct timespec end = {.tv_sec = (time_t)(deadline_ms / 1000),
                                 .tv_nsec = (long)(deadline_ms % 1000) * 1000000};
    int timed_out = 0;
    (void)pthread_mutex_lock(&question->lock);
    while (!question->ended && timed_out == 0)
        timed_out = pthread_cond_timedwait(&question->wake, &question->lock, &end);
    bool ended = question->ended;
    question->abandoned = !ended;
    if (!ended)
        (void)atomic_fetch_add(&abandoned_count, 1);
    (void)pthread_mutex_unlock(&question->lock);
    return ended;
}

static struct addrinfo *take(struct question *question, char error[NAME_LOOKUP_ERROR_SIZE])
{
    struct addrinfo *found = question->found;
    question->found = NULL;
    if (question->code != 0)
        (void)snprintf(error, NAME_LOOKUP_ERROR_SIZE, "%.80s: %.60s", question->host,
                       gai_strerror(question->code));
    question_free(question);
    return found;
}

struct addrinfo *name_lookup(const char *host, const char *port, uint64_t deadline_ms,
                             char error[NAME_LOOKUP_ERROR_SIZE])
{
    const struct addrinfo numeric = {.ai_socktype = SOCK_STREAM,
                                     .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    if (getaddrinfo(host, port, &numeric, &found) == 0)
        return found;
    if (atomic_load(&abandoned_count) >= NAME_LOOKUP_ABANDONED_MAX) {
        (void)snprintf(error, NAME_LOOKUP_ERROR_SIZE, "%.80s: the name server does not answer",
                       host);
        return NULL;
    }
    struct question *question = question_new(host, port);
    if (question == NULL || !start(question)) {
        (void)snprintf(error, NAME_LOOKUP_ERROR_SIZE, "%.80s: no memory or thread", host);
        if (question != NULL)
            question_free(question);
        return NULL;
    }
    if (wait_for_end(question, deadline_ms))
        return take(question, error);
    (void)snprintf(error, NAME_LOOKUP_ERROR_SIZE, "%.80s: the name server did not answer in time",
                   host);
    return NULL;
}
