/* What an allocation takes from the heap, beside what was asked for. */
#ifndef ESN_HEAP_H
#define ESN_HEAP_H

#include <stddef.h>

/* Of one allocation of glibc's malloc(3): a word before it, all rounded up to two words, four at
 * least. */
static inline size_t heap_taken(size_t size)
{
    const size_t word = sizeof(size_t), taken = (size + 3 * word - 1) / (2 * word) * (2 * word);

    return taken < 4 * word ? 4 * word : taken;
}

/* Of many allocations of so many bytes together, each of its own size: half of what the rounding
 * may add. */
static inline size_t heap_taken_by_many(size_t count, size_t bytes)
{
    return bytes + count * 2 * sizeof(size_t);
}

#endif
