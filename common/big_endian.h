/* Numbers as bytes, the highest first. */
#ifndef ESN_BIG_ENDIAN_H
#define ESN_BIG_ENDIAN_H

#include <stddef.h>
#include <stdint.h>

/* The number that the first `size` bytes make, at most 8. */
static inline uint64_t big_endian_read(const void *bytes, size_t size)
{
    const unsigned char *from = bytes;
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value = value << 8 | from[i];
    return value;
}

/* Writes the lowest `size` bytes of it, at most 8. */
static inline void big_endian_write(void *bytes, size_t size, uint64_t value)
{
    unsigned char *to = bytes;
    for (size_t i = size; i-- > 0; value >>= 8)
        to[i] = (unsigned char)value;
}

#endif
