#include "events/delivery.h"

#include "clock.h"
#include "envelope.h"
#include "messages.h"
#include "net/connection.h"
#include "net/send_batch.h"
#include "server.h"
#include "topic.h"
#include "transports/transport.h"

#include <stdlib.h>
#include <string.h>

/* One event's frames for one requested topic, formatted when the first receiver of an encoding is
 * met. */
struct formatted {
    struct frame frames[FRAME_ENCODINGS];
    bool json_written;
};

bool delivery_reserve(struct delivery *delivery, uint64_t connections)
{
    size_t capacity = delivery->marked_capacity ? delivery->marked_capacity : 64;

    if (connections <= delivery->marked_capacity)
        return true;
    while (capacity < connections)
        capacity *= 2;
    struct connection **larger = realloc(delivery->marked, capacity * sizeof(struct connection *));
    if (larger == NULL)
        return false;
    delivery->marked = larger;
    delivery->marked_capacity = capacity;
    return true;
}

void delivery_mark(struct server *server, struct connection *connection)
{
    struct delivery *delivery = &server->delivery;

    if (connection->marked)
        return;
    if (delivery->marked_end == delivery->marked_capacity) {
        /* There is room in front: each connection stands in the queue at most once. */
        size_t count = delivery->marked_end - delivery->marked_start;
        memmove(delivery->marked, delivery->marked + delivery->marked_start,
                count * sizeof(struct connection *));
        delivery->marked_start = 0;
        delivery->marked_end = count;
    }
    connection->marked = true;
    delivery->marked[delivery->marked_end++] = connection;
}

/* Takes the oldest marked ones off the queue. Closes what is doomed, which may mark others: those
 * that are taken stay marked until the end, so that none is taken twice. Returns how many there
 * are. */
static size_t take_marked(struct delivery *delivery, struct connection *taken[SEND_BATCH_MOST])
{
    size_t count = 0;

    while (delivery->marked_start < delivery->marked_end && count < SEND_BATCH_MOST) {
        struct connection *connection = delivery->marked[delivery->marked_start++];
        if (delivery->marked_start < delivery->marked_end)
            __builtin_prefetch(delivery->marked[delivery->marked_start]);
        if (!connection->doomed) {
            taken[count++] = connection;
            continue;
        }
        connection->marked = false;
        connection_close(connection, CLOSE_MEMORY);
    }
    for (size_t i = 0; i < count; i++)
        taken[i]->marked = false;
    return count;
}

size_t delivery_marked(const struct server *server)
{
    return server->delivery.marked_end - server->delivery.marked_start;
}

bool delivery_flush_some(struct server *server)
{
    struct delivery *delivery = &server->delivery;
    struct connection *taken[SEND_BATCH_MOST];
    size_t count = take_marked(delivery, taken);

    connection_flush_all(server, taken, count);
    if (delivery->marked_start == delivery->marked_end)
        connection_relieve_memory(server); /* may mark others */
    if (delivery->marked_start < delivery->marked_end)
        return true;
    delivery->marked_start = delivery->marked_end = 0;
    return false;
}

void delivery_flush(struct server *server)
{
    while (delivery_flush_some(server))
        ;
}

