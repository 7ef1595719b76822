/* Brings an event to its receivers: formats it once for each requested topic and encoding, marks
 * the connections, and writes them before the loop sleeps. */
#ifndef ESN_DELIVERY_H
#define ESN_DELIVERY_H

#include "bytes.h"
#include "net/frame.h"
#include "topics/audience.h"
#include "topics/topic_index.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct server;
struct connection;
struct send_batch;

struct delivery {
    struct frame_pool pool;
    struct topic_matches matches[SUBSCRIPTION_KINDS];
    struct connection **marked; /* a queue of those to be written: [marked_start, marked_end) */
    size_t marked_start, marked_end, marked_capacity;
    struct send_batch *batch;    /* writes many in one system call; NULL: each by itself */
    struct bytes json, name;     /* scratch, as what follows */
    struct bytes told;           /* `e` of one of the broker's own frames */
    struct bytes text;           /* of whoever queues bytes that it makes up */
    size_t id_offset, id_length; /* of the event's id in json */
    uint64_t frames_formatted, bytes_formatted, deliveries;
};

struct delivery_event {
    const char *topic;
    size_t topic_length;
    const char *json; /* `e` as canonical ASCII JSON */
    size_t json_length;
    uint64_t sequence; /* second half of its id; 0: delivery_publish() takes the next one */
    uint64_t whisper;  /* connid, or 0 for a shout */
    struct audience audience;
    const char *server_type; /* of one of the broker's own frames; NULL: an event */
    bool presence;           /* not kept in the log, and wildcards in the topic mean nothing */
};

/* Gives the event its id, keeps it in the log and queues it for everybody whose subscriptions
 * match; *receivers is how many connections. False without memory: then nobody has it, nor has the
 * log. A receiver for which alone there is no memory is closed instead, so that it knows of the
 * gap. */
bool delivery_publish(struct server *server, struct delivery_event *event, uint32_t *receivers);
/* Queues a frame for one connection alone, where requested and emitted topic are the same. Its id
 * is that of the newest event. */
bool delivery_send_to(struct server *server, struct connection *connection, const char *topic,
                      size_t topic_length, const char *json, size_t json_length);
/* Queues one of the broker's own frames: detail is JSON, sequence that of the last event before it.
 */
bool delivery_tell(struct server *server, struct connection *connection, const char *type,
                   const char *detail, uint64_t sequence);
/* Queues an event of the log for one connection that catches up. */
bool delivery_replay(struct server *server, struct connection *connection,
                     const struct subscription *requested, const struct delivery_event *event);
/* Room for marking so many connections, so that marking cannot fail; false without memory. */
bool delivery_reserve(struct delivery *delivery, uint64_t connections);
/* The connection has something to write, or is doomed; harmless when it is marked already. */
void delivery_mark(struct server *server, struct connection *connection);
/* How many are marked. */
size_t delivery_marked(const struct server *server);
/* Writes the oldest marked connections, as many as go in one system call. True while others are
 * left: none may stay marked when the loop goes on, since those that are closed are freed then. */
bool delivery_flush_some(struct server *server);
/* Writes every marked connection. */
void delivery_flush(struct server *server);
void delivery_close(struct server *server);

#endif
