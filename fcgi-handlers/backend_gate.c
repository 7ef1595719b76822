#include "backend_gate.h"

#include "clock.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct backend_gate {
    struct backend_gate_options options;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t left;
    unsigned inside, most;
    uint64_t patience_ms;
    uint64_t moved_ms; /* when one left, or came to an empty place, last */
    uint64_t down_until_ms;
    bool down, probing; /* one is inside to see whether it is still down */
};

static bool open_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    return pthread_condattr_init(&attributes) == 0 &&
           pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
           pthread_cond_init(condition, &attributes) == 0;
}

struct backend_gate *backend_gate_open(const struct backend_gate_options *options)
{
    struct backend_gate *gate = calloc(1, sizeof *gate);
    if (gate == NULL)
        return NULL;
    gate->options = *options;
    gate->patience_ms = options->time_limit_ms / 4;
    gate->most = options->threads > 1 ? options->threads - 1 : 1;
    if (pthread_mutex_init(&gate->lock, NULL) == 0) {
        if (open_condition(&gate->left))
            return gate;
        (void)pthread_mutex_destroy(&gate->lock);
    }
    free(gate);
    return NULL;
}

void backend_gate_close(struct backend_gate **gate)
{
    if (*gate == NULL)
        return;
    (void)pthread_cond_destroy(&(*gate)->left);
    (void)pthread_mutex_destroy(&(*gate)->lock);
    free(*gate);
    *gate = NULL;
}

static bool is_known_down(const struct backend_gate *gate)
{
    return gate->down && (gate->probing || clock_monotonic_ms() < gate->down_until_ms);
}

/* With the lock held. False when it is down, or nobody has left for too long. */
static bool wait_for_turn(struct backend_gate *gate)
{
    while (!is_known_down(gate)) {
        if (gate->inside < gate->most)
            return true;
        uint64_t end_ms = gate->moved_ms + gate->patience_ms;
        if (clock_monotonic_ms() >= end_ms)
            return false;
        const struct timespec end = {.tv_sec = (time_t)(end_ms / 1000),
                                     .tv_nsec = (long)(end_ms % 1000) * 1000000};
        (void)pthread_cond_timedwait(&gate->left, &gate->lock, &end);
    }
    return false;
}

uint64_t backend_gate_enter(struct backend_gate *gate)
{
    uint64_t entered_ms = 0;
    (void)pthread_mutex_lock(&gate->lock);
    if (wait_for_turn(gate)) {
        gate->probing = gate->down;
        entered_ms = clock_monotonic_ms();
        gate->moved_ms = entered_ms;
        gate->inside++;
    }
    (void)pthread_mutex_unlock(&gate->lock);
    return entered_ms;
}

void backend_gate_leave(struct backend_gate *gate, uint64_t entered, bool answered)
{
    (void)pthread_mutex_lock(&gate->lock);
    gate->inside--;
    gate->moved_ms = clock_monotonic_ms();
    gate->down =
        !answered && gate->moved_ms - entered >= gate->patience_ms && gate->options.down_ms > 0;
    gate->down_until_ms = gate->moved_ms + gate->options.down_ms;
    gate->probing = false;
    (void)pthread_cond_broadcast(&gate->left);
    (void)pthread_mutex_unlock(&gate->lock);
}