static void write_json(struct server *server, const char *requested, size_t requested_length,
                       const struct delivery_event *event)
{
    struct delivery *delivery = &server->delivery;
    struct bytes *json = &delivery->json;
    uint64_t iat = event_log_iat(&server->events, clock_wall_ms());

    bytes_clear(json);
    bytes_append_text(json, "{\"iat\":");
    bytes_append_number(json, iat);
    bytes_append_text(json, ",\"id\":\"");
    delivery->id_offset = json->length;
    bytes_append_number(json, server->events.epoch);
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

static bool store(struct delivery *delivery, int kind, enum frame_encoding encoding,
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
    return transport_encode(&delivery->pool, kind, encoding, &text, frame);
}

/* An inbox is asked for by one name, whoever's it is. */
static bool write_json_for_node(struct server *server, enum subscription_kind kind,
                                const struct topic_node *node, const struct delivery_event *event)
{
    struct bytes *name = &server->delivery.name;

    if (kind == SUBSCRIPTION_INBOX) {
        write_json(server, AUDIENCE_INBOX_TOPIC, sizeof AUDIENCE_INBOX_TOPIC - 1, event);
        return true;
    }
    bytes_clear(name);
    topic_node_write_name(node, name);
    if (name->failed)
        return false;
    write_json(server, name->data, name->length, event);
    return true;
}

/* Where one event goes in one look-up: the requested topic, and its frames so far. */
struct destination {
    enum subscription_kind kind;
    const struct topic_node *node;
    struct formatted formatted;
};

static bool format_frame(struct server *server, struct destination *to,
                         enum frame_encoding encoding, const struct delivery_event *event)
{
    if (!to->formatted.json_written && !write_json_for_node(server, to->kind, to->node, event))
        return false;
    to->formatted.json_written = true;
    return store(&server->delivery, (int)encoding, encoding, event,
                 &to->formatted.frames[encoding]);
}

static bool queue_shared(struct server *server, struct connection *connection,
                         struct destination *to, const struct delivery_event *event)
{
    struct frame *frame = &to->formatted.frames[connection->encoding];

    return (frame->segment != NULL || format_frame(server, to, connection->encoding, event)) &&
           connection_queue(connection, frame);
}

/* Gives the event to one receiver. One that cannot have it is closed before the loop sleeps, not
 * here: its topics are just being walked. One that catches up will find it in the log. */
static void give(struct server *server, struct connection *connection, struct destination *to,
                 const struct delivery_event *event, uint32_t *receivers)
{
    if (connection->replay != NULL && event->presence)
        return;
    if (connection->replay == NULL && !queue_shared(server, connection, to, event)) {
        connection->doomed = true;
        delivery_mark(server, connection);
        return;
    }
    server->delivery.deliveries++;
    if (connection->last_event != event->sequence)
        (*receivers)++;
    connection->last_event = event->sequence;
}

static bool whisper_reaches(struct server *server, const struct subscription *subscription,
                            const struct delivery_event *event)
{
    struct bytes *name = &server->delivery.name;

    if (subscription->kind == SUBSCRIPTION_INBOX)
        return true; /* the audience says whether it is targeted */
    bytes_clear(name);
    topic_node_write_name(subscription->node, name);
    return !name->failed &&
           topic_matches(name->data, name->length, event->topic, event->topic_length);
}

static void whisper(struct server *server, struct delivery_event *event, uint32_t *receivers)
{
    struct connection *connection = connection_find(server, event->whisper);

    for (uint32_t i = 0; connection != NULL && i < connection->subscriber.count; i++) {
        const struct subscription *subscription = &connection->subscriber.subscriptions[i];
        struct destination to = {.kind = subscription->kind, .node = subscription->node};

        if (audience_has(&event->audience, to.kind, connection->user) &&
            whisper_reaches(server, subscription, event))
            give(server, connection, &to, event, receivers);
    }
}

static void shout_to_node(struct server *server, enum subscription_kind kind,
                          const struct topic_node *node, struct delivery_event *event,
                          uint32_t *receivers)
{
    struct destination to = {.kind = kind, .node = node};

    for (uint32_t r = 0; r < node->receiver_count; r++) {
        struct connection *connection = connection_of_subscriber(node->receivers[r].subscriber);
        if (kind == SUBSCRIPTION_OPEN || audience_has(&event->audience, kind, connection->user))
            give(server, connection, &to, event, receivers);
    }
}

static void shout_to_matches(struct server *server, enum subscription_kind kind,
                             struct delivery_event *event, uint32_t *receivers)
{
    const struct topic_matches *matches = &server->delivery.matches[kind];

    for (size_t i = 0; i < matches->count; i++)
        shout_to_node(server, kind, matches->nodes[i], event, receivers);
}

/* Each allowed user's inbox is looked up: the cost is that of those users, not of all who have an
 * inbox. */
static void shout_to_inboxes(struct server *server, struct delivery_event *event,
                             uint32_t *receivers)
{
    const struct audience *audience = &event->audience;
    const struct topic_index *inboxes = &server->topics[SUBSCRIPTION_INBOX];

    for (size_t at = 0; at < audience->allowed_length;) {
        const char *user = audience->allowed + at;
        size_t length = strnlen(user, audience->allowed_length - at);
        const struct topic_node *node = topic_index_find(inboxes, user, length);
        if (node != NULL)
            shout_to_node(server, SUBSCRIPTION_INBOX, node, event, receivers);
        at += length + 1;
    }
}

static bool keep(struct server *server, struct delivery_event *event)
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
        event->sequence = server->events.sequence;
        return true;
    }
    if (!event->sequence)
        event->sequence = event_log_take_sequence(&server->events);
    return event_log_append(&server->events, &record, event->sequence, server_now(server));
}

