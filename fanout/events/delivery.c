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

/* ---- formatting ---- */

static void take_time(struct delivery *delivery)
{
    delivery->iat = event_log_iat(delivery->log, clock_wall_ms());
}

/* What an engine has numbered says at all daemons when the engine took it; its clock may be ahead of ours. */
static void take_time_of(struct delivery *delivery, const struct event *event)
{
    uint64_t now = clock_wall_ms();

    delivery->iat = event_log_iat(
        delivery->log, event->wall_ms != 0 && event->wall_ms < now ? event->wall_ms : now);
}

/* A last value says its own id, whoever it is said to. */
static struct log_position written_position(const struct event *event)
{
    if (event->place != NULL && !event->is_value)
        return *event->place;
    return (struct log_position){.sequence = event->sequence, .values_after = event->sequence};
}

/* Who begins later hears a last value as `kept`; who is there, or comes back, as the event that it is. */
static const char *last_value_member(const struct event *event)
{
    if (event->is_value)
        return ",\"kept\":true}";
    return (event->flags & ENVELOPE_KEEP) != 0 ? ",\"keep\":true}" : "}";
}

static void write_json(struct delivery *delivery, const char *requested, size_t requested_length,
                       const struct event *event)
{
    struct bytes *json = &delivery->json;

    bytes_clear(json);
    bytes_append_text(json, "{\"iat\":");
    bytes_append_number(json, delivery->iat);
    bytes_append_text(json, ",\"id\":\"");
    delivery->id_offset = json->length;
    event_log_write_id(delivery->log, written_position(event), json);
    delivery->id_length = json->length - delivery->id_offset;
    bytes_append_text(json, (event->flags & ENVELOPE_REPORT) != 0 ? "\",\"report\":true" : "\"");
    bytes_append_text(json, ",\"ep\":{\"requested\":");
    bytes_append_json_string(json, requested, requested_length);
    bytes_append_text(json, ",\"emitted\":");
    bytes_append_json_string(json, event->topic, event->topic_length);
    bytes_append_text(json, "},\"e\":");
    bytes_append(json, event->json, event->json_length);
    bytes_append_text(json, last_value_member(event));
    bytes_clear(&delivery->place);
    if (event->is_value && event->place != NULL)
        event_log_write_id(delivery->log, *event->place, &delivery->place);
}

/* An inbox is asked for by one name, whoever's it is. */
static bool write_json_for_node(struct delivery *delivery, enum subscription_kind kind,
                                const struct topic_node *node, const struct event *event)
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

/* Makes a frame of what was written. server_type: of one of the broker's own, or NULL. again: the
 * event comes once more, under another topic, so nobody may resume from here. */
static bool encode_json(struct delivery *delivery, int kind, const struct transport *transport,
                        const char *server_type, bool again, struct frame *frame)
{
    struct frame_text text = {.json = delivery->json.data,
                              .length = delivery->json.length,
                              .id_length = again ? 0 : delivery->id_length,
                              .server_type = server_type};

    if (delivery->json.failed || delivery->place.failed)
        return false;
    text.id = text.json + delivery->id_offset;
    if (delivery->place.length > 0) {
        text.id = delivery->place.data;
        text.id_length = again ? 0 : delivery->place.length;
    }
    delivery->frames_formatted++;
    delivery->bytes_formatted += delivery->json.length;
    return transport_encode(&delivery->net->frames, kind, transport, &text, frame);
}

/* ---- publishing ---- */

/* An event on its way to everybody who may hear it. */
struct publication {
    struct event *event;
    struct audience audience;
    bool is_presence;
    uint64_t presence_change;      /* its number, for those who were told of it already */
    const struct stream *left_out; /* of all who would hear it; NULL: nobody */
    uint32_t receivers;
    struct report *report; /* where it is noted who was given it; NULL: nowhere */
};

/* One requested topic that it matches, and its frames so far: each is formatted when the first
 * receiver of its encoding is met; those of the second row are of an event that comes again. */
struct destination {
    enum subscription_kind kind;
    const struct topic_node *node;
    struct frame frames[2][FRAME_ENCODINGS];
    bool json_written;
};

static bool format_frame(struct delivery *delivery, struct destination *to,
                         const struct transport *transport, bool again, const struct event *event)
{
    if (!to->json_written && !write_json_for_node(delivery, to->kind, to->node, event))
        return false;
    to->json_written = true;
    return encode_json(delivery, (int)transport->encoding, transport, NULL, again,
                       &to->frames[again][transport->encoding]);
}

