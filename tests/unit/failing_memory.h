/* Memory that runs out when a test says so. For programs linked with
 * -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=reallocarray,--wrap=strdup. Allocations of
 * shared libraries are not seen. */
#ifndef ESN_TEST_FAILING_MEMORY_H
#define ESN_TEST_FAILING_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

/* From now on the n-th allocation fails (1: the next), once. */
void failing_memory_at(uint64_t n);
/* From now on one allocation in so many fails, by a series of random numbers. */
void failing_memory_randomly(uint64_t seed, unsigned one_in);
/* For a while nothing fails or is counted, or it goes on. */
void failing_memory_pause(bool pause);
/* No more failures, and no pause. True when there was one since the last call. */
bool failing_memory_stop(void);

#endif
