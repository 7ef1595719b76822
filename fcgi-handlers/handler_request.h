/* A request as a web server hands it over, FastCGI and CGI alike. With handler_reply.c the only
 * code that knows how it came; the rest sees CGI variables (RFC 3875) and a body. */
#ifndef ESN_HANDLER_REQUEST_H
#define ESN_HANDLER_REQUEST_H

#include "bytes.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

struct handler_request;
struct handler_watch;

enum { HANDLER_CGI = -1 };

enum handler_body {
    HANDLER_BODY_WHOLE,
    HANDLER_BODY_TOO_LARGE,
    HANDLER_BODY_NO_LENGTH,  /* not announced, and this kind of request ends with nothing else */
    HANDLER_BODY_BAD_LENGTH, /* CONTENT_LENGTH is no number */
    HANDLER_BODY_SHORT,      /* ended before what was announced */
    HANDLER_BODY_NO_MEMORY
};

/* True when descriptor 0 is no listening socket: started by a web server for one CGI request, or by
 * hand. */
bool handler_is_cgi(void);

/* Requests that arrive at a listening socket (made non-blocking), or the one of HANDLER_CGI. NULL:
 * out of memory. */
struct handler_request *handler_request_open(int listener);
/* [web] origins of the configuration with which requests are answered, borrowed; before that, any.
 */
void handler_request_set_origins(struct handler_request *request, char *const *origins);
char *const *handler_request_origins(const struct handler_request *request);
/* The same for one of several threads and processes that wait for the same sockets: what comes is found by
 * the `watch` of their process, which keeps the connections that the web server keeps. */
struct handler_request *handler_request_open_among_others(int listener,
                                                          struct handler_watch *watch);
void handler_request_close(struct handler_request **request);

/* Takes the next request, to be begun. Waits for it, with the signals of `waiting` blocked
 * meanwhile (sigsuspend(2)) and no others; does not wait when that is NULL. 1: here it is; 0: none,
 * a signal came or (CGI) there is no more; -1: the socket failed (errno). */
int handler_request_accept(struct handler_request *request, const sigset_t *waiting);
/* True when all its bytes have come, so that neither beginning nor reading it waits for the web
 * server. A large one, and one that no other thread waits beside, is never said to. */
bool handler_request_is_here(struct handler_request *request);
/* Reads the variables. False: it was none, and is over. */
bool handler_request_begin(struct handler_request *request);

/* Ends the request: what of its body was not read is thrown away, so that the answer is not lost in
 * a reset. */
void handler_request_finish(struct handler_request *request);

/* A CGI variable, such as REQUEST_METHOD; NULL when it is not there. Borrowed until the request is
 * finished. */
const char *handler_request_variable(const struct handler_request *request, const char *name);
/* The query, undecoded (query.h); "" when there is none. Borrowed likewise. */
const char *handler_request_query(const struct handler_request *request);

/* Reads the first bytes of a body that is not announced as more than `limit`. */
enum handler_body handler_request_read_start(struct handler_request *request, size_t limit,
                                             struct bytes *body);
/* Appends what comes next, some ten thousand bytes at most. False: there is no more, or no memory
 * (body->failed). */
bool handler_request_read_more(struct handler_request *request, struct bytes *body);
/* Appends all that is left of the body, at most `limit` bytes with what `body` has already. */
enum handler_body handler_request_read_body(struct handler_request *request, size_t limit,
                                            struct bytes *body);
/* Writes a part of the answer; false when the web server is gone. */
bool handler_request_write(struct handler_request *request, const void *data, size_t length);

#endif
