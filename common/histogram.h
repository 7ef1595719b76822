/* How values are distributed: counted into buckets whose bounds a scale has, as Prometheus's
 * histograms are (docs/operate.md). */
#ifndef ESN_HISTOGRAM_H
#define ESN_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

enum { HISTOGRAM_BUCKETS = 18 };

/* Bounds that rise; a value belongs to the first that is not below it, or to the one past the last
 * of them. */
struct histogram_scale {
    uint64_t bounds[HISTOGRAM_BUCKETS - 1];
    uint64_t unit; /* values are told divided by it */
};

/* Nanoseconds, from 0.1 ms to 30 s, told in seconds. */
extern const struct histogram_scale histogram_times;
/* Numbers of things, from 0 to a million. */
extern const struct histogram_scale histogram_counts;

/* Empty when it is zeroed. */
struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS]; /* of each bucket alone */
    uint64_t sum;
};

/* Counts a value so many times. */
void histogram_add(struct histogram *histogram, const struct histogram_scale *scale, uint64_t value,
                   uint64_t times);
/* The same for one that several threads or processes write to at once. */
void histogram_add_shared(struct histogram *histogram, const struct histogram_scale *scale,
                          uint64_t value);

#endif
