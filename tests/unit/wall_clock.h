/* The wall clock of the test's process, which jumps when the test says so; it stands before the C
 * library's clock_gettime(). The monotonic clock goes on as it does. */
#ifndef ESN_TEST_WALL_CLOCK_H
#define ESN_TEST_WALL_CLOCK_H

#include <stdint.h>

/* Puts it so far ahead of the true time, or behind. */
void wall_clock_set(int64_t ahead_s);

#endif
