#include "requests/client_requests.h"

#include "config/config.h"
#include "events/delivery.h"
#include "events/replay.h"
#include "log/event_log.h"
#include "net/connection.h"
#include "requests/client_message.h"
#include "requests/deaf_topics.h"
#include "requests/message_ticket.h"
#include "requests/presence_catch_up.h"
#include "requests/presence_events.h"
#include "requests/renew.h"
#include "requests/service.h"
#include "requests/subscribe.h"
#include "streams/held_topics.h"
#include "streams/stream.h"
#include "streams/streams.h"
#include "streams/topic_limits.h"

#include <stdio.h>
#include <stdlib.h>

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
    char detail[REQUESTED_TOPICS_FAULT_SIZE + 32];
    int length = snprintf(detail, sizeof detail, "{\"error\":\"%s\"}", reason);

    return length < (int)sizeof detail && tell_client(connection, "error", detail);
}

static bool tell_subscribed(struct connection *connection, struct log_position position,
                            const struct past_rights *past, bool asked_past)
{
    const struct service *service = service_of(connection);
    struct stream *stream = stream_of(connection);
    struct bytes detail = BYTES_EMPTY;

    bytes_append_format(&detail, "{\"topics\":%u", (unsigned)stream->subscriber.count);
    if (asked_past)
        bytes_append_format(
            &detail, ",\"recovered\":%s,\"id\":\"%llu-%llu\"", stream->recovered ? "true" : "false",
            (unsigned long long)service->log->epoch, (unsigned long long)service->log->sequence);
    deaf_topics_write(&detail, past);
    bytes_append_text(&detail, "}");
    bool told = bytes_terminate(&detail) != NULL &&
                delivery_tell(service->delivery, stream, "subscribed", detail.data, position);
    bytes_free(&detail);
    return told;
}

/* The frame comes before the past. */
static bool tell_past(struct connection *connection, const struct client_message *message,
                      const struct past_rights *past)
{
    struct service *service = service_of(connection);
    struct stream *stream = stream_of(connection);
    const char *last_id = message->last_id;
    struct log_position position =
        subscribe_find_start(connection, last_id, message->last_id_length);
    const struct presence_due due = presence_catch_up_begin(
        service, last_id, message->last_id_length, false, &(struct presence_heard){0});

    subscribe_settle_recovery(stream, &position, past);
    decisions_note_began(&service->streams->decisions, stream, position.sequence);
    const struct replay_start start = {.position = position, .may_have_gap = !stream->recovered};
    if (!tell_subscribed(connection, position, past, true))
        return false;
    if (event_log_has_any_after(service->log, position.sequence) ||
        event_log_is_ahead(service->log, position.sequence) ||
        log_position_lacks_values(position) || presence_catch_up_is_needed(stream))
        return replay_begin(service->replays, stream, &start, past, &due);
    replay_count_resume(service->replays, 0);
    stream->presence_since = (uint32_t)service->streams->presence.changes;
    return presence_events_send_available(service, stream, 0);
}

static bool tell_count(struct connection *connection, const char *type)
{
    char detail[40];

    (void)snprintf(detail, sizeof detail, "{\"topics\":%u}",
                   (unsigned)stream_of(connection)->subscriber.count);
    return tell_client(connection, type, detail);
}

/* ---- topics that come ---- */

/* What one message subscribes to: its own topics, and those of its ticket. */
struct addition {
    struct message_ticket brought;
    struct requested_topics topics;
};

