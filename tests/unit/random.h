/* Random numbers of the unit tests: the same for the same seed, on every machine. */
#ifndef ESN_TEST_RANDOM_H
#define ESN_TEST_RANDOM_H

#include <stdint.h>

/* One step of splitmix64: a counter, well mixed. */
static inline uint64_t random_next(uint64_t *state)
{
    uint64_t mixed = *state += 0x9e3779b97f4a7c15ULL;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9ULL;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebULL;
    return mixed ^ mixed >> 31;
}

static inline unsigned random_below(uint64_t *state, unsigned limit)
{
    return (unsigned)(random_next(state) % limit);
}

#endif
