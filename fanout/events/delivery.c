#include "events/delivery.h"

#include "clock.h"
#include "envelope.h"
#include "log/event_log.h"
#include "net/connection.h"
#include "streams/stream.h"
#include "streams/streams.h"
#include "streams/transport.h"
#include "topic.h"

#include <string.h>

/* One event's frames for one requested topic, formatted when the first receiver of an encoding is
 * met. */
struct formatted {
    struct frame frames[FRAME_ENCODINGS];
    bool json_written;
};

static void write_json(struct delivery *delivery, const char *requested, size_t requested_length,
                       const struct delivery_event *event)
{
    struct bytes *json = &delivery->json;
    uint64_t iat = event_log_iat(delivery->log, clock_wall_ms());

    bytes_clear(json);
    bytes_append_text(json, "{\"iat\":");
    bytes_append_number(json, iat);
    bytes_append_text(json, ",\"id\":\"");
    delivery->id_offset = json->length;
    bytes_append_number(json, delivery->log->epoch);
    bytes_append_text(json, "-");
    bytes_append_number(json, event->sequence);
    delivery->id_length = json->length - delivery->id_offset;
    bytes_append_text(json, "\",\"ep\":{\"requested\":");
    bytes_append_json_string(json, requested, requested_length);
    bytes_append_text(json, ",\"emitted\":");
    bytes_append_json_string(json, event->topic, event->topic_length);
    bytes_append_text(json, "},\"e\":");
    bytes_append(json, event->json, event->json_length);
    bytes_append_text(json, "}");
}

static bool store(struct delivery *delivery, int kind, const struct transport *transport,
                  const struct delivery_event *event, struct frame *frame)
{
    struct frame_text text = {.json = delivery->json.data,
                              .length = delivery->json.length,
                              .id_length = delivery->id_length,
                              .server_type = event->server_type};

    if (delivery->json.failed)
        return false;
    text.id = text.json + delivery->id_offset;
    delivery->frames_formatted++;
    delivery->bytes_formatted += delivery->json.length;
    return transport_encode(&delivery->net->frames, kind, transport, &text, frame);
}

/* An inbox is asked for by one name, whoever's it is. */
static bool write_json_for_node(struct delivery *delivery, enum subscription_kind kind,
                                const struct topic_node *node, const struct delivery_event *event)
{
    struct bytes *name = &delivery->name;

    if (kind == SUBSCRIPTION_INBOX) {
        write_json(delivery, AUDIENCE_INBOX_TOPIC, sizeof AUDIENCE_INBOX_TOPIC - 1, event);
        return true;
    }
    bytes_clear(name);
    topic_node_write_name(node, name);
    if (name->failed)
        return false;
    write_json(delivery, name->data, name->length, event);
    return true;
}

/* Where one event goes in one look-up: the requested topic, and its frames so far. */
struct destination {
    enum subscription_kind kind;
    const struct topic_node *node;
    struct formatted formatted;
};

static bool format_frame(struct delivery *delivery, struct destination *to,
                         const struct transport *transport, const struct delivery_event *event)
{
    if (!to->formatted.json_written && !write_json_for_node(delivery, to->kind, to->node, event))
        return false;
    to->formatted.json_written = true;
    return store(delivery, (int)transport->encoding, transport, event,
                 &to->formatted.frames[transport->encoding]);
}

static bool queue_shared(struct delivery *delivery, struct stream *stream, struct destination *to,
                         const struct delivery_event *event)
{
    struct frame *frame = &to->formatted.frames[stream->encoding];

    return (frame->segment != NULL || format_frame(delivery, to, stream->transport, event)) &&
           connection_queue(&stream->connection, frame);
}

/* Gives the event to one receiver. One that cannot have it is closed before the loop sleeps, not
 * here: its topics are just being walked. One that catches up will find it in the log. */
