/* How long events are on their way through the daemon: from the bus until all that the sockets of
 * their receivers took is written. Counted for all events of a turn together, so that a receiver
 * more costs nothing. */
#ifndef ESN_WRITTEN_WATCH_H
#define ESN_WRITTEN_WATCH_H

#include "histogram.h"

#include <stddef.h>
#include <stdint.h>

enum { WRITTEN_WATCH_BATCHES = 16 };

/* Events that came from the bus together. */
struct written_batch {
    uint64_t since_ns; /* CLOCK_MONOTONIC */
    uint64_t events;
    uint64_t end; /* written when so many connections were taken off the queue */
};

struct written_watch {
    uint64_t taken_ns; /* when the batch came that is being taken */
    struct written_batch batches[WRITTEN_WATCH_BATCHES]; /* delivered, and not yet written */
    size_t count;
    struct histogram times; /* of histogram_times */
};

/* For written_watch_advance(). */
void written_watch_count(struct written_watch *watch, uint64_t taken);
/* A batch is about to be taken from the bus. */
void written_watch_take(struct written_watch *watch);
/* An event that was taken then is queued for its receivers, the last of whom is the `end`th that is
 * taken off the queue of connections. Where more batches are under way than there is room for, the
 * later ones count as the last that had room. */
static inline void written_watch_deliver(struct written_watch *watch, uint64_t taken_ns,
                                         uint64_t end)
{
    size_t last = watch->count;

    if (last == 0 ||
        (watch->batches[last - 1].since_ns != taken_ns && last < WRITTEN_WATCH_BATCHES))
        watch->batches[watch->count++] = (struct written_batch){.since_ns = taken_ns};
    watch->batches[watch->count - 1].events++;
    watch->batches[watch->count - 1].end = end;
}
/* Counts those whose receivers are written, now that so many connections were. */
static inline void written_watch_advance(struct written_watch *watch, uint64_t taken)
{
    if (watch->count > 0 && watch->batches[0].end <= taken)
        written_watch_count(watch, taken);
}

#endif
