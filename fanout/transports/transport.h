/* How a stream is dressed for its client: how frames are written, and what begins it, keeps it
 * alive and ends it. Each transport is a file of its own; adding one adds a line to the table in
 * transport.c and a route, and touches nothing of delivery. */
#ifndef ESN_TRANSPORT_H
#define ESN_TRANSPORT_H

#include "net/connection.h"
#include "net/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_request;

/* One event for one requested topic, before it is dressed. */
struct frame_text {
    const char *json; /* ASCII (docs/protocol.md section 2) */
    size_t length;
    const char *id; /* of the event; a part of json */
    size_t id_length;
    const char *server_type; /* of the broker's own frames; NULL: an event */
};

struct transport {
    const char *name; /* as /state counts streams; those that differ in chunks alone share it */
    bool chunked;     /* its bytes go out in HTTP/1.1 chunks */
    bool reusable;    /* when the stream has ended cleanly, the connection takes a request again */
    bool without_request; /* no HTTP: what the client says goes to input from the beginning */
    bool answers_once;    /* is no stream for the client, which asks again for what follows */
    /* Dresses a frame into a segment of the given kind (frame_store). False without memory. */
    bool (*encode)(struct frame_pool *pool, int kind, bool chunked, const struct frame_text *text,
                   struct frame *out);
    /* Queues what stands before the first frame. This and what follows: false without memory. */
    bool (*open)(struct connection *connection, const struct http_request *request);
    /* All that comes before the first event is queued. NULL: and can be written. */
    bool (*begun)(struct connection *connection);
    /* Queues what tells client and proxies that the stream still lives. */
    bool (*keep_alive)(struct connection *connection);
    /* Queues how long to wait before coming back, where the transport has a word for that; NULL:
     * it has none. */
    bool (*hint_retry)(struct connection *connection, uint64_t retry_ms);
    /* Queues what ends a stream. connid and topics are still there. */
    bool (*end)(struct connection *connection, enum connection_close_reason reason);
    /* Before queued bytes are written: false when they are to wait. NULL: they never are. */
    bool (*before_write)(struct connection *connection);
    /* Bytes from the client while it holds a stream. It may close the connection. NULL: it has
     * nothing to say, and is ignored within bounds. */
    void (*input)(struct connection *connection, const char *bytes, size_t length);
    /* The stream is over: frees connection->input. NULL: there is none. Harmless when it is freed.
     */
    void (*forget_input)(struct connection *connection);
    /* When what the client has begun to say has to be whole, ms of the loop's clock; UINT64_MAX: it
     * has begun nothing. NULL: it says nothing. */
    uint64_t (*input_due)(const struct connection *connection);
    /* It is not: ends the stream. */
    void (*input_late)(struct connection *connection);
};

/* Of enum frame_encoding. */
const struct transport *transport_of_encoding(enum frame_encoding encoding);
const struct transport *transport_of(const struct connection *connection);
/* Dresses a frame as this encoding does; see encode. */
bool transport_encode(struct frame_pool *pool, int kind, enum frame_encoding encoding,
                      const struct frame_text *text, struct frame *out);
/* Dresses with head and tail around the JSON, in an HTTP/1.1 chunk of its own when chunked. */
bool transport_store(struct frame_pool *pool, int kind, bool chunked, const char *head,
                     size_t head_length, const struct frame_text *text, const char *tail,
                     struct frame *out);
/* Queues bytes of this connection alone, in a chunk of their own when it is chunked. */
bool transport_queue(struct connection *connection, const char *bytes, size_t length);
/* The end of a body: the last chunk (RFC 9112, section 7.1), or nothing, when it is the end of the
 * connection. */
bool transport_end_body(struct connection *connection, enum connection_close_reason reason);

extern const struct transport transport_frames_chunked, transport_frames_plain;
extern const struct transport transport_sse_chunked, transport_sse_plain;
extern const struct transport transport_poll, transport_websocket, transport_lines;

/* Routes: a request shape each. They answer with the reason, or begin the stream. */
void transport_frames_answer(struct connection *connection, const struct http_request *request);
void transport_sse_answer(struct connection *connection, const struct http_request *request);
void transport_poll_answer(struct connection *connection, const struct http_request *request);
void transport_websocket_answer(struct connection *connection, const struct http_request *request);

#endif