static const char *find_addition(struct addition *addition, struct stream *stream,
                                 const struct client_message *message)
{
    const struct config *config = service_of(&stream->connection)->config;
    const struct requested_topics *own = &message->topics,
                                  *granted = &addition->brought.body.topics;

    *addition = (struct addition){0};
    const char *fault = message->ticket != NULL
                            ? message_ticket_read(&addition->brought, stream, message->ticket,
                                                  message->ticket_length)
                            : NULL;
    if (fault != NULL)
        return fault;
    struct requested_topic *all = calloc(own->count + granted->count + 1, sizeof *all);
    if (all == NULL)
        return REQUESTED_TOPICS_NO_MEMORY;
    for (size_t i = 0; i < own->count; i++)
        all[i] = own->list[i];
    for (size_t i = 0; i < granted->count; i++)
        all[own->count + i] = granted->list[i];
    /* Both were looked at: this is for those that stand in both. */
    fault = requested_topics_check(&addition->topics, all, own->count + granted->count,
                                   REQUESTED_TOPICS_GIVEN_UP, config);
    free(all);
    return fault;
}

static void free_addition(struct addition *addition)
{
    requested_topics_free(&addition->topics);
    message_ticket_free(&addition->brought);
}

static void note_addition(struct service *service, const struct stream *stream,
                          const struct addition *addition)
{
    struct decisions *decisions = &service->streams->decisions;

    decisions_note_topics(decisions, DECISION_ADDED, stream, &addition->topics);
    decisions_note_deaf(decisions, stream, addition->brought.body.past);
}

/* Who asks for it is known by its stream. */
static void note_refused(const struct stream *stream, const struct client_message *message,
                         const char *fault)
{
    struct service *service = service_of(&stream->connection);
    struct bytes clid = BYTES_EMPTY;

    bytes_append(&clid, stream->presence->clid, stream->presence->length);
    decisions_note_refused(&service->streams->decisions, stream_user(stream),
                           bytes_terminate(&clid), fault, &message->topics);
    access_log_refused(
        &service->streams->access, &stream->connection,
        &(struct refused_access){stream_user(stream), clid.data, fault, message->topics.count});
    bytes_free(&clid);
}

static const char *hold_addition(struct stream *stream, const struct addition *addition)
{
    struct service *service = service_of(&stream->connection);
    const struct requested_topics *topics = &addition->topics;
    const char *user =
        addition->brought.body.user != NULL ? addition->brought.body.user : stream_user(stream);
    uint64_t before = topic_limits_weight(stream);
    const char *fault = topic_limits_fault(service->streams, stream, topics->list, topics->count);
    if (fault == NULL)
        fault = held_topics_add(service->streams->topics, &stream->subscriber, user, topics->list,
                                topics->count, service->config->max_topics);
    topic_limits_charge(stream, before);
    replay_topics_changed(stream);
    if (fault == NULL)
        note_addition(service, stream, addition);
    return fault;
}

/* Of bound topics that come while it catches up it hears no more of the past than it may now. */
static bool withhold_past(struct stream *stream, const struct addition *addition)
{
    const struct past_rights *past = addition->brought.body.past;
    const struct requested_topics *topics = &addition->topics;
    struct bytes bound = BYTES_EMPTY;

    if (past != NULL && past->topics_known)
        return replay_withhold(stream, &past->deaf);
    for (size_t i = 0; i < topics->count; i++) {
        if (!topics->list[i].bound)
            continue;
        bytes_append(&bound, topics->list[i].text, topics->list[i].length);
        bytes_append(&bound, "", 1);
    }
    bool done = !bound.failed && replay_withhold(stream, &bound);
    bytes_free(&bound);
    return done;
}

/* Of topics that come to one that is live; the others wait meanwhile, and find their events in the
 * log. */
static bool tell_values(struct connection *connection, const struct past_rights *past,
                        uint32_t before)
{
    struct service *service = service_of(connection);
    struct stream *stream = stream_of(connection);
    const struct replay_start start = {.position = {.sequence = service->log->sequence},
                                       .first_slot = before};

    struct presence_due due =
        presence_catch_up_begin(service, NULL, 0, true, &(struct presence_heard){0});
    due.names_told = true;
    return tell_subscribed(connection, start.position, past, false) &&
           presence_events_send_available(service, stream, before) &&
           replay_begin(service->replays, stream, &start, past, &due);
}

