/* One client's connection: reads requests, holds a stream, writes what is queued, ends in one
 * place. */
#ifndef ESN_CONNECTION_H
#define ESN_CONNECTION_H

#include "hash_table.h"
#include "http/http_request.h"
#include "net/acceptor.h"
#include "net/deadlines.h"
#include "net/output.h"
#include "streams/stream_secrets.h"
#include "topics/topic_index.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct server;
struct counted_address;
struct presence_entry;

enum connection_state {
    CONNECTION_READING,   /* waits for a request, or is in the middle of one */
    CONNECTION_STREAMING, /* holds a subscription */
    CONNECTION_ENDING, /* the last bytes of a stream or answer are queued; then reused or closed */
    CONNECTION_LINGERING, /* answered and shut down; reads and throws away what still comes */
    CONNECTION_CLOSED     /* only its memory is left, until the loop has let go of it */
};

enum connection_close_reason {
    CLOSE_CLIENT,      /* the client closed */
    CLOSE_RESET,       /* reset or vanished, as the kernel says */
    CLOSE_DONE,        /* after an answer without keep-alive */
    CLOSE_IDLE,        /* no next request in time */
    CLOSE_HEAD_TIME,   /* head of a request not there in time */
    CLOSE_BODY_TIME,   /* body not there in time */
    CLOSE_STREAM_TIME, /* stream_time is over */
    CLOSE_SLOW,        /* does not read what is sent to it */
    CLOSE_TALKATIVE,   /* sends while it should listen */
    CLOSE_REFUSED,     /* malformed request, or over a limit */
    CLOSE_FULL,        /* max_connections, or no descriptors left */
    CLOSE_ADDRESS,     /* max_connections_per_address */
    CLOSE_MEMORY,
    CLOSE_STOPPING, /* the daemon ends */
    CLOSE_REPLACED, /* the same client came back on another connection */
    CLOSE_REASONS
};

enum { CONNECTION_SECRET_SIZE = STREAM_SECRET_SIZE };

/* What a delivery touches stands first and close together: with thousands of receivers the
 * processor waits for memory more than for anything else. */
struct connection {
    struct subscriber subscriber;
    struct server *server;
    struct replay *replay;   /* while it catches up with the log */
    struct backlog *backlog; /* while the socket takes no more */
    uint64_t last_event;     /* sequence of the newest event counted for this connection */
    struct output output;    /* what is queued for it */
    uint64_t written_at;     /* last time something was queued, ms of the loop's clock */
    char *user;              /* canonical user id of a bound stream; NULL: unbound */
    int descriptor;          /* of the socket, owned by io */
    uint8_t state;           /* enum connection_state */
    uint8_t encoding;        /* enum frame_encoding */
    uint8_t close_reason;    /* enum connection_close_reason, once known */
    bool marked : 1;         /* in the delivery's list */
    bool doomed : 1;         /* could not be given an event: closed before the loop sleeps */
    bool keep_alive : 1;     /* after the present answer or stream */
    bool dirty_input : 1;    /* bytes came while it should listen: no reuse */
    bool asked_past : 1;     /* it said where it was when it came */
    bool recovered : 1;      /* and the log has everything since */
    bool comes_back : 1;     /* it proved to be who it was, so it will again */

    struct hash_node by_connid;
    uint64_t connid; /* 0 until a stream begins */
    struct presence_entry *presence;
    struct counted_address *address; /* NULL: not counted */
    struct http_request *request;    /* while one comes in */
    void *input;                     /* the transport's own, while the stream lasts */
    struct deadline deadline;
    uint64_t ends_at; /* of the stream, or of the present wait */
    char *headers;    /* of the subscription, "name\0value\0..."; NULL when not kept */
    uint32_t headers_length;
    uint32_t ignored_input;
    uint32_t alive_count;
    uint64_t
        messages_due; /* when what the client has said would have come at the pace it may, us */
    unsigned char secret[CONNECTION_SECRET_SIZE];
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } io;
};

/* Serves an accepted socket that does not block, and takes it over with what counts its address.
 * False without memory: both are still the caller's. */
bool connection_open(struct server *server, int descriptor, struct arrival arrival,
                     struct counted_address *address);
/* Queues shared bytes; they are written before the loop sleeps. False without memory (the
 * connection is to be closed). */
bool connection_queue(struct connection *connection, const struct frame *frame);
/* Queues bytes of this connection alone (copied). */
bool connection_queue_bytes(struct connection *connection, const char *bytes, size_t length);
/* Writes what the sockets of these connections take (no more than SEND_BATCH_MOST). The rest stays
 * queued; limits for slow clients are applied here. */
void connection_flush_all(struct server *server, struct connection **connections, size_t count);
/* Closes those that have waited longest for their sockets until queued events fit into
 * max_pending_total again. */
void connection_relieve_memory(struct server *server);
/* When a slow connection's time is over, or UINT64_MAX. */
uint64_t connection_slow_deadline(const struct connection *connection);
/* Callbacks of uv_read_start(). */
void connection_give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer);
void connection_on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer);
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
void connection_end_reading(struct connection *connection, enum connection_close_reason reason);
/* The present request became a stream, held for so long: sets state and deadlines. */
void connection_begin_stream(struct connection *connection, uint64_t hold_ms);
/* Ends a stream cleanly, as its transport does; the connection is reused when the client keeps it.
 */
void connection_end_stream(struct connection *connection, enum connection_close_reason reason);
/* stream_time starts anew; not for a poll, which has the time it asked for. */
void connection_renew(struct connection *connection);
/* The one way out: gives back everything, counts and logs the reason, tells presence. The memory
 * goes when the loop has let go of the handle. Harmless on a closed one. */
void connection_close(struct connection *connection, enum connection_close_reason reason);

struct connection *connection_find(const struct server *server, uint64_t connid);
struct connection *connection_of_subscriber(struct subscriber *subscriber);
struct connection *connection_of_connid_node(struct hash_node *by_connid);
const char *connection_reason_name(enum connection_close_reason reason);
/* True when a handle of the loop is a connection's. */
bool connection_owns_handle(const uv_handle_t *handle);

#endif
