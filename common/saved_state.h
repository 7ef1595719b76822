/* State as bytes, in which one program hands it over to the next (docs/upgrade.md): sections, each
 * with a length and a checksum, of numbers of 64 bits and of bytes with their length. Pure. Each
 * module writes and reads what is its own beside its data. */
#ifndef ESN_SAVED_STATE_H
#define ESN_SAVED_STATE_H

#include "bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* To be raised whenever what a section holds changes. */
enum { SAVED_FORM = 4, SAVED_ERROR_SIZE = 128 };

/* The most of what goes on being counted: it never begins at 0 again. */
#define SAVED_COUNTER_MOST (UINT64_MAX / 2)

/* In this order; each stands there once. */
enum saved_section {
    SAVED_SERVICE = 1,
    SAVED_LISTENERS,
    SAVED_SECRETS,
    SAVED_TICKETS,
    SAVED_RATES,
    SAVED_REVOCATIONS,
    SAVED_SEEN,
    SAVED_EVENTS,
    SAVED_VALUES,
    SAVED_PRESENCE,
    SAVED_NODES,
    SAVED_DECISIONS,
    SAVED_DEPARTED,
    SAVED_CONNECTIONS,
    SAVED_GAPS,
    SAVED_SECTIONS
};

/* ---- writing ---- */

/* Begin with a zeroed one. */
struct saved_writer {
    struct bytes out; /* out.failed: there was no memory */
    size_t section;   /* where the head of the present one is */
};

void saved_begin(struct saved_writer *writer);
void saved_begin_section(struct saved_writer *writer, enum saved_section section);
void saved_put(struct saved_writer *writer, uint64_t number);
void saved_put_bytes(struct saved_writer *writer, const void *bytes, size_t length);
/* With its NUL. */
void saved_put_text(struct saved_writer *writer, const char *text);
void saved_end_section(struct saved_writer *writer);

/* ---- reading ---- */

/* What is left of one section. Once something is not as it should be it has failed, and gives zeros
 * and empty texts: so who reads looks at the end. */
struct saved_reader {
    const unsigned char *at, *end;
    bool failed;
};

struct saved_state {
    struct saved_reader sections[SAVED_SECTIONS]; /* by enum saved_section */
};

/* Finds the sections in bytes that outlive the state. False with a sentence in error. */
bool saved_read(struct saved_state *state, const void *bytes, size_t length,
                char error[SAVED_ERROR_SIZE]);
uint64_t saved_take(struct saved_reader *reader);
/* No more than `most`. */
uint64_t saved_take_within(struct saved_reader *reader, uint64_t most);
/* Of entries that follow, each of `least` bytes or more: so many may be allocated. */
size_t saved_take_count(struct saved_reader *reader, size_t least);
/* Borrowed. */
const char *saved_take_bytes(struct saved_reader *reader, size_t *length);
void saved_take_exactly(struct saved_reader *reader, void *out, size_t size);
/* Ended by a NUL, the only one; length may be NULL. */
const char *saved_take_text(struct saved_reader *reader, size_t *length);
/* All of it was read, and was as it should be. */
bool saved_is_read(const struct saved_reader *reader);
/* In words. */
const char *saved_section_name(enum saved_section section);

#endif
