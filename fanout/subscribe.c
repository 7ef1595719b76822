#include "subscribe.h"

#include "clock.h"
#include "connection.h"
#include "http_reply.h"
#include "log.h"
#include "replay.h"
#include "server.h"
#include "subscription_body.h"
#include "topic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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
    struct delivery_event event = {.json = json, .presence = true};
    uint32_t receivers;

    /* Mostly nobody watches anybody: then there is no topic below the first level. */
    if (!topic_index_find(&server->topics[SUBSCRIPTION_OPEN], "@CONNECTION@", 12))
        return;
    write_presence_topic(&topic, entry->clid, entry->length);
    event.json_length = (size_t)snprintf(
        json, sizeof json, "{\"type\":\"%s\",\"detail\":{\"clid_instances\":%u}}", type, instances);
    event.topic = topic.data;
    event.topic_length = topic.length;
    if (topic.failed || !delivery_publish(server, &event, &receivers))
        log_error("presence event lost for want of memory", log_text("type", type));
    bytes_free(&topic);
}

static bool add_topic(struct connection *connection, const struct subscription_topic *topic)
{
    struct subscriber *subscriber = &connection->subscriber;
    struct subscription *subscription = &subscriber->subscriptions[subscriber->count];
    const char *name = topic->text;
    size_t length = topic->length;

    subscription->kind = topic->kind;
    if (topic->kind == SUBSCRIPTION_INBOX) {
        name = connection->user;
        length = strlen(name);
    }
    if (!topic_index_add(&connection->server->topics[topic->kind], subscriber, subscriber->count,
                         name, length))
        return false;
    subscriber->count++;
    return true;
}

static bool add_topics(struct connection *connection, const struct subscription_body *body)
{
    struct subscriber *subscriber = &connection->subscriber;

    if (body->topic_count == 0)
        return true;
    subscriber->subscriptions = calloc(body->topic_count, sizeof *subscriber->subscriptions);
    if (!subscriber->subscriptions)
        return false;
    for (size_t i = 0; i < body->topic_count; i++)
        if (!add_topic(connection, &body->topics[i]))
            return false;
    return true;
}

