#include "clock.h"

#include <time.h>

static uint64_t read_ms(clockid_t which)
{
    struct timespec now;
    /* Both clocks always exist on Linux, so clock_gettime(2) has no error left to report. */
    if (clock_gettime(which, &now) != 0)
        return 0;
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t clock_monotonic_ms(void)
{
    return read_ms(CLOCK_MONOTONIC);
}

uint64_t clock_monotonic_ns(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
        return 0;
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t clock_wall_ms(void)
{
    return read_ms(CLOCK_REALTIME);
}
