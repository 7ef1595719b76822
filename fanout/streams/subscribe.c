#include "streams/subscribe.h"

#include "hex.h"
#include "events/replay.h"
#include "http/http_reply.h"
#include "messages.h"
#include "net/connection.h"
#include "retry_after.h"
#include "server.h"
#include "streams/held_topics.h"
#include "subscription_body.h"
#include "topic.h"
#include "transports/transport.h"

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
    struct bytes topic = BYTES_EMPTY;
    char json[96];
    struct delivery_event event = {.json = json, .presence = true};

    /* Mostly nobody watches anybody: then there is no topic below the first level. */
    if (topic_index_find(&server->topics[SUBSCRIPTION_OPEN], "@CONNECTION@", 12) == NULL)
        return;
    write_presence_topic(&topic, entry->clid, entry->length);
    event.json_length = (size_t)snprintf(
        json, sizeof json, "{\"type\":\"%s\",\"detail\":{\"clid_instances\":%u}}", type, instances);
    event.topic = topic.data;
    event.topic_length = topic.length;
    uint32_t receivers;
    if (topic.failed || !delivery_publish(server, &event, &receivers))
        message_error("presence event lost for want of memory", message_text("type", type));
    bytes_free(&topic);
}

static void leave_presence(struct server *server, struct presence_entry *presence)
{
    publish_presence(server, "disconnect", presence, presence->instances - 1);
    presence_leave(&server->presence, presence);
}

/* A client of long-poll that has shown that it comes back as the same one is not gone yet. */
static bool stays_present(struct connection *connection, uint64_t connid,
                          struct presence_entry *presence)
{
    struct server *server = connection->server;

    return connection->comes_back && !server->stopping &&
           poll_gap_keep(&server->polls, connid, presence, server_now(server));
}

static void leave(struct connection *connection, bool answered)
{
    struct server *server = connection->server;
    struct presence_entry *presence = connection->presence;
    uint64_t connid = connection->connid;

    if (!connid)
        return;
    held_topics_clear(server->topics, &connection->subscriber);
    replay_abandon(connection);
    if (transport_of(connection)->forget_input != NULL)
        transport_of(connection)->forget_input(connection);
    server->streams_of[connection->encoding]--;
    hash_table_remove(&server->streams, &connection->by_connid);
    departed_add(&server->departed, connid, connection->secret, server_now(server));
    connection->connid = 0;
    free(connection->headers);
    connection->headers = NULL;
    free(connection->user);
    connection->user = NULL;
    connection->presence = NULL;
    if (!answered || !stays_present(connection, connid, presence))
        leave_presence(server, presence);
}

void subscribe_leave(struct connection *connection)
{
    leave(connection, false);
}

void subscribe_leave_answered(struct connection *connection)
{
    leave(connection, transport_of(connection)->answers_once);
}

void subscribe_expire_polls(struct server *server)
{
    uint64_t now = server_now(server), gap = server->stopping ? 0 : server->config.poll_gap;
    struct presence_entry *presence;

    while ((presence = poll_gap_expired(&server->polls, now > gap ? now - gap : 0)) != NULL)
        leave_presence(server, presence);
}

static bool keep_headers(struct connection *connection, const struct http_request *request)
{
    size_t length = 0;
    const char *headers = request != NULL ? http_request_headers(request, &length) : NULL;

    if (!connection->server->config.keep_headers || length == 0)
        return true;
    connection->headers = malloc(length);
    if (connection->headers == NULL)
        return false;
    memcpy(connection->headers, headers, length);
    connection->headers_length = (uint32_t)length;
    return true;
}

static bool keep_user(struct connection *connection, const struct subscription_body *body)
{
    if (body->user != NULL)
        connection->user = strdup(body->user);
    return body->user == NULL || connection->user != NULL;
}

/* The connection id that the client had and can prove to have had, with this daemon or the one
 * before it, or 0. A connection that still holds it is one of which the client knows already that
 * it is dead. */
static uint64_t take_former_connid(struct server *server, const struct subscription_body *body)
{
    unsigned char secret[CONNECTION_SECRET_SIZE];

    if (!body->connid || !hex_read(secret, sizeof secret, body->secret))
        return 0;
    struct connection *former = connection_find(server, body->connid);
    if (former != NULL && secret_equal(former->secret, secret, sizeof secret))
        connection_close(former, CLOSE_REPLACED);
    if (departed_take(&server->departed, body->connid, secret, server_now(server)) ||
        stream_secrets_take_back(&server->secrets, body->connid, secret, server_now(server)))
        return body->connid;
    return 0;
}

