/* Takes connections off the listening sockets, as many at a time as leave everybody else a turn,
 * and decides which may stay. Without descriptors or memory it pauses: what waits stays in the
 * kernel's queue, and those who are connected notice nothing. */
#ifndef ESN_ACCEPTOR_H
#define ESN_ACCEPTOR_H

#include "net/net.h"
#include "trouble.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/* How the listening sockets are left alone for a while, and looked at again. */
struct acceptor_sockets {
    void (*pause)(void *context);
    void (*resume)(void *context);
    void *context;
};

struct acceptor {
    struct net *net;
    struct acceptor_sockets sockets;
    uv_timer_t timer;
    int spare; /* given up for a moment to tell one that there is no descriptor for it; -1: none */
    int held;  /* accepted, but there was no memory for it; -1: none */
    struct arrival held_arrival;
    bool paused;
    struct trouble starved; /* the log says that there is no memory */
    struct trouble full;    /* the log says that there is no room for more */
    uint64_t turned_away;   /* since then */
};

/* Joins the loop. */
void acceptor_open(struct acceptor *acceptor, struct net *net, struct acceptor_sockets sockets);
/* Leaves it; harmless when it has. */
void acceptor_stop(struct acceptor *acceptor);
/* A listening socket is readable. */
void acceptor_take(struct acceptor *acceptor, int listening, struct arrival arrival);

#endif