static void give(struct delivery *delivery, struct stream *stream, struct destination *to,
                 const struct delivery_event *event, uint32_t *receivers)
{
    if (stream->replay != NULL && event->presence)
        return;
    if (stream->replay == NULL && !queue_shared(delivery, stream, to, event)) {
        stream->connection.doomed = true;
        connection_mark(&stream->connection);
        return;
    }
    delivery->deliveries++;
    if (stream->last_event != event->sequence)
        (*receivers)++;
    stream->last_event = event->sequence;
}

static bool whisper_reaches(struct delivery *delivery, const struct subscription *subscription,
                            const struct delivery_event *event)
{
    struct bytes *name = &delivery->name;

    if (subscription->kind == SUBSCRIPTION_INBOX)
        return true; /* the audience says whether it is targeted */
    bytes_clear(name);
    topic_node_write_name(subscription->node, name);
    return !name->failed &&
           topic_matches(name->data, name->length, event->topic, event->topic_length);
}

static void whisper(struct delivery *delivery, struct delivery_event *event, uint32_t *receivers)
{
    struct stream *stream = streams_find(delivery->streams, event->whisper);

    for (uint32_t i = 0; stream != NULL && i < stream->subscriber.count; i++) {
        const struct subscription *subscription = &stream->subscriber.subscriptions[i];
        struct destination to = {.kind = subscription->kind, .node = subscription->node};

        if (audience_has(&event->audience, to.kind, stream->user) &&
            whisper_reaches(delivery, subscription, event))
            give(delivery, stream, &to, event, receivers);
    }
}

static void shout_to_node(struct delivery *delivery, enum subscription_kind kind,
                          const struct topic_node *node, struct delivery_event *event,
                          uint32_t *receivers)
{
    struct destination to = {.kind = kind, .node = node};

    for (uint32_t r = 0; r < node->receiver_count; r++) {
        struct stream *stream = stream_of_subscriber(node->receivers[r].subscriber);
        if (kind == SUBSCRIPTION_OPEN || audience_has(&event->audience, kind, stream->user))
            give(delivery, stream, &to, event, receivers);
    }
}

static void shout_to_matches(struct delivery *delivery, enum subscription_kind kind,
                             struct delivery_event *event, uint32_t *receivers)
{
    const struct topic_matches *matches = &delivery->matches[kind];

    for (size_t i = 0; i < matches->count; i++)
        shout_to_node(delivery, kind, matches->nodes[i], event, receivers);
}

/* Each allowed user's inbox is looked up: the cost is that of those users, not of all who have an
 * inbox. */
static void shout_to_inboxes(struct delivery *delivery, struct delivery_event *event,
                             uint32_t *receivers)
{
    const struct audience *audience = &event->audience;
    const struct topic_index *inboxes = &delivery->streams->topics[SUBSCRIPTION_INBOX];

    for (size_t at = 0; at < audience->allowed_length;) {
        const char *user = audience->allowed + at;
        size_t length = strnlen(user, audience->allowed_length - at);
        const struct topic_node *node = topic_index_find(inboxes, user, length);
        if (node != NULL)
            shout_to_node(delivery, SUBSCRIPTION_INBOX, node, event, receivers);
        at += length + 1;
    }
}

static bool keep(struct delivery *delivery, struct delivery_event *event)
{
    const struct event_record record = {.topic = event->topic,
                                        .topic_length = event->topic_length,
                                        .json = event->json,
                                        .json_length = event->json_length,
                                        .allowed = event->audience.allowed,
                                        .allowed_length = event->audience.allowed_length,
                                        .flags = event->audience.flags,
                                        .whisper = event->whisper};

    if (event->presence) {
        /* Not kept, so a client that resumes from it resumes from the event before. */
        event->sequence = delivery->log->sequence;
        return true;
    }
    if (!event->sequence)
        event->sequence = event_log_take_sequence(delivery->log);
    return event_log_append(delivery->log, &record, event->sequence,
                            loop_now(&delivery->net->loop));
}