static bool enter_table(struct connection *connection, uint64_t connid)
{
    if (!hash_table_add(&connection->server->streams, &connection->by_connid, connid))
        return false;
    connection->connid = connid;
    return true;
}

/* Takes over the presence that was kept while the client was between two polls, when it still has
 * that name; else it comes anew. */
static bool enter_presence(struct connection *connection, const struct subscription_body *body,
                           uint64_t former_connid, bool *comes_anew)
{
    struct server *server = connection->server;
    const char *clid = body->clid != NULL ? body->clid : PRESENCE_ANONYMOUS;
    size_t length = strlen(clid);
    struct presence_entry *kept =
        former_connid ? poll_gap_take(&server->polls, former_connid) : NULL;

    *comes_anew = kept == NULL || kept->length != length || memcmp(kept->clid, clid, length) != 0;
    if (kept != NULL && *comes_anew)
        leave_presence(server, kept);
    connection->presence = *comes_anew ? presence_enter(&server->presence, clid, length) : kept;
    return connection->presence != NULL;
}

/* A poll that comes back keeps its secret: a new one would be lost with an answer that is cut off.
 */
static bool take_secret(struct connection *connection, const struct subscription_body *body)
{
    if (connection->comes_back && transport_of(connection)->answers_once)
        return hex_read(connection->secret, sizeof connection->secret, body->secret);
    return stream_secrets_make(&connection->server->secrets, connection->connid,
                               connection->secret);
}

/* The client is in the table and in presence before its own topics are, so that it does not hear
 * itself come. On failure nothing is left of it. */
static bool enter(struct connection *connection, const struct http_request *request,
                  const struct subscription_body *body)
{
    struct server *server = connection->server;
    uint64_t connid = take_former_connid(server, body);
    bool comes_anew;

    if (!enter_presence(connection, body, connid, &comes_anew))
        return false;
    if (!enter_table(connection, connid ? connid : server->next_connid)) {
        if (comes_anew) /* nobody has heard of it yet */
            presence_leave(&server->presence, connection->presence);
        else
            leave_presence(server, connection->presence);
        connection->presence = NULL;
        return false;
    }
    server->next_connid += connid ? 0 : 1;
    server->streams_of[connection->encoding]++;
    connection->comes_back = connid != 0;
    if (comes_anew)
        publish_presence(server, "connect", connection->presence, connection->presence->instances);
    return take_secret(connection, body) && keep_user(connection, body) &&
           keep_headers(connection, request) &&
           held_topics_add(server->topics, &connection->subscriber, connection->user,
                           body->topics.list, body->topics.count, UINT64_MAX) == NULL;
}

uint64_t subscribe_find_start(struct connection *connection, const char *last_id, size_t length)
{
    const struct event_log *log = &connection->server->events;
    uint64_t epoch, sequence;

    connection->asked_past = last_id != NULL;
    connection->recovered = false;
    if (last_id == NULL || !event_log_parse_id(last_id, length, &epoch, &sequence))
        return log->sequence;
    if (epoch < log->epoch)
        return 0; /* all that this log has came after what the client had */
    if (epoch > log->epoch || sequence > log->sequence)
        return log->sequence;
    connection->recovered = event_log_has_all_after(log, sequence);
    return sequence;
}

/* Its frame's id is where the stream begins, so that a client that is cut off right after it
 * resumes from there. */
static bool send_connected(struct connection *connection, uint64_t after)
{
    struct server *server = connection->server;
    struct bytes *detail = &server->delivery.text;
    char secret[2 * CONNECTION_SECRET_SIZE + 1];

    hex_write(secret, connection->secret, sizeof connection->secret);
    bytes_clear(detail);
    bytes_append_text(detail, "{\"connid\":");
    bytes_append_number(detail, connection->connid);
    bytes_append_text(detail, ",\"secret\":\"");
    bytes_append_text(detail, secret);
    bytes_append_text(detail, "\",\"timeout\":");
    bytes_append_number(detail, connection->ends_at - server_now(server));
    bytes_append_text(detail, ",\"id\":\"");
    bytes_append_number(detail, server->events.epoch);
    bytes_append_text(detail, "-");
    bytes_append_number(detail, server->events.sequence);
    bytes_append_text(detail, "\"");
    if (connection->asked_past)
        bytes_append_text(detail,
                          connection->recovered ? ",\"recovered\":true" : ",\"recovered\":false");
    bytes_append_text(detail, "}");
    return bytes_terminate(detail) != NULL &&
           delivery_tell(server, connection, "connected", detail->data, after);
}

