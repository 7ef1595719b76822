/* Prepared messages: bytes of any protocol from a file, in which a place for a number and a place
 * for a stamp are filled in, always with as many bytes as stood there, so that lengths inside the
 * message stay true. */
#ifndef BENCH_MESSAGE_H
#define BENCH_MESSAGE_H

#include "stamp.h"

struct message {
    char *data;
    size_t length;
    size_t *number_places; /* offsets of each {{ID}} */
    size_t number_count;
    size_t stamp_place; /* offset of ~000000000000000000000000~ */
    bool has_stamp;
};

/* Reads a whole file. False, with a message on standard error. The caller frees. */
bool message_load(struct message *message, const char *path);
void message_free(struct message *message);

/* Writes number (below 1,000,000) as six digits over every {{ID}}. */
void message_set_number(struct message *message, unsigned number);
/* The message must have a place for it. */
void message_set_stamp(struct message *message, const struct stamp *stamp);

/* A short run of bytes from hex text, such as a byte sequence that means "subscribed". */
struct marker {
    char bytes[STREAM_TAIL_SIZE + 1];
    size_t length;
};
bool marker_parse(struct marker *marker, const char *hex);

#endif
