/* Brings an event to its receivers: formats it once for each requested topic and encoding, and
 * queues it for the connections, which are marked and written before the loop sleeps. */
#ifndef ESN_DELIVERY_H
#define ESN_DELIVERY_H

#include "bytes.h"
#include "event.h"
#include "events/busy_topics.h"
#include "log/event_log.h"
#include "topics/audience.h"
#include "topics/topic_index.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct net;
struct output;
struct stream;
struct streams;
struct transport;

struct delivery {
    struct net *net;
    struct streams *streams;
    struct event_log *log;
    struct topic_matches matches[SUBSCRIPTION_KINDS];
    struct bytes json, name; /* scratch, as what follows */
    struct bytes place;      /* the id of a frame whose receiver does not go on from the event's */
    struct bytes told;       /* `e` of one of the broker's own frames */
    uint64_t iat;            /* of the frames that are written at present */
    size_t id_offset, id_length; /* of the event's id in json */
    uint64_t frames_formatted, bytes_formatted, deliveries;
    struct busy_topics busy;
    uint64_t told_in_replay; /* frames for one stream alone, while that caught up */
};

/* The parts that it works with are the caller's. */
void delivery_open(struct delivery *delivery, struct net *net, struct streams *streams,
                   struct event_log *log);
void delivery_close(struct delivery *delivery);
/* Keeps the event in the log and queues it for everybody whose subscriptions match; *receivers is
 * how many connections. Gives it the next sequence when it has none. False without memory: then
 * nobody has it, nor has the log. A receiver for which alone there is no memory is closed instead,
 * so that it knows of the gap. */
bool delivery_publish(struct delivery *delivery, struct event *event, uint32_t *receivers);
/* The same for presence, which is not kept in the log: its id is that of the newest event, and
 * wildcards in its topic, a client's name, mean nothing. change: its number, which streams that know
 * it are not told of (stream_knows_change()). */
bool delivery_publish_presence(struct delivery *delivery, struct event *event, uint64_t change);
/* Queues a frame for one stream alone, where requested and emitted topic are the same. Its id is
 * that of the newest event. */
bool delivery_send_to(struct delivery *delivery, struct stream *stream, const char *topic,
                      size_t topic_length, const char *json, size_t json_length);
/* The proof by which the stream is heard has ended: nothing more is to be sent, and the stream ends
 * soon. */
bool delivery_proof_is_over(struct delivery *delivery, struct stream *stream);
/* Queues one of the broker's own frames: detail is JSON, position where the client is. */
bool delivery_tell(struct delivery *delivery, struct stream *stream, const char *type,
                   const char *detail, struct log_position position);
/* Queues an event for one stream and one of its topics. again: it comes once more, under another. */
bool delivery_replay(struct delivery *delivery, struct stream *stream,
                     const struct subscription *requested, const struct event *event, bool again);
/* The same into an output that is to be queued for streams of this transport. */
bool delivery_format(struct delivery *delivery, const struct transport *transport,
                     const struct subscription *requested, const struct event *event, bool again,
                     struct output *out);
/* Memory of what it writes with. */
uint64_t delivery_bytes(const struct delivery *delivery);

#endif