static bool match(struct delivery *delivery, enum subscription_kind kind,
                  const struct delivery_event *event)
{
    struct topic_matches *matches = &delivery->matches[kind];

    topic_index_match(&delivery->streams->topics[kind], event->topic, event->topic_length,
                      event->presence, matches);
    return !matches->failed;
}

static bool shout(struct delivery *delivery, struct delivery_event *event, uint32_t *receivers)
{
    uint16_t flags = event->audience.flags;
    bool bound = (flags & ENVELOPE_BOUND) != 0;
    bool open = !bound || (flags & ENVELOPE_EVERYONE) != 0;

    if (flags & ENVELOPE_TARGETED) {
        if (!keep(delivery, event))
            return false;
        shout_to_inboxes(delivery, event, receivers);
        return true;
    }
    if ((bound && !match(delivery, SUBSCRIPTION_BOUND, event)) ||
        (open && !match(delivery, SUBSCRIPTION_OPEN, event)) || !keep(delivery, event))
        return false;
    if (bound)
        shout_to_matches(delivery, SUBSCRIPTION_BOUND, event, receivers);
    if (open)
        shout_to_matches(delivery, SUBSCRIPTION_OPEN, event, receivers);
    return true;
}

bool delivery_publish(struct delivery *delivery, struct delivery_event *event, uint32_t *receivers)
{
    bool taken = true;

    *receivers = 0;
    if (!event->whisper)
        taken = shout(delivery, event, receivers);
    else if ((taken = keep(delivery, event)))
        whisper(delivery, event, receivers);
    audience_free(&event->audience);
    return taken;
}

static bool send_to(struct delivery *delivery, struct stream *stream,
                    const struct delivery_event *event)
{
    write_json(delivery, event->topic, event->topic_length, event);
    struct frame frame;
    return store(delivery, FRAME_PRIVATE, stream->transport, event, &frame) &&
           connection_queue(&stream->connection, &frame);
}

bool delivery_send_to(struct delivery *delivery, struct stream *stream, const char *topic,
                      size_t topic_length, const char *json, size_t json_length)
{
    const struct delivery_event event = {.topic = topic,
                                         .topic_length = topic_length,
                                         .json = json,
                                         .json_length = json_length,
                                         .sequence = delivery->log->sequence};

    return send_to(delivery, stream, &event);
}

bool delivery_tell(struct delivery *delivery, struct stream *stream, const char *type,
                   const char *detail, uint64_t sequence)
{
    struct bytes *json = &delivery->told;
    struct delivery_event event = {.topic = "@SERVER@",
                                   .topic_length = sizeof "@SERVER@" - 1,
                                   .server_type = type,
                                   .sequence = sequence};

    bytes_clear(json);
    bytes_append_text(json, "{\"type\":\"");
    bytes_append_text(json, type);
    bytes_append_text(json, "\",\"detail\":");
    bytes_append_text(json, detail);
    bytes_append_text(json, "}");
    event.json = json->data;
    event.json_length = json->length;
    return !json->failed && send_to(delivery, stream, &event);
}

bool delivery_replay(struct delivery *delivery, struct stream *stream,
                     const struct subscription *requested, const struct delivery_event *event)
{
    struct frame frame;

    return write_json_for_node(delivery, requested->kind, requested->node, event) &&
           store(delivery, FRAME_PRIVATE, stream->transport, event, &frame) &&
           connection_queue(&stream->connection, &frame);
}

void delivery_open(struct delivery *delivery, struct net *net, struct streams *streams,
                   struct event_log *log)
{
    *delivery = (struct delivery){.net = net, .streams = streams, .log = log};
}

void delivery_close(struct delivery *delivery)
{
    for (int kind = 0; kind < SUBSCRIPTION_KINDS; kind++)
        topic_matches_free(&delivery->matches[kind]);
    bytes_free(&delivery->json);
    bytes_free(&delivery->name);
    bytes_free(&delivery->told);
}