static bool match(struct server *server, enum subscription_kind kind,
                  const struct delivery_event *event)
{
    struct topic_matches *matches = &server->delivery.matches[kind];

    topic_index_match(&server->topics[kind], event->topic, event->topic_length, event->presence,
                      matches);
    return !matches->failed;
}

static bool shout(struct server *server, struct delivery_event *event, uint32_t *receivers)
{
    uint16_t flags = event->audience.flags;
    bool bound = (flags & ENVELOPE_BOUND) != 0;
    bool open = !bound || (flags & ENVELOPE_EVERYONE) != 0;

    if (flags & ENVELOPE_TARGETED) {
        if (!keep(server, event))
            return false;
        shout_to_inboxes(server, event, receivers);
        return true;
    }
    if ((bound && !match(server, SUBSCRIPTION_BOUND, event)) ||
        (open && !match(server, SUBSCRIPTION_OPEN, event)) || !keep(server, event))
        return false;
    if (bound)
        shout_to_matches(server, SUBSCRIPTION_BOUND, event, receivers);
    if (open)
        shout_to_matches(server, SUBSCRIPTION_OPEN, event, receivers);
    return true;
}

bool delivery_publish(struct server *server, struct delivery_event *event, uint32_t *receivers)
{
    bool taken = true;

    *receivers = 0;
    if (!event->whisper)
        taken = shout(server, event, receivers);
    else if ((taken = keep(server, event)))
        whisper(server, event, receivers);
    audience_free(&event->audience);
    return taken;
}

static bool send_to(struct server *server, struct connection *connection,
                    const struct delivery_event *event)
{
    write_json(server, event->topic, event->topic_length, event);
    struct frame frame;
    return store(&server->delivery, FRAME_PRIVATE, connection->encoding, event, &frame) &&
           connection_queue(connection, &frame);
}

bool delivery_send_to(struct server *server, struct connection *connection, const char *topic,
                      size_t topic_length, const char *json, size_t json_length)
{
    const struct delivery_event event = {.topic = topic,
                                         .topic_length = topic_length,
                                         .json = json,
                                         .json_length = json_length,
                                         .sequence = server->events.sequence};

    return send_to(server, connection, &event);
}

bool delivery_tell(struct server *server, struct connection *connection, const char *type,
                   const char *detail, uint64_t sequence)
{
    struct bytes *json = &server->delivery.told;
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
    return !json->failed && send_to(server, connection, &event);
}

bool delivery_replay(struct server *server, struct connection *connection,
                     const struct subscription *requested, const struct delivery_event *event)
{
    struct frame frame;

    return write_json_for_node(server, requested->kind, requested->node, event) &&
           store(&server->delivery, FRAME_PRIVATE, connection->encoding, event, &frame) &&
           connection_queue(connection, &frame);
}

void delivery_close(struct server *server)
{
    struct delivery *delivery = &server->delivery;

    frame_pool_close(&delivery->pool);
    send_batch_close(&delivery->batch);
    for (int kind = 0; kind < SUBSCRIPTION_KINDS; kind++)
        topic_matches_free(&delivery->matches[kind]);
    bytes_free(&delivery->json);
    bytes_free(&delivery->name);
    bytes_free(&delivery->told);
    bytes_free(&delivery->text);
    free(delivery->marked);
    *delivery = (struct delivery){0};
}
