#include "requests/client_requests.h"

#include "config/config.h"
#include "events/delivery.h"
#include "events/replay.h"
#include "log/event_log.h"
#include "net/connection.h"
#include "requests/client_message.h"
#include "requests/presence_events.h"
#include "requests/renew.h"
#include "requests/service.h"
#include "requests/subscribe.h"
#include "streams/held_topics.h"
#include "streams/stream.h"
#include "streams/streams.h"
#include "streams/topic_limits.h"

#include <stdio.h>

/* A minute's messages may come at once, and then as many as leave in that time. */
bool client_requests_count(struct connection *connection)
{
    struct stream *stream = stream_of(connection);
    const uint64_t minute_us = 60 * 1000 * 1000;
    const uint64_t now_us = loop_now(&connection->net->loop) * 1000;
    uint64_t due = stream->messages_due > now_us ? stream->messages_due : now_us;

    due += minute_us / connection->net->config->max_messages;
    if (due > now_us + minute_us)
        return false;
    stream->messages_due = due;
    return true;
}

/* Its id is where the client is, so that it can resume from there. */
static bool tell_client(struct connection *connection, const char *type, const char *detail)
{
    const struct service *service = service_of(connection);
    struct stream *stream = stream_of(connection);

    return delivery_tell(service->delivery, stream, type, detail,
                         replay_position(service->replays, stream));
}

bool client_requests_refuse(struct connection *connection, const char *reason)
{
    char detail[160];
    int length = snprintf(detail, sizeof detail, "{\"error\":\"%s\"}", reason);

    return length < (int)sizeof detail && tell_client(connection, "error", detail);
}

/* The frame comes before the past. */
static bool tell_past(struct connection *connection, uint64_t after)
{
    const struct service *service = service_of(connection);
    struct stream *stream = stream_of(connection);
    char detail[120];

    (void)snprintf(detail, sizeof detail, "{\"topics\":%u,\"recovered\":%s,\"id\":\"%llu-%llu\"}",
                   (unsigned)stream->subscriber.count, stream->recovered ? "true" : "false",
                   (unsigned long long)service->log->epoch,
                   (unsigned long long)service->log->sequence);
    if (!delivery_tell(service->delivery, stream, "subscribed", detail, after))
        return false;
    if (event_log_has_any_after(service->log, after))
        return replay_begin(service->replays, stream, after, !stream->recovered, NULL);
    return subscribe_caught_up(stream);
}

static bool tell_count(struct connection *connection, const char *type)
{
    char detail[40];

    (void)snprintf(detail, sizeof detail, "{\"topics\":%u}",
                   (unsigned)stream_of(connection)->subscriber.count);
    return tell_client(connection, type, detail);
}

static bool add_topics(struct connection *connection, const struct client_message *message)
{
    struct service *service = service_of(connection);
    struct stream *stream = stream_of(connection);
    struct subscriber *subscriber = &stream->subscriber;
    uint32_t before = subscriber->count;

    if (message->last_id != NULL && (before > 0 || stream->replay != NULL))
        return client_requests_refuse(connection, "Last id should come with the first topics");
    const char *fault = topic_limits_fault(service->streams, service->config, subscriber,
                                           message->topics.list, message->topics.count);
    if (fault == NULL)
        fault = held_topics_add(service->streams->topics, subscriber, stream_user(stream),
                                message->topics.list, message->topics.count,
                                service->config->max_topics);
    replay_topics_changed(stream);
    if (fault != NULL)
        return client_requests_refuse(connection, fault);
    if (message->last_id != NULL)
        return tell_past(connection, subscribe_find_start(connection, message->last_id,
                                                          message->last_id_length));
    /* One that catches up is told who is there when it has. */
    return tell_count(connection, "subscribed") &&
           (stream->replay != NULL || presence_events_send_available(service, stream, before));
}

static bool remove_topics(struct connection *connection, const struct client_message *message)
{
    struct stream *stream = stream_of(connection);
    bool done =
        held_topics_remove(service_of(connection)->streams->topics, &stream->subscriber,
                           stream_user(stream), message->topics.list, message->topics.count);

    replay_topics_changed(stream);
    if (!done)
        return client_requests_refuse(connection, REQUESTED_TOPICS_NO_MEMORY);
    return tell_count(connection, "unsubscribed");
}

static bool renew_by_message(struct connection *connection, const struct client_message *message)
{
    char answer[RENEW_ANSWER_SIZE];
    const char *fault =
        connection->net->stopping
            ? "Stopping"
            : renew_stream(stream_of(connection), message->secret, message->secret_length, answer);

    return fault != NULL ? client_requests_refuse(connection, fault)
                         : tell_client(connection, "alive", answer);
}

static bool answer_message(struct connection *connection, const struct client_message *message)
{
    switch (message->kind) {
    case CLIENT_SUBSCRIBE:
        return add_topics(connection, message);
    case CLIENT_UNSUBSCRIBE:
        return remove_topics(connection, message);
    case CLIENT_ALIVE:
        return renew_by_message(connection, message);
    default:
        return tell_client(connection, "pong", "{}");
    }
}

void client_requests_take(struct connection *connection, const char *text, size_t length)
{
    struct client_message message;
    const char *fault =
        client_message_read(&message, text, length, stream_user(stream_of(connection)) != NULL,
                            connection->net->config);
    bool answered = fault != NULL ? client_requests_refuse(connection, fault)
                                  : answer_message(connection, &message);

    if (!answered)
        connection_close(connection, CLOSE_MEMORY);
    client_message_free(&message);
}
