/* What the threads of one process of a handler wait for: new connections at its listening sockets, and the
 * next requests on those that the web server keeps (FCGI_KEEP_CONN). A connection that is kept and idle
 * holds no thread. */
#ifndef ESN_HANDLER_WATCH_H
#define ESN_HANDLER_WATCH_H

#include "listen_socket.h"

#include <signal.h>
#include <stdbool.h>

struct handler_watch;

/* Takes a connection of a listening socket, without waiting for one, whatever others have made of the socket's flags.
 * 1: *peer is the caller's; 0: there is none, or it is gone again; -1: errno. */
int handler_watch_accept(int listener, int *peer);

/* A connection of the web server with a request, or a part of one. */
struct handler_peer {
    int descriptor; /* the caller's, until it is kept again */
    bool kept;      /* it was kept, and counts until it is let go */
};

/* Makes the sockets, which other processes may watch too, non-blocking: of all that wait, the kernel wakes
 * one for a connection. At most `most_kept` connections are kept, and no more than half as many as the process
 * may have files (RLIMIT_NOFILE). NULL: errno. The caller closes. */
struct handler_watch *handler_watch_open(const struct listen_sockets *sockets, unsigned most_kept);
void handler_watch_close(struct handler_watch **watch);

/* The next connection with something to read. By one thread at a time. Waits for it with the signals of
 * `waiting` blocked meanwhile (sigsuspend(2)) and no others; does not wait when that is NULL. 1: here it is;
 * 0: none, a signal came, or another process was quicker; -1: a socket failed (errno). */
int handler_watch_next(struct handler_watch *watch, const sigset_t *waiting,
                       struct handler_peer *peer);

/* The next three from any thread. Before the last byte of an answer is written: may the connection be kept? True:
 * it counts as kept. False: it is closed after the answer. */
bool handler_watch_may_keep(struct handler_watch *watch, struct handler_peer *peer);
/* After it: waits for the next request on it. */
void handler_watch_keep(struct handler_watch *watch, const struct handler_peer *peer);
/* It was closed. Harmless when it was not kept. */
void handler_watch_let_go(struct handler_watch *watch, const struct handler_peer *peer);

/* The process is to end: from now on no connection is kept after its next answer, and who waits does so
 * no longer than it takes a web server to close those that are idle. */
void handler_watch_end(struct handler_watch *watch);
/* True once that is over: none is kept any more, or it took too long. */
bool handler_watch_is_over(struct handler_watch *watch);

#endif
