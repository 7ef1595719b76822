/* Deadlines in a ring of ticks: setting, moving and removing one costs the same however many there
 * are. Knows no clock: the caller says what time it is (milliseconds of any clock that never goes
 * back). */
#ifndef ESN_DEADLINES_H
#define ESN_DEADLINES_H

#include <stdbool.h>
#include <stdint.h>

enum {
    DEADLINES_TICK_MS = 100,
    DEADLINES_SLOTS = 1024,
    DEADLINES_LEAST = 64 /* are called in each deadlines_advance(), whatever time it takes */
};

struct deadline {
    struct deadline *next, **link; /* link is NULL while not set */
    uint64_t tick;
};

struct deadlines {
    struct deadline *slots[DEADLINES_SLOTS];
    uint64_t tick;          /* all ticks up to this one are done, but for those that are late */
    struct deadline *late;  /* due, but there was no time for them */
    struct deadline *batch; /* being looked at, while deadlines_advance() runs */
    /* False when the others are to wait for the next deadlines_advance(). NULL: they never are. Set
     * by the owner after deadlines_start(). */
    bool (*has_time)(void *context);
    void *time_context;
};

void deadlines_start(struct deadlines *ring, uint64_t now_ms);
/* Sets or moves. It comes due at the first deadlines_advance() at or after due_ms rounded up to a
 * tick. */
void deadlines_set(struct deadlines *ring, struct deadline *deadline, uint64_t due_ms);
/* Harmless when it is not set. */
void deadlines_remove(struct deadline *deadline);
/* Calls due(deadline, context) for each that has come due, no longer set then; due may set and
 * remove any. */
void deadlines_advance(struct deadlines *ring, uint64_t now_ms,
                       void (*due)(struct deadline *, void *), void *context);
/* Some wait for the next deadlines_advance(), which may come at once. */
bool deadlines_are_late(const struct deadlines *ring);

#endif
