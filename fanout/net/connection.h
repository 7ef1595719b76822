/* One client's connection: reads what its user wants to have, writes what is queued, ends in one
 * place. Knows its user by a table alone. */
#ifndef ESN_CONNECTION_H
#define ESN_CONNECTION_H

#include "net/close_reason.h"
#include "net/deadlines.h"
#include "net/net.h"
#include "net/output.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct connection;
struct counted_address;
struct tls_session;

enum connection_state {
    CONNECTION_READING,   /* waits for a request, or is in the middle of one */
    CONNECTION_STREAMING, /* holds a subscription */
    CONNECTION_ENDING, /* the last bytes of a stream or answer are queued; then reused or closed */
    CONNECTION_LINGERING, /* answered and shut down; reads and throws away what still comes */
    CONNECTION_CLOSED     /* only its memory is left, until the loop has let go of it */
};

/* What a connection is for at present: set when it is accepted, when a stream begins and when one
 * ends. While it ends, lingers or is closed only `left` and `before_write` are called. */
struct connection_user {
    /* Bytes of the client. It may close the connection. */
    void (*input)(struct connection *connection, const char *bytes, size_t length);
    /* When `due` is to be called, ms of the loop's clock; asked by connection_set_deadline(). */
    uint64_t (*deadline)(const struct connection *connection);
    void (*due)(struct connection *connection);
    /* Everything queued was written. NULL: that means nothing. */
    void (*drained)(struct connection *connection);
    /* Before queued bytes are written: false when they are to wait. NULL: they never are. */
    bool (*before_write)(struct connection *connection);
    /* The daemon stops: ends it soon, or leaves it to its deadline. */
    void (*stop)(struct connection *connection);
    /* The connection is being closed: gives back what the user holds for it. */
    void (*left)(struct connection *connection);
};

/* What a delivery touches stands first and close together: with thousands of receivers the
 * processor waits for memory more than for anything else. */
struct connection {
    struct net *net;
    struct output output; /* what is queued for it */
    uint64_t written_at;  /* last time something was queued, ms of the loop's clock */
    const struct connection_user *user;
    struct backlog *backlog;  /* while the socket takes no more */
    int descriptor;           /* of the socket, owned by io */
    uint8_t state : 3;        /* enum connection_state */
    bool opening : 1;         /* its user is that of proxy_opening.h */
    bool announced : 1;       /* whose it is was said by a proxy: see struct arrival */
    bool for_metrics : 1;     /* alone, see struct arrival */
    bool secured : 1;         /* has a tls_session */
    bool put_off : 1;         /* is in net->put_off */
    uint8_t close_reason : 7; /* enum close_reason, once known */
    bool handed_over : 1;     /* to the next program, see upgrade/saved_connections.h */
    bool marked : 1;          /* in the write queue */
    bool doomed : 1;          /* could not be given an event: closed before the loop sleeps */
    bool keep_alive : 1;      /* after the present answer or stream */
    bool kept_place : 1;      /* of NET_KEPT_PLACES: for operators and health checks alone */
    bool dirty_input : 1;     /* bytes came while it should listen: no reuse */
    bool leaves_unseen : 1; /* what stands before the daemon sees only when it writes that a client
                                has left */
    bool from_proxy : 1;    /* which is trusted to say whose each request is */
    bool outlived : 1;      /* see connection_outlive() */
    uint8_t proxy;          /* the number of its address (net_number_proxy), or 0 */

    struct deadline deadline;
    union {
        /* Its data: the struct counted_address, NULL when it is not counted; of one that is secured
         * the struct tls_session, which has that; of one that is opening its user's own. */
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp; /* of a Unix socket too: libuv's own handle for those is larger */
    } io;
};

/* Serves an accepted socket that does not block, and takes it over with what counts its address.
 * NULL without memory: both are still the caller's. It may be closed already. */
struct connection *connection_open(struct net *net, int descriptor, struct arrival arrival,
                                   struct counted_address *address);
/* What is known of who is at the other end. */
void connection_set_arrival(struct connection *connection, const struct arrival *arrival);
/* From here on it speaks TLS. False without memory. */
bool connection_secure(struct connection *connection);
/* Bytes of the socket, for its user, which gets them opened when it is secured. */
void connection_take(struct connection *connection, const char *bytes, size_t length);
/* Of one that is secured. */
struct tls_session *connection_tls(const struct connection *connection);
/* Whose it is at present; NULL: nobody knows. */
struct counted_address *connection_address(const struct connection *connection);
/* What has been done for it since its work began was for whom it was counted to: charges that, and
 * counts it to another one, or to nobody (NULL). Takes over what counts it. */
void connection_set_address(struct connection *connection, struct counted_address *address);
/* Bytes of what is coming in from that address; NULL: nobody's. */
uint64_t *connection_bodies(const struct connection *connection);
/* NULL: nobody's. */
struct turn_share *connection_share(const struct connection *connection);
/* Queues shared bytes; they are written before the loop sleeps. False without memory (the
 * connection is to be closed). */
