#include "net/written_watch.h"

#include "clock.h"

#include <string.h>

void written_watch_take(struct written_watch *watch)
{
    watch->taken_ns = clock_monotonic_ns();
}

void written_watch_count(struct written_watch *watch, uint64_t taken)
{
    uint64_t now = clock_monotonic_ns();
    size_t written = 0;

    for (; written < watch->count && watch->batches[written].end <= taken; written++)
        histogram_add(&watch->times, &histogram_times, now - watch->batches[written].since_ns,
                      watch->batches[written].events);
    watch->count -= written;
    memmove(watch->batches, watch->batches + written, watch->count * sizeof *watch->batches);
}