static bool queue_shared(struct delivery *delivery, struct stream *stream, struct destination *to,
                         bool again, const struct event *event)
{
    struct frame *frame = &to->frames[again][stream->encoding];

    return (frame->segment != NULL ||
            format_frame(delivery, to, stream->transport, again, event)) &&
           connection_queue(&stream->connection, frame);
}

/* Its stream is ended with the next tick, whatever the wall clock has done. */
static bool proof_is_over(const struct delivery *delivery, struct stream *stream)
{
    struct stream_identity *identity = stream->identity;
    uint64_t now = loop_now(&delivery->net->loop);

    if (identity == NULL || identity->until_wall_ms == 0 || delivery->iat < identity->until_wall_ms)
        return false;
    if (identity->until > now)
        identity->until = now;
    if (stream->ends_at > now) {
        stream->ends_at = now;
        connection_set_deadline(&stream->connection);
    }
    return true;
}

bool delivery_proof_is_over(struct delivery *delivery, struct stream *stream)
{
    take_time(delivery);
    return proof_is_over(delivery, stream);
}

/* What comes after the end of a proof is not for who had it, though its stream still has to be
 * ended: it may come back, and go on from there. Presence has the sequence of the event before. */
static bool withholds(const struct delivery *delivery, struct stream *stream,
                      const struct publication *publication)
{
    if (stream->replay != NULL || !proof_is_over(delivery, stream))
        return false;
    if (stream->identity->withheld == 0)
        stream->identity->withheld = publication->event->sequence + publication->is_presence;
    return true;
}

/* Gives the event to one receiver. One that cannot have it is closed before the loop sleeps, not
 * here: its topics are just being walked. One that catches up will find it in the log. */
static void give(struct delivery *delivery, struct stream *stream, struct destination *to,
                 bool again, struct publication *publication)
{
    const struct event *event = publication->event;

    if (stream->is_behind || withholds(delivery, stream, publication))
        return;
    if (publication->is_presence &&
        (stream->replay != NULL || stream_knows_change(stream, publication->presence_change)))
        return;
    if (stream->replay == NULL && !queue_shared(delivery, stream, to, again, event)) {
        stream->connection.doomed = true;
        connection_mark(&stream->connection);
        return;
    }
    delivery->deliveries++;
    if (publication->report != NULL)
        reports_add(&delivery->streams->reports, publication->report, stream,
                    stream->replay == NULL, loop_now(&delivery->net->loop));
    if (stream->last_event != (uint32_t)event->sequence)
        publication->receivers++;
    stream->last_event = (uint32_t)event->sequence;
}

static bool is_heard(struct publication *publication, enum subscription_kind kind,
                     const struct stream *stream)
{
    return stream != publication->left_out && !stream_has_ended(stream) &&
           (kind == SUBSCRIPTION_OPEN || kind == SUBSCRIPTION_PRIVATE ||
            audience_has(&publication->audience, kind, stream_user(stream)));
}

static void give_to_node(struct delivery *delivery, enum subscription_kind kind,
                         const struct topic_node *node, struct publication *publication)
{
    struct destination to = {.kind = kind, .node = node};

    for (uint32_t r = 0; r < node->receiver_count; r++) {
        struct topic_receiver *receiver = &node->receivers[r];
        struct stream *stream = stream_of_subscriber(receiver->subscriber);
        bool again = receiver->again;
        if (again)
            receiver->again = false;
        if (is_heard(publication, kind, stream))
            give(delivery, stream, &to, again, publication);
    }
}

static void note_copies_of_node(struct publication *publication, enum subscription_kind kind,
                                const struct topic_node *node, bool begins)
{
    for (uint32_t r = 0; r < node->receiver_count; r++) {
        struct topic_receiver *receiver = &node->receivers[r];
        struct stream *stream = stream_of_subscriber(receiver->subscriber);
        if (!stream->transport->resumes_by_frame)
            continue;
        if (begins) {
            stream->comes_again = false;
        } else if (is_heard(publication, kind, stream)) {
            receiver->again = stream->comes_again;
            stream->comes_again = true;
        }
    }
}

