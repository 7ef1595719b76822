#include "wall_clock.h"

#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static atomic_llong ahead;

void wall_clock_set(int64_t ahead_s)
{
    atomic_store(&ahead, ahead_s);
}

int clock_gettime(clockid_t which, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, which, now);

    if (result == 0 && which == CLOCK_REALTIME)
        now->tv_sec += (time_t)atomic_load(&ahead);
    return result;
}
