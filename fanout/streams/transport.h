/* How a stream travels to its client: how frames are written, and what begins it, keeps it alive
 * and ends it. Each transport is a file of its own in transports/; adding one adds a line to the
 * table there and a route, and touches nothing of delivery. */
#ifndef ESN_TRANSPORT_H
#define ESN_TRANSPORT_H

#include "net/close_reason.h"
#include "net/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes;
struct connection;
struct http_request;
struct saved_reader;
struct saved_writer;

/* One event for one requested topic, before it is encoded. */
struct frame_text {
    const char *json; /* ASCII (docs/protocol.md section 2) */
    size_t length;
    const char *id;          /* from which its receiver goes on */
    size_t id_length;        /* 0: not to be resumed from */
    const char *server_type; /* of the broker's own frames; NULL: an event */
};

struct transport {
    const char *name; /* as /state counts streams; those that differ in chunks alone share it */
    enum frame_encoding encoding;
    bool chunked;  /* its bytes go out in HTTP/1.1 chunks */
    bool reusable; /* when the stream has ended cleanly, the connection takes a request again */
    /* A client resumes from the id of the newest frame: of an event that it has under several topics,
     * only the last frame may say it. */
    bool resumes_by_frame;
    bool answers_pings; /* its keep-alive is a question that every client answers */
    bool answers_once;  /* is no stream for the client, which asks again for what follows */
    /* Encodes a frame into a segment of the given kind (frame_store). False without memory. */
    bool (*encode)(struct frame_pool *pool, int kind, bool chunked, const struct frame_text *text,
                   struct frame *out);
    /* Queues what stands before the first frame. This and what follows: false without memory. */
    bool (*open)(struct connection *connection, const struct http_request *request);
    /* All that comes before the first event is queued, or some more of it. NULL: and can be
     * written. */
    bool (*begun)(struct connection *connection);
    /* Queues what tells client and proxies that the stream still lives. */
    bool (*keep_alive)(struct connection *connection);
    /* Queues how long to wait before coming back, where the transport has a word for that; NULL:
     * it has none. */
    bool (*hint_retry)(struct connection *connection, uint64_t retry_ms);
    /* Queues what ends a stream. connid and topics are still there. */
    bool (*end)(struct connection *connection, enum close_reason reason);
    /* Bytes from the client while it holds a stream. It may close the connection. NULL: it has
     * nothing to say, and is ignored within bounds. */
    void (*input)(struct connection *connection, const char *bytes, size_t length);
    /* The stream is over: frees stream->transport_state. NULL: there is none. Harmless when it is
     * freed. */
    void (*forget_state)(struct connection *connection);
    /* When what the client has begun to say has to be whole, ms of the loop's clock; UINT64_MAX: it
     * has begun nothing. NULL: it says nothing. */
    uint64_t (*input_due)(const struct connection *connection);
    /* It is not: ends the stream. */
    void (*input_late)(struct connection *connection);
    /* For another program that goes on with the stream: appends what the client has begun to say,
     * as it came, to be given to it as input. False: it cannot be told. NULL: it says nothing. */
    bool (*begun_input)(const struct connection *connection, struct bytes *out);
    /* Likewise, what the transport itself has to know of the stream, to be read there. NULL: it
     * keeps nothing but that input. False: it is not as it should be, or without memory. */
    void (*save)(const struct connection *connection, struct saved_writer *writer);
    bool (*load)(struct connection *connection, struct saved_reader *reader);
};

/* Encodes a frame as this transport does; see encode. */
bool transport_encode(struct frame_pool *pool, int kind, const struct transport *transport,
                      const struct frame_text *text, struct frame *out);
/* Encodes with head and tail around the JSON, in an HTTP/1.1 chunk of its own when chunked. */
bool transport_store(struct frame_pool *pool, int kind, bool chunked, const char *head,
                     size_t head_length, const struct frame_text *text, const char *tail,
                     struct frame *out);
/* Queues bytes of this connection alone, in a chunk of their own when its transport is chunked. */
bool transport_queue(struct connection *connection, const char *bytes, size_t length);
/* The end of a body: the last chunk (RFC 9112, section 7.1), or nothing, when it is the end of the
 * connection. */
bool transport_end_body(struct connection *connection, enum close_reason reason);

#endif
