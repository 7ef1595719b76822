/* Requests that a proxy handed over while their client's address has used more than its share of
 * the loop: they wait for a later turn, and do not keep those of others waiting. Of a client that
 * comes directly nothing is read meanwhile (net/connection_read.c); a proxy's connection may bring
 * anybody's request, so that is known only when it was read. */
#ifndef ESN_WAITING_REQUESTS_H
#define ESN_WAITING_REQUESTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct connection;
struct connection_user;
struct http_request;
struct service;
struct waiting_request;

struct waiting_requests {
    TAILQ_HEAD(, waiting_request) queue;
    /* Who reads requests, and has one answered and frees it. */
    const struct connection_user *reader;
    void (*answer)(struct connection *connection, struct http_request *request);
    uint64_t count;
    uint64_t refused; /* since the start */
};

/* Of a zeroed one. */
void waiting_requests_open(struct waiting_requests *waiting, const struct connection_user *reader,
                           void (*answer)(struct connection *connection,
                                          struct http_request *request));
/* True when the request was taken over, to be answered later, or was refused (429). False: it is to
 * be answered now. */
bool waiting_requests_hold(struct connection *connection, struct http_request *request);
/* Has those answered whose turn has come, as far as there is time. True while others are left. */
bool waiting_requests_run(struct service *service);

#endif