bool connection_queue(struct connection *connection, const struct frame *frame);
/* The same for all of an output, which stays as it is. */
bool connection_queue_all(struct connection *connection, const struct output *output);
/* Queues bytes of this connection alone (copied). */
bool connection_queue_bytes(struct connection *connection, const char *bytes, size_t length);
/* It has something to write, or is doomed; harmless when it is marked already. */
void connection_mark(struct connection *connection);
/* Room for marking so many connections, so that marking cannot fail; false without memory. */
bool connection_reserve_marks(struct net *net, uint64_t connections);
/* How many are marked. */
size_t connection_marks(const struct net *net);
/* It has left the queue; one that is closed is freed where the loop has let go of it. */
void connection_unmark(struct connection *connection);
/* Writes the oldest marked connections, as many as go in one system call. True while others are
 * left. */
bool connection_flush_some(struct net *net);
/* Writes marked connections, as many as this turn of the loop has time for. True while others are
 * left: they are to be written in the next turn, before the loop sleeps. */
bool connection_flush(struct net *net);
/* Empties the queue when nothing is open any more. */
void connection_drop_marks(struct net *net);
/* Writes what the sockets of these connections take (no more than SEND_BATCH_MOST). The rest stays
 * queued; limits for slow clients are applied here. */
void connection_write_all(struct net *net, struct connection **connections, size_t count);
/* Closes those that have waited longest for their sockets until queued events fit into
 * max_pending_total again. */
void connection_relieve_memory(struct net *net);
/* The same for `most` bytes, in favour of others who have room: only those that have waited for
 * soft_time. */
void connection_relieve_for_others(struct net *net, uint64_t most);
/* How many of the oldest queued bytes the socket has taken already: they stay queued until the loop
 * has written all that it was given together. Of one that is secured: 0, what is queued is not what
 * is written. */
size_t connection_taken_ahead(const struct connection *connection);
/* The other end took something of what waits for it since the last call, or since it had to wait. */
bool connection_has_moved(struct connection *connection);
/* When that is to be asked for one that may not stand still; UINT64_MAX: nothing waits. */
uint64_t connection_stall_deadline(const struct connection *connection);
/* When a slow connection's time is over, or UINT64_MAX. */
uint64_t connection_slow_deadline(const struct connection *connection);
/* Writes what of a secured connection the socket did not take at once. */
void connection_write_sealed(struct connection *connection);
/* Its user gets what comes, as turns of the loop have time for it. 0, or an error of libuv. */
int connection_start_reading(struct connection *connection);
void connection_stop_reading(struct connection *connection);
/* It could be read from, but not in this turn: the loop does not look at its socket until it is
 * resumed, the oldest first. */
void connection_put_off(struct connection *connection);
/* It needs not be resumed, if it was put off. */
void connection_take_from_put_off(struct connection *connection);
/* Resumes as many as a turn may have time for, by the shares of their addresses. True while others
 * wait: the loop is not to sleep. */
bool connection_resume_put_off(struct net *net);
/* Forgets what is queued; for connection_close(). */
void connection_drop_output(struct connection *connection);
/* For deadlines_advance(). */
void connection_on_deadline(struct deadline *deadline, void *context);
/* Everything queued was written. */
void connection_drained(struct connection *connection);
/* Waits for what the present state waits for, counted from now. */
void connection_set_deadline(struct connection *connection);
/* The answer to the present request is queued whole: what follows it is read when it was written.
 */
void connection_end_answer(struct connection *connection, bool keep_alive);
/* No further request is to be read: closes once what is queued is written. */
void connection_end_reading(struct connection *connection, enum close_reason reason);
/* What was queued is the last of a stream: when it is written the connection is closed, or, with
 * connection->keep_alive, read from again for its user, which is the next one already. */
void connection_end_writing(struct connection *connection, enum close_reason reason);
/* The one way out: gives back everything, counts and logs the reason, tells the user. The memory
 * goes when the loop has let go of the handle. Harmless on a closed one. */
void connection_close(struct connection *connection, enum close_reason reason);
/* Its memory is needed even when it is closed, until connection_release(), which frees it where the
 * loop has let go of it. */
void connection_outlive(struct connection *connection);
void connection_release(struct connection *connection);

/* Those whose sockets take no more, the one that has waited longest first, with the ms of the loop's
 * clock since when; until visit says false. */
void connection_each_slow(const struct net *net,
                          bool (*visit)(const struct connection *, uint64_t since, void *context),
                          void *context);
/* Memory that slow connections and the queue of what is to be written take beside connections. */
uint64_t connection_backlog_bytes(const struct net *net);
uint64_t connection_marks_bytes(const struct net *net);

/* Whose `io` it is. */
static inline struct connection *connection_of_io(void *io)
{
    return (struct connection *)(void *)((char *)io - offsetof(struct connection, io));
}

/* Whose handle of the loop it is; NULL: no connection's. */
struct connection *connection_of_handle(uv_handle_t *handle);

#endif
