#include "delivery.h"

#include "clock.h"
#include "connection.h"
#include "log.h"
#include "server.h"
#include "topic.h"

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
    struct connection **larger;

    if (connections <= delivery->marked_capacity)
        return true;
    while (capacity < connections)
        capacity *= 2;
    larger = realloc(delivery->marked, capacity * sizeof(struct connection *));
    if (!larger)
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

void delivery_flush(struct server *server)
{
    struct delivery *delivery = &server->delivery;

    while (delivery->marked_start < delivery->marked_end) {
        struct connection *connection = delivery->marked[delivery->marked_start++];
        connection->marked = false;
        if (connection->doomed)
            connection_close(connection, CLOSE_MEMORY);
        else
            connection_flush(connection);
    }
    delivery->marked_start = delivery->marked_end = 0;
    connection_relieve_memory(server);
}

static void write_json(struct server *server, const char *requested, size_t requested_length,
                       const struct delivery_event *event)
{
    struct bytes *json = &server->delivery.json;
    uint64_t iat = event_log_iat(&server->events, clock_wall_ms());

    bytes_clear(json);
    bytes_append_text(json, "{\"iat\":");
    bytes_append_number(json, iat);
    bytes_append_text(json, ",\"id\":\"");
    bytes_append_number(json, server->events.epoch);
    bytes_append_text(json, "-");
    bytes_append_number(json, event->sequence);
    bytes_append_text(json, "\",\"ep\":{\"requested\":");
    bytes_append_json_string(json, requested, requested_length);
    bytes_append_text(json, ",\"emitted\":");
    bytes_append_json_string(json, event->topic, event->topic_length);
    bytes_append_text(json, "},\"e\":");
    bytes_append(json, event->json, event->json_length);
    bytes_append_text(json, "}");
}

static bool store(struct delivery *delivery, int kind, enum frame_encoding encoding,
                  struct frame *frame)
{
    delivery->frames_formatted++;
    delivery->bytes_formatted += delivery->json.length;
    return !delivery->json.failed &&
           frame_store_json(&delivery->pool, kind, encoding, delivery->json.data,
                            delivery->json.length, frame);
}

static bool write_json_for_node(struct server *server, const struct topic_node *node,
                                const struct delivery_event *event)
{
    struct bytes *name = &server->delivery.name;

    bytes_clear(name);
    topic_node_write_name(node, name);
    if (name->failed)
        return false;
    write_json(server, name->data, name->length, event);
    return true;
}

static bool format_frame(struct server *server, const struct topic_node *node,
                         enum frame_encoding encoding, const struct delivery_event *event,
                         struct formatted *formatted)
{
    if (!formatted->json_written && !write_json_for_node(server, node, event))
        return false;
    formatted->json_written = true;
    return store(&server->delivery, (int)encoding, encoding, &formatted->frames[encoding]);
}

static bool queue_shared(struct server *server, struct connection *connection,
                         const struct topic_node *node, const struct delivery_event *event,
                         struct formatted *formatted)
{
    struct frame *frame = &formatted->frames[connection->encoding];

    return (frame->segment || format_frame(server, node, connection->encoding, event, formatted)) &&
           connection_queue(connection, frame);
}

/* Gives the event to one receiver. One that cannot have it is closed before the loop sleeps, not
 * here: its topics are just being walked. One that catches up will find it in the log. */
static void give(struct server *server, struct connection *connection,
                 const struct topic_node *node, const struct delivery_event *event,
                 struct formatted *formatted, uint32_t *receivers)
{
    if (!connection->replay && !queue_shared(server, connection, node, event, formatted)) {
        connection->doomed = true;
        delivery_mark(server, connection);
        return;
    }
    server->delivery.deliveries++;
    if (connection->last_event != event->sequence)
        (*receivers)++;
    connection->last_event = event->sequence;
}

static void whisper(struct server *server, const struct delivery_event *event, uint32_t *receivers)
{
    struct connection *connection = connection_find(server, event->whisper);
    struct bytes *name = &server->delivery.name;

    for (uint32_t i = 0; connection && i < connection->subscriber.count; i++) {
        const struct topic_node *node = connection->subscriber.subscriptions[i].node;
        struct formatted formatted = {0};

        bytes_clear(name);
        topic_node_write_name(node, name);
        if (!name->failed &&
            topic_matches(name->data, name->length, event->topic, event->topic_length))
            give(server, connection, node, event, &formatted, receivers);
    }
}

static void shout(struct server *server, const struct delivery_event *event, uint32_t *receivers)
{
    const struct topic_matches *matches = &server->delivery.matches;

    for (size_t i = 0; i < matches->count; i++) {
        const struct topic_node *node = matches->nodes[i];
        struct formatted formatted = {0};

        for (uint32_t r = 0; r < node->receiver_count; r++)
            give(server, connection_of_subscriber(node->receivers[r].subscriber), node, event,
                 &formatted, receivers);
    }
}

static bool take_sequence(struct server *server, struct delivery_event *event)
{
    if (event->presence)
        event->sequence = event_log_next(&server->events);
    else
        event->sequence =
            event_log_append(&server->events, event->topic, event->topic_length, event->whisper,
                             event->json, event->json_length, server_now(server));
    return event->sequence != 0;
}

bool delivery_publish(struct server *server, struct delivery_event *event, uint32_t *receivers)
{
    struct topic_matches *matches = &server->delivery.matches;

    *receivers = 0;
    if (event->whisper) {
        if (!take_sequence(server, event))
            return false;
        whisper(server, event, receivers);
        return true;
    }
    topic_index_match(&server->topics, event->topic, event->topic_length, event->presence, matches);
    if (matches->failed || !take_sequence(server, event))
        return false;
    shout(server, event, receivers);
    return true;
}

bool delivery_send_to(struct server *server, struct connection *connection, const char *topic,
                      size_t topic_length, const char *json, size_t json_length, uint64_t sequence)
{
    struct delivery_event event = {.topic = topic,
                                   .topic_length = topic_length,
                                   .json = json,
                                   .json_length = json_length,
                                   .sequence = sequence};
    struct frame frame;

    write_json(server, topic, topic_length, &event);
    return store(&server->delivery, FRAME_PRIVATE, connection->encoding, &frame) &&
           connection_queue(connection, &frame);
}

bool delivery_replay(struct server *server, struct connection *connection,
                     const struct topic_node *requested, const struct delivery_event *event)
{
    struct frame frame;

    return write_json_for_node(server, requested, event) &&
           store(&server->delivery, FRAME_PRIVATE, connection->encoding, &frame) &&
           connection_queue(connection, &frame);
}

void delivery_close(struct server *server)
{
    struct delivery *delivery = &server->delivery;

    frame_pool_close(&delivery->pool);
    topic_matches_free(&delivery->matches);
    bytes_free(&delivery->json);
    bytes_free(&delivery->name);
    free(delivery->marked);
    *delivery = (struct delivery){0};
}
