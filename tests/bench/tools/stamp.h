/* Stamps: what the load tools put into an event to know, in any protocol, which event arrived and
 * when it was sent. Fixed size and pure ASCII, so that a prepared message is stamped in place and
 * no server changes it on its way. */
#ifndef BENCH_STAMP_H
#define BENCH_STAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    STAMP_SIZE = 26, /* '~', 8 hex digits of sequence, 16 of nanoseconds, '~' */
    STREAM_TAIL_SIZE =
        STAMP_SIZE - 1 /* what must be kept of a stream to see a stamp that comes in two reads */
};

struct stamp {
    uint32_t sequence;
    uint64_t sent_ns; /* CLOCK_MONOTONIC, which all processes of one machine share */
};

/* The last bytes of a stream that may be the beginning of something searched for. */
struct stream_tail {
    unsigned char length;
    char bytes[STREAM_TAIL_SIZE];
};

void stamp_write(char out[STAMP_SIZE], const struct stamp *stamp);
/* False when the bytes are no stamp. */
bool stamp_read(struct stamp *out, const char text[STAMP_SIZE]);

/* Calls found() for each stamp that ends in chunk[0..length), in order. STREAM_TAIL_SIZE writable
 * bytes in front of chunk must belong to the caller's buffer: the tail is put there. */
void stamp_scan(struct stream_tail *tail, char *chunk, size_t length,
                void (*found)(const struct stamp *stamp, void *context), void *context);

/* True when marker (at most STREAM_TAIL_SIZE + 1 bytes) ends in the chunk; same demand on the
 * buffer. */
bool stream_has(struct stream_tail *tail, char *chunk, size_t length, const char *marker,
                size_t marker_length);

uint64_t monotonic_ns(void);

#endif
