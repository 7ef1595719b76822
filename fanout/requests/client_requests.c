#include "requests/client_requests.h"

#include "events/replay.h"
#include "net/connection.h"
#include "requests/client_message.h"
#include "requests/renew.h"
#include "server.h"
#include "streams/held_topics.h"
#include "streams/subscribe.h"

#include <stdio.h>

/* A minute's messages may come at once, and then as many as leave in that time. */
bool client_requests_count(struct connection *connection)
{
    const uint64_t minute_us = 60 * 1000 * 1000, now_us = server_now(connection->server) * 1000;
    uint64_t due = connection->messages_due > now_us ? connection->messages_due : now_us;

    due += minute_us / connection->server->config.max_messages;
    if (due > now_us + minute_us)
        return false;
    connection->messages_due = due;
    return true;
}

/* Its id is where the client is, so that it can resume from there. */
static bool tell(struct connection *connection, const char *type, const char *detail)
{
    return delivery_tell(connection->server, connection, type, detail, replay_position(connection));
}

bool client_requests_refuse(struct connection *connection, const char *reason)
{
    char detail[160];
    int length = snprintf(detail, sizeof detail, "{\"error\":\"%s\"}", reason);

    return length < (int)sizeof detail && tell(connection, "error", detail);
}

/* The frame comes before the past. */
static bool tell_past(struct connection *connection, uint64_t after)
{
    struct server *server = connection->server;
    char detail[120];

    (void)snprintf(detail, sizeof detail, "{\"topics\":%u,\"recovered\":%s,\"id\":\"%llu-%llu\"}",
                   (unsigned)connection->subscriber.count, connection->recovered ? "true" : "false",
                   (unsigned long long)server->events.epoch,
                   (unsigned long long)server->events.sequence);
    if (!delivery_tell(server, connection, "subscribed", detail, after))
        return false;
    if (event_log_has_any_after(&server->events, after))
        return replay_begin(connection, after, !connection->recovered);
    return subscribe_send_available(connection);
}

static bool tell_count(struct connection *connection, const char *type)
{
    char detail[40];

    (void)snprintf(detail, sizeof detail, "{\"topics\":%u}",
                   (unsigned)connection->subscriber.count);
    return tell(connection, type, detail);
}

static bool subscribe(struct connection *connection, const struct client_message *message)
{
    struct server *server = connection->server;
    struct subscriber *subscriber = &connection->subscriber;
    uint32_t before = subscriber->count;

    if (message->last_id != NULL && (before > 0 || connection->replay != NULL))
        return client_requests_refuse(connection, "Last id should come with the first topics");
    const char *fault =
        held_topics_add(server->topics, subscriber, connection->user, message->topics.list,
                        message->topics.count, server->config.max_topics);
    replay_topics_changed(connection);
    if (fault != NULL)
        return client_requests_refuse(connection, fault);
    if (message->last_id != NULL)
        return tell_past(connection, subscribe_find_start(connection, message->last_id,
                                                          message->last_id_length));
    /* One that catches up is told who is there when it has. */
    return tell_count(connection, "subscribed") &&
           (connection->replay != NULL || subscribe_send_available_from(connection, before));
}

static bool unsubscribe(struct connection *connection, const struct client_message *message)
{
    bool done = held_topics_remove(connection->server->topics, &connection->subscriber,
                                   connection->user, message->topics.list, message->topics.count);

    replay_topics_changed(connection);
    if (!done)
        return client_requests_refuse(connection, REQUESTED_TOPICS_NO_MEMORY);
    return tell_count(connection, "unsubscribed");
}

static bool renew(struct connection *connection, const struct client_message *message)
{
    char answer[RENEW_ANSWER_SIZE];
    const char *fault = connection->server->stopping ? "Stopping"
                                                     : renew_stream(connection, message->secret,
                                                                    message->secret_length, answer);

    return fault != NULL ? client_requests_refuse(connection, fault)
                         : tell(connection, "alive", answer);
}

static bool answer(struct connection *connection, const struct client_message *message)
{
    switch (message->kind) {
    case CLIENT_SUBSCRIBE:
        return subscribe(connection, message);
    case CLIENT_UNSUBSCRIBE:
        return unsubscribe(connection, message);
    case CLIENT_ALIVE:
        return renew(connection, message);
    default:
        return tell(connection, "pong", "{}");
    }
}

void client_requests_take(struct connection *connection, const char *text, size_t length)
{
    struct client_message message;
    const char *fault = client_message_read(&message, text, length, &connection->server->config);
    bool answered =
        fault != NULL ? client_requests_refuse(connection, fault) : answer(connection, &message);

    if (!answered)
        connection_close(connection, CLOSE_MEMORY);
    client_message_free(&message);
}
