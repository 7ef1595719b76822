#include "histogram.h"

#define US 1000ULL
#define MS 1000000ULL
#define S 1000000000ULL

const struct histogram_scale histogram_times = {
    .bounds = {100 * US, 250 * US, 500 * US, 1 * MS, 2500 * US, 5 * MS, 10 * MS, 25 * MS, 50 * MS,
               100 * MS, 250 * MS, 500 * MS, 1 * S, 2500 * MS, 5 * S, 10 * S, 30 * S},
    .unit = S};

const struct histogram_scale histogram_counts = {.bounds = {0, 1, 2, 5, 10, 20, 50, 100, 200, 500,
                                                            1000, 2000, 5000, 10000, 50000, 100000,
                                                            1000000},
                                                 .unit = 1};

static size_t bucket_of(const struct histogram_scale *scale, uint64_t value)
{
    size_t bucket = 0;
    while (bucket < HISTOGRAM_BUCKETS - 1 && scale->bounds[bucket] < value)
        bucket++;
    return bucket;
}

void histogram_add(struct histogram *histogram, const struct histogram_scale *scale, uint64_t value,
                   uint64_t times)
{
    histogram->counts[bucket_of(scale, value)] += times;
    histogram->sum += value * times;
}

void histogram_add_shared(struct histogram *histogram, const struct histogram_scale *scale,
                          uint64_t value)
{
    (void)__atomic_fetch_add(&histogram->counts[bucket_of(scale, value)], 1, __ATOMIC_RELAXED);
    (void)__atomic_fetch_add(&histogram->sum, value, __ATOMIC_RELAXED);
}
