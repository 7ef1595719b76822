/* Streams without sockets, as many as there are to be, for what looks at all of them. */
#ifndef ESN_TEST_HELD_STREAMS_H
#define ESN_TEST_HELD_STREAMS_H

#include <stddef.h>
#include <stdint.h>

struct streams;
struct stream;

struct held_streams {
    struct streams *streams;
    struct stream **list;
    size_t count, room;
};

enum { HELD_STREAMS_FIRST = 1 << 20 /* connection id, from which they count up */ };

/* Of a zeroed one, but for `streams`: adds some that have this client id. */
void held_streams_add(struct held_streams *held, size_t count, const char *clid);
/* Notes of all of them that they have ended, though they have not. */
void held_streams_note_ends(const struct held_streams *held);
void held_streams_free(struct held_streams *held);

#endif
