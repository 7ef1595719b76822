/* The two clocks of the project. Deadlines use the monotonic one only: the wall clock may jump. */
#ifndef ESN_CLOCK_H
#define ESN_CLOCK_H

#include <stdint.h>

/* Milliseconds since some fixed point in the past; never goes back (CLOCK_MONOTONIC). */
uint64_t clock_monotonic_ms(void);

/* The same in nanoseconds. */
uint64_t clock_monotonic_ns(void);

/* Milliseconds since 1970-01-01 UTC; may jump either way (CLOCK_REALTIME). */
uint64_t clock_wall_ms(void);

#endif