static void remove_topics(struct connection *connection)
{
    struct subscriber *subscriber = &connection->subscriber;

    for (uint32_t i = 0; i < subscriber->count; i++)
        topic_index_remove(&connection->server->topics[subscriber->subscriptions[i].kind],
                           subscriber, i);
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
    replay_abandon(connection);
    hash_table_remove(&server->streams, &connection->by_connid);
    departed_add(&server->departed, connection->connid, connection->secret, server_now(server));
    connection->connid = 0;
    free(connection->headers);
    connection->headers = NULL;
    free(connection->user);
    connection->user = NULL;
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

static bool keep_user(struct connection *connection, const struct subscription_body *body)
{
    if (body->user)
        connection->user = strdup(body->user);
    return !body->user || connection->user;
}

static bool reads_secret(const char *hex, unsigned char secret[CONNECTION_SECRET_SIZE])
{
    for (size_t i = 0; i < 2 * CONNECTION_SECRET_SIZE; i++) {
        const char *digits = "0123456789abcdef";
        const char *digit = hex[i] ? strchr(digits, hex[i]) : NULL;
        if (!digit)
            return false;
        secret[i / 2] = (unsigned char)(secret[i / 2] << 4 | (digit - digits));
    }
    return hex[2 * CONNECTION_SECRET_SIZE] == '\0';
}

/* The connection id that the client had and can prove to have had, with this daemon or the one
 * before it, or 0. A connection that still holds it is one of which the client knows already that
 * it is dead. */
static uint64_t take_former_connid(struct server *server, const struct subscription_body *body)
{
    unsigned char secret[CONNECTION_SECRET_SIZE];
    struct connection *former;

    if (!body->connid || !reads_secret(body->secret, secret))
        return 0;
    former = connection_find(server, body->connid);
    if (former && secret_equal(former->secret, secret, sizeof secret))
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

/* The client is in the table and in presence before its own topics are, so that it does not hear
 * itself come. On failure nothing is left of it. */
static bool enter(struct connection *connection, const struct http_request *request,
                  const struct subscription_body *body)
{
    struct server *server = connection->server;
    uint64_t connid = take_former_connid(server, body);

    connection->presence = presence_enter(&server->presence, body->clid, body->clid_length);
    if (!connection->presence)
        return false;
    if (!enter_table(connection, connid ? connid : server->next_connid)) {
        presence_leave(&server->presence, connection->presence);
        connection->presence = NULL;
        return false;
    }
    server->next_connid += connid ? 0 : 1;
    publish_presence(server, "connect", connection->presence, connection->presence->instances);
    return stream_secrets_make(&server->secrets, connection->connid, connection->secret) &&
           keep_user(connection, body) && keep_headers(connection, request) &&
           add_topics(connection, body);
}

/* Where the stream begins: at the head of the log, or where the client was. */
struct starting_point {
    uint64_t after; /* sequence */
    bool asked, recovered;
};

static struct starting_point find_start(const struct event_log *log,
                                        const struct subscription_body *body)
{
    struct starting_point start = {.after = log->sequence, .asked = body->last_id != NULL};
    uint64_t epoch, sequence;

    if (!start.asked || !event_log_parse_id(body->last_id, body->last_id_length, &epoch, &sequence))
        return start;
    if (epoch < log->epoch) {
        start.after = 0; /* all that this log has came after what the client had */
    } else if (epoch == log->epoch && sequence <= log->sequence) {
        start.recovered = event_log_has_all_after(log, sequence);
        start.after = sequence;
    }
    return start;
}

/* Its frame's id is where the stream begins, so that a client that is cut off right after it
 * resumes from there. */
static bool send_connected(struct connection *connection, const struct starting_point *start)
{
    struct server *server = connection->server;
    char secret[2 * CONNECTION_SECRET_SIZE + 1];
    char json[320];
    int length;

    secret_hex(secret, connection->secret, sizeof connection->secret);
    length = snprintf(json, sizeof json,
                      "{\"type\":\"connected\",\"detail\":{\"connid\":%llu,\"secret\":\"%s\","
                      "\"timeout\":%llu,\"id\":\"%llu-%llu\"%s}}",
                      (unsigned long long)connection->connid, secret,
                      (unsigned long long)server->config.stream_time,
                      (unsigned long long)server->events.epoch,
                      (unsigned long long)server->events.sequence,
                      !start->asked      ? ""
                      : start->recovered ? ",\"recovered\":true"
                                         : ",\"recovered\":false");
    return delivery_send_to(server, connection, "@SERVER@", 8, json, (size_t)length, start->after);
}

/* Only for exact topics "@CONNECTION@/clid": a pattern names nobody. */
static bool send_available(struct connection *connection, const char *topic, size_t topic_length)
{
    static const char prefix[] = "@CONNECTION@/";
    const size_t prefix_length = sizeof prefix - 1;
    struct server *server = connection->server;
    char json[96];
    int length;

    if (topic_length <= prefix_length || memcmp(topic, prefix, prefix_length) != 0 ||
        topic_has_wildcard(topic, topic_length))
        return true;
    length = snprintf(
        json, sizeof json, "{\"type\":\"available\",\"detail\":{\"clid_instances\":\"%u\"}}",
        presence_count(&server->presence, topic + prefix_length, topic_length - prefix_length));
    return delivery_send_to(server, connection, topic, topic_length, json, (size_t)length,
                            server->events.sequence);
}

bool subscribe_send_available(struct connection *connection)
{
    struct bytes name = BYTES_EMPTY;
    bool sent = true;

    for (uint32_t i = 0; sent && i < connection->subscriber.count; i++) {
        const struct subscription *subscription = &connection->subscriber.subscriptions[i];
        if (subscription->kind != SUBSCRIPTION_OPEN)
            continue;
        bytes_clear(&name);
        topic_node_write_name(subscription->node, &name);
        sent = !name.failed && send_available(connection, name.data ? name.data : "", name.length);
    }
    bytes_free(&name);
    return sent;
}

/* A client that catches up is told who is there when it has caught up: what happens meanwhile is in
 * that count. */
static bool begin_stream(struct connection *connection, const struct http_request *request,
                         const struct subscription_body *body)
{
    struct starting_point start;

    connection->encoding = http_request_is_1_1(request) ? FRAME_CHUNKED : FRAME_PLAIN;
    if (!enter(connection, request, body))
        return false;
    start = find_start(&connection->server->events, body);
    if (!http_reply_stream_head(connection, request) || !send_connected(connection, &start))
        return false;
    if (event_log_has_any_after(&connection->server->events, start.after)) {
        if (!replay_begin(connection, start.after, !start.recovered))
            return false;
    } else if (!subscribe_send_available(connection)) {
        return false;
    }
    connection_begin_stream(connection);
    connection->server->counters.streams_begun++;
    log_debug("stream begun", log_number("connid", (int64_t)connection->connid),
              log_number("topics", (int64_t)body->topic_count));
    return true;
}

static void begin_or_refuse(struct connection *connection, const struct http_request *request,
                            const struct subscription_body *body, const char *fault)
{
    if (fault)
        http_reply_error(connection, request, fault == SUBSCRIPTION_NO_MEMORY ? 503 : 400, fault);
    else if (connection->server->stopping)
        http_reply_error_with(connection, request, 503, "Stopping", "Retry-After: 1");
    else if (!begin_stream(connection, request, body))
        connection_close(connection, CLOSE_MEMORY);
}

/* The ticket of a request: in the query, or as a Bearer token (docs/protocol.md section 4). A
 * request with a body subscribes by that: its Authorization header is the business of whatever
 * stands before the daemon. */
static bool find_ticket(const struct http_request *request, struct bytes *ticket)
{
    const char *header = http_request_header(request, "Authorization");
    size_t body_length;

    if (http_request_query(request, "ticket", ticket))
        return true;
    (void)http_request_body(request, &body_length);
    if (body_length > 0 || !header || strncasecmp(header, "Bearer ", 7) != 0)
        return false;
    bytes_append_text(ticket, header + 7);
    return true;
}

/* A client that comes back with a ticket says in the query who it was. */
static void read_former_self(const struct http_request *request, struct subscription_body *body,
                             struct bytes *secret)
{
    struct bytes connid = BYTES_EMPTY;

    if (http_request_query(request, "connid", &connid) &&
        http_request_query(request, "secret", secret)) {
        const char *text = bytes_terminate(&connid);
        body->connid = text ? strtoull(text, NULL, 10) : 0;
        body->secret = bytes_terminate(secret);
    }
    bytes_free(&connid);
    if (!body->secret)
        body->connid = 0;
}

static void subscribe_with_ticket(struct connection *connection, const struct http_request *request,
                                  const struct bytes *text)
{
    struct server *server = connection->server;
    struct bytes secret = BYTES_EMPTY;
    struct subscription_body body;
    struct ticket ticket;
    const char *fault;

    switch (ticket_gate_admit(&server->tickets, &server->config, text->data ? text->data : "",
                              text->length, clock_wall_ms() / 1000, &ticket)) {
    case TICKET_GATE_OPEN:
        fault = subscription_body_from_ticket(&body, &ticket, &server->config);
        read_former_self(request, &body, &secret);
        begin_or_refuse(connection, request, &body, fault);
        subscription_body_free(&body);
        bytes_free(&secret);
        ticket_free(&ticket);
        break;
    case TICKET_GATE_REFUSED:
        http_reply_error(connection, request, 400, "Invalid ticket");
        break;
    default:
        http_reply_error_with(connection, request, 503, "Too many tickets at once",
                              "Retry-After: 1");
    }
}

/* Whoever has a bind key is sent to the program that can read it; 307 keeps method and body (RFC
 * 9110, section 15.4.8). */
static void send_to_subscribe_url(struct connection *connection, const struct http_request *request)
{
    const char *url = connection->server->config.subscribe_url;
    struct bytes header = BYTES_EMPTY;

    if (!url) {
        http_reply_error(connection, request, 400, SUBSCRIPTION_HAS_BIND_KEY);
        return;
    }
    bytes_append_format(&header, "Location: %s", url);
    http_reply_error_with(connection, request, 307, "Subscribe there with a bind key",
                          header.failed ? "" : bytes_terminate(&header));
    bytes_free(&header);
}

static void subscribe_with_body(struct connection *connection, const struct http_request *request)
{
    struct subscription_body body;
    size_t length;
    const char *text = http_request_body(request, &length);
    const char *fault = subscription_body_read(&body, text, length, &connection->server->config);

    if (fault == SUBSCRIPTION_HAS_BIND_KEY)
        send_to_subscribe_url(connection, request);
    else
        begin_or_refuse(connection, request, &body, fault);
    subscription_body_free(&body);
}

void subscribe_answer(struct connection *connection, const struct http_request *request)
{
    struct bytes ticket = BYTES_EMPTY;

    enum http_request_method method = http_request_method(request);

    if (method != HTTP_METHOD_HEAD && find_ticket(request, &ticket))
        subscribe_with_ticket(connection, request, &ticket);
    else if (method == HTTP_METHOD_POST)
        subscribe_with_body(connection, request);
    else
        http_reply_error(connection, request, 400, "Subscribe with POST or with a ticket");
    bytes_free(&ticket);
}
