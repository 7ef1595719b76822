/* Sockets on which clients arrive. */
#ifndef ESN_LISTENER_H
#define ESN_LISTENER_H

#include "net/acceptor.h"

#include <stdbool.h>

enum { LISTENER_ERROR_SIZE = 512 };

struct listener;

struct listeners {
    struct net *net;
    struct acceptor acceptor;
    struct listener *first; /* chained */
};

/* Listens on every address of [fanout] listen and its like, and of [metrics] listen; false with a sentence in error.
 * What was opened is to be stopped and freed either way. */
bool listeners_open(struct listeners *listeners, struct net *net, char error[LISTENER_ERROR_SIZE]);
/* Accepts nobody any more and leaves the loop, which must run once more before listeners_free();
 * harmless when it has, and on a zeroed one. */
void listeners_stop(struct listeners *listeners);
void listeners_free(struct listeners *listeners);
/* Sets what accepted sockets inherit anew (after a reload). */
void listeners_apply_config(struct listeners *listeners);

#endif
