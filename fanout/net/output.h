/* What is queued for one connection: ranges of shared bytes, in order. An idle connection holds no
 * memory here. */
#ifndef ESN_OUTPUT_H
#define ESN_OUTPUT_H

#include "net/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct saved_writer;

struct output_rest {
    uint32_t start, count, capacity; /* frames[start .. start + count) are queued */
    struct frame frames[];
};

struct output {
    struct frame first;       /* the oldest range; segment NULL: nothing is queued */
    struct output_rest *rest; /* the ranges after it, when there are any */
    uint64_t length;          /* bytes queued */
};

/* Queues a range (takes a reference of its own); one that follows the last range in memory makes it
 * longer. False without memory: nothing is queued then. */
bool output_append(struct output *output, const struct frame *frame);
/* Fills at most max entries with the oldest bytes; returns how many. They stay valid until
 * output_consume(). */
int output_gather(const struct output *output, struct iovec *vectors, int max);
/* The oldest count bytes are written. */
void output_consume(struct output *output, size_t count);
/* Queues everything of another behind this; false without memory: then some of it is queued. */
bool output_append_all(struct output *output, const struct output *other);
/* The same, and leaves that empty; false without memory, when both
 * are to be cleared. */
bool output_join(struct output *output, struct output *behind);
/* Writes all bytes but the oldest `skip` of them; all go on being queued. */
void output_save(const struct output *output, size_t skip, struct saved_writer *writer);
/* Forgets everything. */
void output_clear(struct output *output);

#endif