/* Notes who will have the event again under a later topic: looks from the last one to the first. */
static void note_copies(struct delivery *delivery, struct publication *publication,
                        const bool hears[SUBSCRIPTION_KINDS])
{
    const uint64_t *streams = delivery->streams->of_encoding;
    size_t nodes = 0;

    for (int kind = 0; kind < SUBSCRIPTION_KINDS; kind++)
        nodes += hears[kind] ? delivery->matches[kind].count : 0;
    if (nodes < 2 || streams[FRAME_SSE_CHUNKED] + streams[FRAME_SSE_PLAIN] == 0)
        return;
    for (int begins = 1; begins >= 0; begins--)
        for (int kind = 0; kind < SUBSCRIPTION_KINDS; kind++)
            for (size_t i = hears[kind] ? delivery->matches[kind].count : 0; i-- > 0;)
                note_copies_of_node(publication, (enum subscription_kind)kind,
                                    delivery->matches[kind].nodes[i], begins != 0);
}

static bool whisper_reaches(struct delivery *delivery, const struct subscription *subscription,
                            const struct event *event)
{
    struct bytes *name = &delivery->name;

    if (subscription->kind == SUBSCRIPTION_INBOX)
        return true; /* the audience says whether it is targeted */
    bytes_clear(name);
    topic_node_write_name(subscription->node, name);
    return !name->failed &&
           topic_matches(name->data, name->length, event->topic, event->topic_length);
}

static void whisper(struct delivery *delivery, struct publication *publication)
{
    const struct event *event = publication->event;
    struct stream *stream = streams_find(delivery->streams, event->whisper);

    struct destination to = {0}, next;
    bool found = false;

    for (uint32_t i = 0; stream != NULL && i < stream->subscriber.count; i++) {
        const struct subscription *subscription = &stream->subscriber.subscriptions[i];
        next = (struct destination){.kind = subscription->kind, .node = subscription->node};
        if (!audience_has(&publication->audience, next.kind, stream_user(stream)) ||
            !whisper_reaches(delivery, subscription, event))
            continue;
        if (found)
            give(delivery, stream, &to, true, publication);
        to = next;
        found = true;
    }
    if (found)
        give(delivery, stream, &to, false, publication);
}

/* Each allowed user's inbox is looked up: the cost is that of those users, not of all who have an
 * inbox. */
static void shout_to_inboxes(struct delivery *delivery, struct publication *publication)
{
    const struct event *event = publication->event;
    const struct topic_index *inboxes = &delivery->streams->topics[SUBSCRIPTION_INBOX];

    for (size_t at = 0; at < event->allowed_length;) {
        const char *user = event->allowed + at;
        size_t length = strnlen(user, event->allowed_length - at);
        const struct topic_node *node = topic_index_find(inboxes, user, length);
        if (node != NULL)
            give_to_node(delivery, SUBSCRIPTION_INBOX, node, publication);
        at += length + 1;
    }
}

/* False without memory. Presence is not kept, so a client that resumes from it resumes from the
 * event before. */
static bool keep_in_log(struct delivery *delivery, const struct publication *publication)
{
    struct event *event = publication->event;

    if (publication->is_presence) {
        event->sequence = delivery->log->sequence;
        return true;
    }
    if (!event->sequence)
        event->sequence = event_log_take_sequence(delivery->log);
    if (!event_log_append(delivery->log, event, loop_now(&delivery->net->loop)))
        return false;
    if ((event->flags & ENVELOPE_KEEP) != 0)
        last_values_take(&delivery->log->values, event);
    return true;
}

/* The same, and begins its report. */
static bool keep(struct delivery *delivery, struct publication *publication)
{
    if (!keep_in_log(delivery, publication))
        return false;
    if ((publication->event->flags & ENVELOPE_REPORT) != 0)
        publication->report = reports_begin(&delivery->streams->reports, publication->event,
                                            loop_now(&delivery->net->loop));
    return true;
}

/* Finds whoever subscribes to it, keeps it, and then gives it to each. */
static bool shout(struct delivery *delivery, struct publication *publication)
{
    const struct event *event = publication->event;
    bool hears[SUBSCRIPTION_KINDS] = {false};

    hears[SUBSCRIPTION_PRIVATE] = (event->flags & ENVELOPE_PRIVATE) != 0;
    hears[SUBSCRIPTION_BOUND] = (event->flags & ENVELOPE_BOUND) != 0;
    hears[SUBSCRIPTION_OPEN] = (!hears[SUBSCRIPTION_BOUND] && !hears[SUBSCRIPTION_PRIVATE]) ||
                               (event->flags & ENVELOPE_EVERYONE) != 0;
    for (int kind = 0; kind < SUBSCRIPTION_KINDS; kind++) {
        struct topic_matches *matches = &delivery->matches[kind];
        if (!hears[kind])
            continue;
        topic_index_match(&delivery->streams->topics[kind], event->topic, event->topic_length,
                          publication->is_presence, matches);
        if (matches->failed)
            return false;
    }
    if (!keep(delivery, publication))
        return false;
    note_copies(delivery, publication, hears);
    /* Bound ones first: a client that has both hears an event in one order. */
    for (int kind = SUBSCRIPTION_KINDS - 1; kind >= 0; kind--)
        for (size_t i = 0; hears[kind] && i < delivery->matches[kind].count; i++)
            give_to_node(delivery, (enum subscription_kind)kind, delivery->matches[kind].nodes[i],
                         publication);
    return true;
}