/* Only for exact topics "@CONNECTION@/clid": a pattern names nobody. */
static bool send_available(struct connection *connection, const char *topic, size_t topic_length)
{
    static const char prefix[] = "@CONNECTION@/";
    const size_t prefix_length = sizeof prefix - 1;
    struct server *server = connection->server;

    if (topic_length <= prefix_length || memcmp(topic, prefix, prefix_length) != 0 ||
        topic_has_wildcard(topic, topic_length))
        return true;
    char json[96];
    int length = snprintf(
        json, sizeof json, "{\"type\":\"available\",\"detail\":{\"clid_instances\":\"%u\"}}",
        presence_count(&server->presence, topic + prefix_length, topic_length - prefix_length));
    return delivery_send_to(server, connection, topic, topic_length, json, (size_t)length);
}

bool subscribe_send_available_from(struct connection *connection, uint32_t first)
{
    struct bytes name = BYTES_EMPTY;
    bool sent = true;

    for (uint32_t i = first; sent && i < connection->subscriber.count; i++) {
        const struct subscription *subscription = &connection->subscriber.subscriptions[i];
        if (subscription->kind != SUBSCRIPTION_OPEN)
            continue;
        bytes_clear(&name);
        topic_node_write_name(subscription->node, &name);
        sent = !name.failed &&
               send_available(connection, name.data != NULL ? name.data : "", name.length);
    }
    bytes_free(&name);
    return sent;
}

bool subscribe_send_available(struct connection *connection)
{
    return transport_of(connection)->answers_once || subscribe_send_available_from(connection, 0);
}

/* How long the stream is held; whoever polls may say how long it wants to wait. */
static uint64_t hold_time(const struct connection *connection, const struct subscription_body *body)
{
    const struct config *config = &connection->server->config;

    if (!transport_of(connection)->answers_once)
        return config->stream_time;
    return body->has_wait && body->wait_ms < config->poll_time ? body->wait_ms : config->poll_time;
}

/* A client that catches up is told who is there when it has caught up: what happens meanwhile is in
 * that count. One that gets everything at once is told at once. */
static bool send_beginning(struct connection *connection, const struct http_request *request,
                           uint64_t after)
{
    const struct transport *transport = transport_of(connection);
    bool catches_up = event_log_has_any_after(&connection->server->events, after);

    return transport->open(connection, request) && send_connected(connection, after) &&
           ((catches_up && !transport->answers_once) ||
            subscribe_send_available_from(connection, 0)) &&
           (transport->begun == NULL || transport->begun(connection)) &&
           (!catches_up || replay_begin(connection, after, !connection->recovered));
}

bool subscribe_begin(struct connection *connection, const struct http_request *request,
                     const struct subscription_body *body, enum frame_encoding encoding)
{
    connection->encoding = (uint8_t)encoding;
    if (!enter(connection, request, body))
        return false;
    uint64_t after = subscribe_find_start(connection, body->last_id,
                                          body->last_id != NULL ? strlen(body->last_id) : 0);
    connection_begin_stream(connection, hold_time(connection, body));
    if (!send_beginning(connection, request, after))
        return false;
    connection->server->counters.streams_begun++;
    message_debug("stream begun", message_number("connid", (int64_t)connection->connid),
                  message_number("topics", (int64_t)body->topics.count));
    if (connection->ends_at == server_now(connection->server) && connection->replay == NULL)
        connection_end_stream(connection, CLOSE_DONE); /* it does not want to wait */
    return true;
}

void subscribe_begin_or_refuse(struct connection *connection, const struct http_request *request,
                               const struct subscription_body *body, enum frame_encoding encoding,
                               const char *fault)
{
    if (fault != NULL)
        http_reply_error(connection, request, fault == REQUESTED_TOPICS_NO_MEMORY ? 503 : 400,
                         fault);
    else if (connection->server->stopping)
        http_reply_error_with(connection, request, 503, "Stopping", RETRY_AFTER "1");
    else if (!subscribe_begin(connection, request, body, encoding))
        connection_close(connection, CLOSE_MEMORY);
}
