/* Sockets on which clients arrive. */
#ifndef ESN_LISTENER_H
#define ESN_LISTENER_H

#include "net/acceptor.h"

#include <stdbool.h>
#include <stddef.h>

enum { LISTENER_ERROR_SIZE = 512 };

struct bytes;
struct listener;
struct saved_reader;
struct saved_writer;

/* Listening sockets that the program before this one has handed over. */
struct listeners_past {
    struct listener_past *list; /* owned, with its texts and descriptors */
    size_t count;
};

struct listeners {
    struct net *net;
    struct acceptor acceptor;
    struct listener *first;     /* chained */
    struct listeners_past past; /* those that have not found their address yet */
};

/* Listens on every address of [fanout] listen and its like, and of [metrics] listen; false with a sentence in error.
 * What was opened is to be stopped and freed either way. */
bool listeners_open(struct listeners *listeners, struct net *net, char error[LISTENER_ERROR_SIZE]);
/* Accepts nobody any more and leaves the loop, which must run once more before listeners_free();
 * harmless when it has, and on a zeroed one. */
void listeners_stop(struct listeners *listeners);
void listeners_free(struct listeners *listeners);
/* Stops as listeners_stop() does, but leaves the socket files, since another program listens on
 * these sockets. */
void listeners_leave(struct listeners *listeners);
/* Sets what accepted sockets inherit anew (after a reload). */
void listeners_apply_config(struct listeners *listeners);
/* What each stands for; its descriptor is appended to `descriptors`, as an int. */
void listeners_save(const struct listeners *listeners, struct saved_writer *writer,
                    struct bytes *descriptors);
/* Before listeners_open(), which then takes the sockets of the addresses that are configured still.
 * Takes as many descriptors as there are, from the first of `count`, and sets *taken. False when it
 * is not as it should be, or without memory. */
bool listeners_load(struct listeners *listeners, struct saved_reader *reader,
                    const int *descriptors, size_t count, size_t *taken);
/* Closes those that are not configured any more, and removes their files. */
void listeners_end_past(struct listeners *listeners);

#endif