static bool lacks_values(const struct stream *stream, uint32_t before)
{
    return service_of(&stream->connection)->log->values.count > 0 &&
           stream->subscriber.count > before;
}

static bool tell_addition(struct connection *connection, const struct client_message *message,
                          const struct addition *addition, uint32_t before)
{
    const struct service *service = service_of(connection);
    struct stream *stream = stream_of(connection);
    const struct past_rights *past = addition->brought.body.past;

    if (message->last_id != NULL)
        return tell_past(connection, message, past);
    if (stream->replay == NULL && lacks_values(stream, before))
        return tell_values(connection, past, before);
    replay_add_values(stream, before);
    /* One that catches up is told who is there when it has. */
    return tell_subscribed(connection, replay_position(service->replays, stream), past, false) &&
           (stream->replay != NULL ||
            presence_events_send_available(service_of(connection), stream, before));
}

static bool add_topics(struct connection *connection, const struct client_message *message)
{
    struct stream *stream = stream_of(connection);
    uint32_t before = stream->subscriber.count;
    struct addition addition;

    if (message->last_id != NULL && (before > 0 || stream->replay != NULL))
        return client_requests_refuse(connection, "Last id should come with the first topics");
    const char *fault = find_addition(&addition, stream, message);
    if (fault == NULL)
        fault = hold_addition(stream, &addition);
    if (fault != NULL)
        note_refused(stream, message, fault);
    bool done = fault != NULL ? client_requests_refuse(connection, fault)
                              : message_ticket_take_identity(&addition.brought, stream) &&
                                    withhold_past(stream, &addition) &&
                                    tell_addition(connection, message, &addition, before);
    free_addition(&addition);
    return done;
}

static bool remove_topics(struct connection *connection, const struct client_message *message)
{
    struct stream *stream = stream_of(connection);
    uint64_t weight = topic_limits_weight(stream);
    bool done =
        held_topics_remove(service_of(connection)->streams->topics, &stream->subscriber,
                           stream_user(stream), message->topics.list, message->topics.count);

    topic_limits_charge(stream, weight);
    replay_topics_changed(stream);
    if (!done)
        return client_requests_refuse(connection, REQUESTED_TOPICS_NO_MEMORY);
    decisions_note_topics(&service_of(connection)->streams->decisions, DECISION_REMOVED, stream,
                          &message->topics);
    return tell_count(connection, "unsubscribed");
}

static bool renew_by_message(struct connection *connection, const struct client_message *message)
{
    char answer[RENEW_ANSWER_SIZE], text[REQUESTED_TOPICS_FAULT_SIZE];
    const struct renewal renewal = {.secret = message->secret,
                                    .secret_length = message->secret_length,
                                    .ticket = message->ticket,
                                    .ticket_length = message->ticket_length};
    const char *fault = connection->net->stopping
                            ? "Stopping"
                            : renew_stream(stream_of(connection), &renewal, answer, text);

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
    case CLIENT_HAD:
        return true; /* nobody waits for an answer */
    default:
        return tell_client(connection, "pong", "{}");
    }
}

void client_requests_take(struct connection *connection, const char *text, size_t length)
{
    struct client_message message;

    if (stream_of(connection)->is_behind) { /* an answer would have an id that it has not come to */
        connection_close(connection, CLOSE_STOPPING);
        return;
    }
    const char *fault =
        client_message_read(&message, text, length, stream_user(stream_of(connection)) != NULL,
                            connection->net->config);
    if (fault == NULL && message.had != NULL)
        renew_take_had(stream_of(connection), message.had, message.had_length);
    bool answered = fault != NULL ? client_requests_refuse(connection, fault)
                                  : answer_message(connection, &message);

    if (!answered)
        connection_close(connection, CLOSE_MEMORY);
    client_message_free(&message);
}
