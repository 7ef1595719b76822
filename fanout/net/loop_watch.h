/* How long a turn of the loop takes, and what it did: everybody waits for the longest one. Counted
 * in processor time of the loop's thread, so that a busy machine does not count. */
#ifndef ESN_LOOP_WATCH_H
#define ESN_LOOP_WATCH_H

#include "net/turn_shares.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum loop_work {
    LOOP_READ,       /* pieces of what clients said */
    LOOP_SUBSCRIBED, /* topics that streams began to hold */
    LOOP_LEFT,       /* topics that they ceased to hold */
    LOOP_CLOSED,     /* connections */
    LOOP_EVENTS,     /* taken from the bus */
    LOOP_REPLAY,     /* work of clients that catch up, see events/replay.c */
    LOOP_WRITTEN,    /* connections that something was written to */
    LOOP_WORKS
};

enum { LOOP_WATCH_SECONDS = 60 };

struct loop_turn {
    uint64_t cpu_ns;
    uint64_t at_ms; /* of the loop's clock, when it ended */
    uint32_t did[LOOP_WORKS];
};

struct loop_watch {
    struct loop_turn now; /* the present one, as far as it is known */
    struct loop_turn longest;
    struct loop_turn seconds[LOOP_WATCH_SECONDS]; /* the longest of each, by at_ms */
    uint64_t cpu_before_ns; /* of the thread, when the present turn began; 0: not known */
    uint64_t read_since_ns; /* when the present turn began to read; 0: it has not */
    uint64_t writing_since_ns, written_ns; /* in the present turn */
    uint64_t turns;
    uint64_t put_off;          /* sockets that a turn had no time for */
    struct turn_shares shares; /* of who asks */
    uint64_t work_since_ns;    /* when somebody's work began; 0: there is none */
};

/* The words of enum loop_work, as /state says them. */
extern const char *const loop_work_names[LOOP_WORKS];

static inline void loop_watch_did(struct loop_watch *watch, enum loop_work work, size_t count)
{
    watch->now.did[work] += (uint32_t)count;
}

/* False when this turn has read for long enough: what else has come is read in the next one, after
 * events, writes and timers have had theirs. */
bool loop_watch_has_time(struct loop_watch *watch);
/* Writing begins, or goes on. */
void loop_watch_begin_writing(struct loop_watch *watch);
/* False when this turn has written for long enough, since loop_watch_begin_writing() and before. */
bool loop_watch_may_write(struct loop_watch *watch);
/* What follows has time of its own: whoever comes before it cannot use it up. */
void loop_watch_begin_slice(struct loop_watch *watch);
/* The same, where it is not this address that used more than its share while others want something
 * too. NULL: nobody's work. When true, what is done from here on is work of one client, until it is charged; what is
 * done between two charges counts for the later one. */
bool loop_watch_admits(struct loop_watch *watch, struct turn_share *share);
/* The same for what was begun, whatever time is left. */
bool loop_watch_may_go_on(struct loop_watch *watch, struct turn_share *share);
/* Charges work to an address, or to nobody (NULL). Harmless where none was begun. */
void loop_watch_charge(struct loop_watch *watch, struct turn_share *share);
void loop_watch_end_work(struct loop_watch *watch);
/* Begin with a zeroed one. */
void loop_watch_open(struct loop_watch *watch);
/* The turn is over, as the loop goes to sleep. */
void loop_watch_end_turn(struct loop_watch *watch, uint64_t now_ms);
/* The longest turn of the last so many seconds, LOOP_WATCH_SECONDS at most, the present one
 * included. */
const struct loop_turn *loop_watch_longest(const struct loop_watch *watch, uint64_t now_ms,
                                           unsigned seconds);

#endif