static bool publish(struct delivery *delivery, struct publication *publication)
{
    const struct event *event = publication->event;
    bool taken = true;

    if (event->except != 0)
        publication->left_out = streams_find(delivery->streams, event->except);
    if (event->whisper) {
        taken = keep(delivery, publication);
        if (taken)
            whisper(delivery, publication);
    } else if (event->flags & ENVELOPE_TARGETED) {
        taken = keep(delivery, publication);
        if (taken)
            shout_to_inboxes(delivery, publication);
    } else {
        taken = shout(delivery, publication);
    }
    audience_free(&publication->audience);
    return taken;
}

bool delivery_publish(struct delivery *delivery, struct event *event, uint32_t *receivers)
{
    struct publication publication = {.event = event, .audience = {.event = event}};
    take_time_of(delivery, event);
    bool taken = publish(delivery, &publication);

    *receivers = publication.receivers;
    return taken;
}

bool delivery_publish_presence(struct delivery *delivery, struct event *event, uint64_t change)
{
    struct publication publication = {.event = event,
                                      .audience = {.event = event},
                                      .is_presence = true,
                                      .presence_change = change};

    take_time(delivery);
    return publish(delivery, &publication);
}

/* ---- for one stream alone ---- */

static bool send_to(struct delivery *delivery, struct stream *stream, const char *server_type,
                    bool again)
{
    struct frame frame;

    delivery->told_in_replay += stream->replay != NULL;
    return encode_json(delivery, FRAME_PRIVATE, stream->transport, server_type, again, &frame) &&
           connection_queue(&stream->connection, &frame);
}

bool delivery_send_to(struct delivery *delivery, struct stream *stream, const char *topic,
                      size_t topic_length, const char *json, size_t json_length)
{
    const struct event event = {.topic = topic,
                                .topic_length = topic_length,
                                .json = json,
                                .json_length = json_length,
                                .sequence = delivery->log->sequence};

    take_time(delivery);
    write_json(delivery, topic, topic_length, &event);
    return send_to(delivery, stream, NULL, false);
}

bool delivery_tell(struct delivery *delivery, struct stream *stream, const char *type,
                   const char *detail, struct log_position position)
{
    static const char topic[] = "@SERVER@";
    struct bytes *json = &delivery->told;

    bytes_clear(json);
    bytes_append_text(json, "{\"type\":\"");
    bytes_append_text(json, type);
    bytes_append_text(json, "\",\"detail\":");
    bytes_append_text(json, detail);
    bytes_append_text(json, "}");
    if (json->failed)
        return false;
    const struct event event = {.topic = topic,
                                .topic_length = sizeof topic - 1,
                                .json = json->data,
                                .json_length = json->length,
                                .sequence = position.sequence,
                                .place = &position};
    take_time(delivery);
    write_json(delivery, topic, sizeof topic - 1, &event);
    return send_to(delivery, stream, type, false);
}

bool delivery_replay(struct delivery *delivery, struct stream *stream,
                     const struct subscription *requested, const struct event *event, bool again)
{
    take_time(delivery);
    return write_json_for_node(delivery, requested->kind, requested->node, event) &&
           send_to(delivery, stream, NULL, again);
}

bool delivery_format(struct delivery *delivery, const struct transport *transport,
                     const struct subscription *requested, const struct event *event, bool again,
                     struct output *out)
{
    struct frame frame;

    take_time(delivery);
    return write_json_for_node(delivery, requested->kind, requested->node, event) &&
           encode_json(delivery, FRAME_PRIVATE, transport, NULL, again, &frame) &&
           output_append(out, &frame);
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
    bytes_free(&delivery->place);
    bytes_free(&delivery->told);
}

uint64_t delivery_bytes(const struct delivery *delivery)
{
    uint64_t bytes = delivery->json.capacity + delivery->name.capacity + delivery->place.capacity +
                     delivery->told.capacity;

    for (int kind = 0; kind < SUBSCRIPTION_KINDS; kind++)
        bytes += topic_matches_bytes(&delivery->matches[kind]);
    return bytes;
}
