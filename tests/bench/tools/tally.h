/* What has arrived of a run of events: how many receivers had each event, and how late. */
#ifndef BENCH_TALLY_H
#define BENCH_TALLY_H

#include "stamp.h"

#include <stdio.h>

struct tally {
    uint32_t first;       /* sequence of the run's first event */
    uint32_t events;      /* in the run */
    uint32_t receivers;   /* that each event must reach */
    uint32_t *arrivals;   /* by event */
    uint32_t complete;    /* events that every receiver had */
    uint64_t deliveries;  /* of this run */
    uint64_t doubles;     /* arrivals beyond the number of receivers */
    uint64_t strangers;   /* stamps of no event of this run */
    uint64_t *latency_ns; /* by delivery, in order of arrival */
    uint64_t *sent_ns;    /* likewise, only when kept for tally_write_csv() */
};

/* Forgets the run before. keep_times: keep what tally_write_csv() needs. False without memory. */
bool tally_begin(struct tally *tally, uint32_t first, uint32_t events, uint32_t receivers,
                 bool keep_times);
void tally_free(struct tally *tally);

/* One stamp was read at now_ns. */
void tally_count(struct tally *tally, const struct stamp *stamp, uint64_t now_ns);

static inline uint64_t tally_expected(const struct tally *tally)
{
    return (uint64_t)tally->events * tally->receivers;
}

/* Writes "sent_ns,late_ns" lines in order of arrival; false when the file fails. */
bool tally_write_csv(const struct tally *tally, FILE *out);

/* Sorts the latencies; tally_late_ns() then gives the one below which `share` (0 to 1) of them lie.
 */
void tally_sort(struct tally *tally);
uint64_t tally_late_ns(const struct tally *tally, double share);

#endif
