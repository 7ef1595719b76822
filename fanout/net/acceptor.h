/* Takes connections off the listening sockets, as many at a time as leave everybody else a turn,
 * and decides which may stay. Without descriptors or memory it pauses: what waits stays in the
 * kernel's queue, and those who are connected notice nothing. */
#ifndef ESN_ACCEPTOR_H
#define ESN_ACCEPTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct server;

/* By which way somebody came. */
struct arrival {
    bool is_tcp;
    bool speaks_lines; /* not HTTP */
};

struct acceptor {
    uv_timer_t timer;
    int spare; /* given up for a moment to tell one that there is no descriptor for it; -1: none */
    int held;  /* accepted, but there was no memory for it; -1: none */
    struct arrival held_arrival;
    bool paused;
    bool starved;         /* the log says that there is no memory */
    bool full;            /* the log says that there are no descriptors left */
    uint64_t turned_away; /* since then */
};

/* Joins the loop; 0, or an error of libuv. */
int acceptor_open(struct server *server);
/* Leaves it, when it has joined. */
void acceptor_stop(struct server *server);
/* A listening socket is readable. */
void acceptor_take(struct server *server, int listening, struct arrival arrival);

#endif
