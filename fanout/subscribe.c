#include "subscribe.h"

#include "connection.h"
#include "http_reply.h"
#include "log.h"
#include "server.h"
#include "subscription_body.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* presence_topic is "@CONNECTION@/clid". */
static void write_presence_topic(struct bytes *out, const char *clid, size_t length)
{
    bytes_append_text(out, "@CONNECTION@/");
    bytes_append(out, clid, length);
}

/* Tells who watches this client id that it came or went. */
static void publish_presence(struct server *server, const char *type,
                             const struct presence_entry *entry, uint32_t instances)
{
    char json[96];
    struct bytes topic = BYTES_EMPTY;
    struct delivery_event event = {.json = json, .literal = true};
    uint32_t receivers;

    write_presence_topic(&topic, entry->clid, entry->length);
    event.json_length = (size_t)snprintf(
        json, sizeof json, "{\"type\":\"%s\",\"detail\":{\"clid_instances\":%u}}", type, instances);
    event.topic = topic.data;
    event.topic_length = topic.length;
    event.sequence = event_log_next(&server->events);
    if (topic.failed || !delivery_publish(server, &event, &receivers))
        log_error("presence event lost for want of memory", log_text("type", type));
    bytes_free(&topic);
}

static bool add_topics(struct connection *connection, const struct subscription_body *body)
{
    struct subscriber *subscriber = &connection->subscriber;
    struct topic_index *index = &connection->server->topics;

    if (body->topic_count == 0)
        return true;
    subscriber->subscriptions = calloc(body->topic_count, sizeof *subscriber->subscriptions);
    if (!subscriber->subscriptions)
        return false;
    for (size_t i = 0; i < body->topic_count; i++) {
        uint32_t slot = subscriber->count;
        if (!topic_index_add(index, subscriber, slot, body->topics[i].text, body->topics[i].length))
            return false;
        subscriber->count++;
    }
    return true;
}

static void remove_topics(struct connection *connection)
{
    struct subscriber *subscriber = &connection->subscriber;

    for (uint32_t i = 0; i < subscriber->count; i++)
        topic_index_remove(&connection->server->topics, subscriber, i);
    free(subscriber->subscriptions);
    *subscriber = (struct subscriber){0};
}

void subscribe_leave(struct connection *connection)
{
    struct server *server = connection->server;
    struct presence_entry *presence = connection->presence;

    if (!connection->connid)
        return;
    remove_topics(connection);
    hash_table_remove(&server->streams, &connection->by_connid);
    connection->connid = 0;
    free(connection->headers);
    connection->headers = NULL;
    connection->presence = NULL;
    publish_presence(server, "disconnect", presence, presence->instances - 1);
    presence_leave(&server->presence, presence);
}

static bool keep_headers(struct connection *connection, const struct http_request *request)
{
    size_t length;
    const char *headers = http_request_headers(request, &length);

    if (!connection->server->config.keep_headers || length == 0)
        return true;
    connection->headers = malloc(length);
    if (!connection->headers)
        return false;
    memcpy(connection->headers, headers, length);
    connection->headers_length = (uint32_t)length;
    return true;
}

/* The client is in the table and in presence before its own topics are, so that it does not hear
 * itself come. On failure nothing is left of it. */
static bool enter(struct connection *connection, const struct http_request *request,
                  const struct subscription_body *body)
{
    struct server *server = connection->server;
    uint64_t connid = server->next_connid;

    connection->presence = presence_enter(&server->presence, body->clid, body->clid_length);
    if (!connection->presence)
        return false;
    if (!hash_table_add(&server->streams, &connection->by_connid, connid)) {
        presence_leave(&server->presence, connection->presence);
        connection->presence = NULL;
        return false;
    }
    server->next_connid++;
    connection->connid = connid;
    publish_presence(server, "connect", connection->presence, connection->presence->instances);
    return secret_random(connection->secret, sizeof connection->secret) &&
           keep_headers(connection, request) && add_topics(connection, body);
}

static bool send_connected(struct connection *connection)
{
    struct server *server = connection->server;
    char secret[2 * CONNECTION_SECRET_SIZE + 1];
    char json[192];
    int length;

    secret_hex(secret, connection->secret, sizeof connection->secret);
    length = snprintf(json, sizeof json,
                      "{\"type\":\"connected\",\"detail\":{\"connid\":%llu,\"secret\":\"%s\","
                      "\"timeout\":%llu}}",
                      (unsigned long long)connection->connid, secret,
                      (unsigned long long)server->config.stream_time);
    return delivery_send_to(server, connection, "@SERVER@", 8, json, (size_t)length,
                            server->events.sequence);
}

/* Only for exact topics "@CONNECTION@/clid": a pattern names nobody. */
static bool send_available(struct connection *connection, const struct subscription_topic *topic)
{
    static const char prefix[] = "@CONNECTION@/";
    const size_t prefix_length = sizeof prefix - 1;
    struct server *server = connection->server;
    char json[96];
    int length;

    if (topic->length <= prefix_length || memcmp(topic->text, prefix, prefix_length) != 0 ||
        topic->has_wildcard)
        return true;
    length = snprintf(json, sizeof json,
                      "{\"type\":\"available\",\"detail\":{\"clid_instances\":\"%u\"}}",
                      presence_count(&server->presence, topic->text + prefix_length,
                                     topic->length - prefix_length));
    return delivery_send_to(server, connection, topic->text, topic->length, json, (size_t)length,
                            server->events.sequence);
}

static bool begin_stream(struct connection *connection, const struct http_request *request,
                         const struct subscription_body *body)
{
    connection->encoding = http_request_is_1_1(request) ? FRAME_CHUNKED : FRAME_PLAIN;
    if (!enter(connection, request, body) || !http_reply_stream_head(connection, request) ||
        !send_connected(connection))
        return false;
    for (size_t i = 0; i < body->topic_count; i++)
        if (!send_available(connection, &body->topics[i]))
            return false;
    connection_begin_stream(connection);
    connection->server->counters.streams_begun++;
    log_debug("stream begun", log_number("connid", (int64_t)connection->connid),
              log_number("topics", (int64_t)body->topic_count));
    return true;
}

void subscribe_answer(struct connection *connection, const struct http_request *request)
{
    struct subscription_body body;
    size_t length;
    const char *text = http_request_body(request, &length);
    const char *fault = subscription_body_read(&body, text, length, &connection->server->config);

    if (fault)
        http_reply_error(connection, request, 400, fault);
    else if (!begin_stream(connection, request, &body))
        connection_close(connection, CLOSE_MEMORY);
    subscription_body_free(&body);
}
