/* What all connections of one loop share. */
#ifndef ESN_NET_H
#define ESN_NET_H

#include "address_range.h"
#include "config/config.h"
#include "net/address_limits.h"
#include "net/close_reason.h"
#include "net/deadlines.h"
#include "net/frame.h"
#include "net/loop.h"
#include "net/written_watch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct backlog;
struct connection;
struct send_batch;
struct tls_context;
struct service;

enum {
    NET_ERROR_SIZE = 512,
    NET_READ_BUFFER = 64 * 1024,
    /* Taken at once: all requests in it are answered before the time of the turn is looked at. */
    NET_READ_PIECE = 16 * 1024,
    /* Beyond max_connections, so that operators and health checks get in, and whoever else comes is
     * told in its own words why not. */
    NET_KEPT_PLACES = 256,
    NET_PROXIES_KNOWN = 16
};

/* On which kind of socket a client arrived. */
struct arrival {
    bool is_tcp;
    bool speaks_lines; /* not HTTP */
    bool is_tls;
    bool is_for_metrics; /* alone, and health: [metrics] listen */
    bool is_kept_place;  /* of NET_KEPT_PLACES */
    bool is_trusted;     /* of struct net_proxies */
    bool is_proxy;       /* and its requests say for whom they are */
    bool says_for_whom;  /* before all else: see proxy_header.h */
    bool is_announced;   /* it did: the address is what it said */
    bool has_address;
    struct ip_address address;
};

/* Web servers that are trusted to say whom they ask for. */
struct net_proxies {
    struct address_range *ranges; /* owned */
    size_t count;
    bool is_local; /* whoever can open a unix socket of ours */
};

/* The addresses that they come from. A connection names its own by a number. */
struct net_known_proxies {
    struct ip_address list[NET_PROXIES_KNOWN];
    uint8_t count;
};

/* Whose connections these are. Each is a part of a larger struct, which is allocated with it,
 * zeroed, and freed with it. */
struct net_client {
    size_t size, offset; /* of that struct; of the connection in it */
    /* Sets connection->user of one that was accepted. */
    void (*greet)(struct connection *connection, struct arrival arrival);
};

/* Connections that have something to be written: each stands in the queue once. */
struct write_queue {
    struct connection **marked; /* [start, end) */
    size_t start, end, capacity;
    uint64_t taken;           /* connections that had their turn, or were closed before it */
    struct send_batch *batch; /* writes many in one system call; NULL: each by itself */
};

/* A ring of connections that could be read from when a turn of the loop had no time left for them. */
struct put_off_queue {
    struct connection **waiting;
    size_t start, count, capacity;
};

struct net_counters {
    uint64_t accepted;              /* connections, those refused at once too */
    uint64_t refused_full;          /* connections answered 503 */
    uint64_t closed[CLOSE_REASONS]; /* by enum close_reason */
};

struct net {
    struct loop loop;
    const struct config *config; /* the owner's; may change between two turns of the loop */
    struct net_client client;
    struct service *service; /* of whoever serves the clients; nothing here looks at it */
    struct deadlines deadlines;
    struct frame_pool frames;
    struct write_queue writes;
    struct put_off_queue put_off;
    struct address_limits addresses;
    struct net_proxies proxies;
    struct net_known_proxies known_proxies;
    uint64_t sealed_bytes;            /* that wait for their sockets */
    struct tls_context *tls;          /* NULL: nobody comes by TLS */
    TAILQ_HEAD(, backlog) by_backlog; /* slow connections, by the time they began to be */
    uint64_t backlogs;
    uint64_t connections; /* open sockets */
    uint64_t max_connections;
    struct net_counters counters;
    struct written_watch written;
    bool stopping;                     /* no connection is kept for another request */
    char read_buffer[NET_READ_BUFFER]; /* one for all connections: reading is done by the end of
                                          its callback */
};

/* Zeroes it and opens the loop; config is the owner's and outlives it. 0, or an error of libuv:
 * nothing is open then. */
int net_open(struct net *net, const struct config *config);
/* Takes [fanout] trusted_proxies over; false without memory: they stay as they were. For
 * connections that are accepted from then on. */
bool net_trust_proxies(struct net *net);
/* The number of a proxy's address, from 1; 0: there are too many of them. */
uint8_t net_number_proxy(struct net *net, const struct ip_address *address);
/* Reads certificates and keys of TLS, at first and again; false with a sentence in error: those of
 * before stay. */
bool net_load_tls(struct net *net, char error[NET_ERROR_SIZE]);
/* Frees what is left when the loop has run to its end. */
void net_close(struct net *net);

#endif
