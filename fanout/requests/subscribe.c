#include "requests/subscribe.h"

#include "clock.h"
#include "config/config.h"
#include "event_id.h"
#include "events/delivery.h"
#include "events/nodes.h"
#include "events/replay.h"
#include "hex.h"
#include "http/http_reply.h"
#include "http/http_request.h"
#include "log/event_log.h"
#include "messages.h"
#include "net/connection.h"
#include "requests/deaf_topics.h"
#include "requests/leaving.h"
#include "requests/presence_catch_up.h"
#include "requests/presence_events.h"
#include "requests/service.h"
#include "requests/streaming.h"
#include "retry_after.h"
#include "streams/held_topics.h"
#include "streams/stream.h"
#include "streams/streams.h"
#include "streams/topic_limits.h"
#include "streams/transport.h"
#include "subscription_body.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool keep_headers(struct stream *stream, const struct http_request *request)
{
    size_t length = 0;
    const char *bytes = request != NULL ? http_request_headers(request, &length) : NULL;

    if (!stream->connection.net->config->keep_headers || length == 0)
        return true;
    struct kept_headers *headers = malloc(sizeof *headers + length);
    if (headers == NULL)
        return false;
    headers->length = length;
    memcpy(headers->bytes, bytes, length);
    streams_keep_headers(service_of(&stream->connection)->streams, stream, headers);
    return true;
}

/* A proof that has just ended leaves a stream that ends at once. */
static uint64_t until_of(const struct service *service, const struct subscription_body *body)
{
    uint64_t now = loop_now(&service->net->loop), wall = clock_wall_ms();

    if (body->until_ms == 0)
        return UINT64_MAX;
    return body->until_ms > wall ? now + (body->until_ms - wall) : now;
}

bool subscribe_keep_identity(struct stream *stream, const struct subscription_body *body)
{
    if (body->user == NULL)
        return true;
    if (stream->identity == NULL)
        stream->identity = identities_new(&service_of(&stream->connection)->streams->identities,
                                          body->user, body->sid);
    if (stream->identity == NULL)
        return false;
    stream->identity->stream = stream;
    uint64_t until = until_of(service_of(&stream->connection), body);
    if (until < stream->identity->until) {
        stream->identity->until = until;
        stream->identity->until_wall_ms = body->until_ms;
    }
    return true;
}

void subscribe_prolong_identity(struct stream *stream, const struct subscription_body *body)
{
    uint64_t until = until_of(service_of(&stream->connection), body);

    if (until <= stream->identity->until)
        return;
    stream->identity->until = until;
    stream->identity->until_wall_ms = body->until_ms;
}

/* Whose streams of an earlier daemon's are not known any more, nor so which of them were dropped. */
static bool was_dropped(const struct streams *streams, const struct subscription_body *body)
{
    return revocations_refuse(&streams->revocations, body->user, body->sid, 0, clock_wall_ms());
}

/* Of a client that was at another daemon last, or is still here by what this one knows. */
static bool take_over(struct service *service, uint64_t connid, const unsigned char *secret)
{
    struct streams *streams = service->streams;
    struct stream *former = streams_find(streams, connid);
    const unsigned char *newest =
        former != NULL ? former->secret : departed_secret(&streams->departed, connid);

    if (!stream_secrets_take_over(&streams->secrets, connid, newest, secret,
                                  loop_now(&service->net->loop)))
        return false;
    if (former != NULL)
        connection_close(&former->connection, CLOSE_REPLACED);
    departed_forget(&streams->departed, connid);
    return true;
}

/* The connection id that the client had and can prove to have had, with this daemon or the one
 * before it, or another one, or 0. A connection that still holds it is one of which the client knows
 * already that it is dead. */
static uint64_t take_former_connid(struct service *service, const struct subscription_body *body,
                                   bool *was_here)
{
    unsigned char secret[STREAM_SECRET_SIZE];

    if (!body->connid || !hex_read(secret, sizeof secret, body->secret))
        return 0;
    struct streams *streams = service->streams;
    struct stream *former = streams_find(streams, body->connid);
    if (former != NULL &&
        stream_secrets_count(&streams->secrets, body->connid, former->secret, secret))
        connection_close(&former->connection, CLOSE_REPLACED);
    uint64_t now = loop_now(&service->net->loop);
    *was_here = departed_take(&streams->departed, &streams->secrets, body->connid, secret, now);
    if (*was_here)
        stream_secrets_note_shown(&streams->secrets, body->connid, secret, now);
    else if (was_dropped(streams, body) ||
             !(streams->secrets.is_shared
                   ? take_over(service, body->connid, secret)
                   : stream_secrets_take_back(&streams->secrets, body->connid, secret, now)))
        return 0;
    return body->connid;
}

/* Takes over the presence that was kept while the client was between two polls, when it still has
 * that name; else it comes anew. */
static bool enter_presence(struct service *service, struct stream *stream,
                           const struct subscription_body *body, uint64_t former_connid,
                           bool *comes_anew)
{
    struct streams *streams = service->streams;
    const char *clid = body->clid != NULL ? body->clid : PRESENCE_ANONYMOUS;
    size_t length = strlen(clid);
    struct presence_entry *kept =
        former_connid ? poll_gap_take(&streams->polls, former_connid) : NULL;

    *comes_anew = kept == NULL || kept->length != length || memcmp(kept->clid, clid, length) != 0;
    if (kept != NULL && *comes_anew)
        streaming_leave_presence(service, kept);
    stream->presence = *comes_anew ? presence_enter(&streams->presence, clid, length) : kept;
    return stream->presence != NULL;
}

/* A poll that comes back keeps its secret: a new one would be lost with an answer that is cut off.
 */
static bool take_secret(struct streams *streams, struct stream *stream,
                        const struct subscription_body *body)
{
    unsigned char shown[STREAM_SECRET_SIZE];

    if (!stream->comes_back)
        return stream_secrets_make(&streams->secrets, stream->connid, NULL, stream->secret);
    if (!hex_read(shown, sizeof shown, body->secret))
        return false;
    if (!stream->transport->answers_once)
        return stream_secrets_make(&streams->secrets, stream->connid, shown, stream->secret);
    memcpy(stream->secret, shown, sizeof shown);
    return true;
}

static bool take_topics(struct streams *streams, struct stream *stream,
                        const struct requested_topics *topics)
{
    const char *fault = held_topics_add(streams->topics, &stream->subscriber, stream_user(stream),
                                        topics->list, topics->count, UINT64_MAX);

    topic_limits_charge(stream, 0);
    return fault == NULL;
}

/* Of one that polls, and has shown that it is the same one. */
static struct presence_heard heard_before(const struct service *service,
                                          const struct stream *stream,
                                          const struct subscription_body *body)
{
    if (!stream->transport->answers_once || !body->connid)
        return (struct presence_heard){0};
    return departed_heard(&service->streams->departed, body->connid);
}

/* presence_since is taken when the client has come, so that it does not hear itself come. On
 * failure nothing is left of it. */
static bool enter(struct service *service, struct stream *stream,
                  const struct http_request *request, const struct subscription_body *body,
                  bool *was_here)
{
    struct streams *streams = service->streams;
    uint64_t connid = take_former_connid(service, body, was_here);
    bool comes_anew;

    if (!enter_presence(service, stream, body, connid, &comes_anew))
        return false;
    if (!hash_table_add(&streams->by_connid, &stream->by_connid,
                        connid ? connid : streams->next_connid)) {
        if (comes_anew) /* nobody has heard of it yet */
            presence_leave(&streams->presence, stream->presence);
        else
            streaming_leave_presence(service, stream->presence);
        stream->presence = NULL;
        return false;
    }
    streams->next_connid += connid ? 0 : 1 + streams->connid_gap;
    streams->of_encoding[stream->encoding]++;
    stream->comes_back = connid != 0;
    stream->says_had = body->says_had;
    if (stream->comes_back)
        reports_come_back(&streams->reports, connid);
    if (comes_anew)
        presence_note_change(&streams->presence, stream->presence);
    stream->presence_since = (uint32_t)streams->presence.changes;
    loop_watch_did(&service->net->loop.watch, LOOP_SUBSCRIBED, body->topics.count);
    return take_secret(streams, stream, body) && subscribe_keep_identity(stream, body) &&
           keep_headers(stream, request) && take_topics(streams, stream, &body->topics);
}

/* Without values that it could lack it lacks none. */
static struct log_position position_at(const struct event_log *log, uint64_t sequence,
                                       uint64_t values_after)
{
    bool lacks = log->values.count > 0 && values_after < sequence;

    return (struct log_position){.sequence = sequence,
                                 .values_after = lacks ? values_after : sequence};
}

struct log_position subscribe_find_start(struct connection *connection, const char *last_id,
                                         size_t length)
{
    struct stream *stream = stream_of(connection);
    const struct event_log *log = service_of(connection)->log;
    struct log_position asked;
    uint64_t epoch;

    stream->asked_past = last_id != NULL;
    stream->recovered = false;
    if (last_id == NULL ||
        !event_id_read_place(last_id, length, &epoch, &asked.sequence, &asked.values_after))
        return position_at(log, log->sequence, 0);
    if (epoch < log->epoch) /* all that this log has came after what the client had */
        return position_at(log, log->forgotten, 0);
    if (epoch > log->epoch ||
        (asked.sequence > log->sequence && !event_log_is_ahead(log, asked.sequence)))
        return position_at(log, log->sequence, 0);
    if (stream->comes_back)
        reports_resume(&service_of(connection)->streams->reports, stream->connid, asked.sequence);
    stream->recovered = event_log_has_all_after(log, asked.sequence);
    if (stream->recovered)
        return position_at(log, asked.sequence, asked.values_after);
    return position_at(log, asked.sequence > log->forgotten ? asked.sequence : log->forgotten, 0);
}

/* Its frame's id is where the stream begins, so that a client that is cut off right after it
 * resumes from there. */
static bool send_connected(struct service *service, struct stream *stream,
                           struct log_position start, const struct past_rights *past)
{
    struct bytes detail = BYTES_EMPTY;
    char secret[2 * STREAM_SECRET_SIZE + 1];

    hex_write(secret, stream->secret, sizeof stream->secret);
    bytes_append_text(&detail, "{\"connid\":");
    bytes_append_number(&detail, stream->connid);
    bytes_append_text(&detail, ",\"secret\":\"");
    bytes_append_text(&detail, secret);
    bytes_append_text(&detail, "\",\"timeout\":");
    bytes_append_number(&detail, stream->ends_at - loop_now(&service->net->loop));
    bytes_append_text(&detail, ",\"id\":\"");
    bytes_append_number(&detail, service->log->epoch);
    bytes_append_text(&detail, "-");
    bytes_append_number(&detail, service->log->sequence);
    bytes_append_text(&detail, "\"");
    if (stream->identity != NULL) {
        bytes_append_text(&detail, ",\"identity\":{\"uid\":");
        bytes_append_json_string(&detail, stream->identity->user->text,
                                 stream->identity->user->length);
        if (stream->identity->until_wall_ms != 0)
            bytes_append_format(&detail, ",\"until\":%llu",
                                (unsigned long long)stream->identity->until_wall_ms);
        bytes_append_text(&detail, "}");
    }
    deaf_topics_write(&detail, past);
    if (stream->asked_past)
        bytes_append_text(&detail,
                          stream->recovered ? ",\"recovered\":true" : ",\"recovered\":false");
    bytes_append_text(&detail, "}");
    bool sent = bytes_terminate(&detail) != NULL &&
                delivery_tell(service->delivery, stream, "connected", detail.data, start);
    bytes_free(&detail);
    return sent;
}

/* Apache's mod_proxy_http says by this header that it passes the request on, and waits for us alone
 * then: that its client has closed it notices when it writes. Its WebSockets it watches on both
 * sides. */
static bool leaves_unseen(const struct http_request *request, const struct transport *transport)
{
    return request != NULL && !transport->answers_pings &&
           http_request_header(request, HTTP_HEADER_X_FORWARDED_SERVER) != NULL;
}

/* How long the stream is held; whoever polls may say how long it wants to wait. */
static uint64_t hold_time(const struct config *config, const struct transport *transport,
                          const struct subscription_body *body)
{
    if (!transport->answers_once)
        return config->stream_time;
    return body->has_wait && body->wait_ms < config->poll_time ? body->wait_ms : config->poll_time;
}

/* A client that catches up is told who is there when it has caught up: what happens meanwhile is in
 * that count. One that gets everything at once is told at once. */
static bool send_beginning(struct service *service, struct stream *stream,
                           const struct http_request *request, struct log_position position,
                           const struct past_rights *past, const struct presence_due *due)
{
    struct connection *connection = &stream->connection;
    const struct transport *transport = stream->transport;
    const struct replay_start start = {.position = position, .may_have_gap = !stream->recovered};
    bool catches_up = event_log_has_any_after(service->log, position.sequence) ||
                      event_log_is_ahead(service->log, position.sequence) ||
                      log_position_lacks_values(position) ||
                      (stream->asked_past && presence_catch_up_is_needed(stream));

    if (!catches_up && stream->asked_past)
        replay_count_resume(service->replays, 0);
    return transport->open(connection, request) &&
           send_connected(service, stream, position, past) &&
           ((catches_up && !transport->answers_once) ||
            presence_events_send_available(service, stream, 0)) &&
           (transport->begun == NULL || transport->begun(connection)) &&
           (!catches_up || replay_begin(service->replays, stream, &start, past, due));
}

static bool holds_back(const struct stream *stream, uint64_t after, const struct past_rights *past)
{
    const struct event_log *log = service_of(&stream->connection)->log;
    bool bound = log->newest_bound > after && (past == NULL || !past->topics_known);
    bool inbox = log->newest_targeted > after && (past == NULL || !past->inbox_known);
    for (uint32_t i = 0; i < stream->subscriber.count; i++) {
        uint32_t kind = stream->subscriber.subscriptions[i].kind;
        if ((kind == SUBSCRIPTION_BOUND && bound) || (kind == SUBSCRIPTION_INBOX && inbox))
            return true;
    }
    return false;
}

/* What its last answer said is told once more, and then it has it. */
static uint64_t before_of(const struct presence_due *due, const struct presence_heard *heard)
{
    if (heard->is_poll)
        return due->news_from;
    return due->is_known ? due->change : UINT64_MAX;
}

void subscribe_settle_recovery(struct stream *stream, struct log_position *start,
                               const struct past_rights *past)
{
    struct service *service = service_of(&stream->connection);

    if (stream->recovered && holds_back(stream, start->sequence, past)) {
        stream->recovered = false;
        *start = position_at(service->log, start->sequence, 0);
    }
    if (stream->asked_past)
        service->streams->resumes[stream->recovered]++;
}

static void note_decisions(struct service *service, const struct stream *stream,
                           const struct subscription_body *body, uint64_t start)
{
    struct decisions *decisions = &service->streams->decisions;

    decisions_note_began(decisions, stream, start);
    decisions_note_deaf(decisions, stream, body->past);
    access_log_begun(&service->streams->access, stream);
}

bool subscribe_begin(struct connection *connection, const struct http_request *request,
                     const struct subscription_body *body, const struct transport *transport)
{
    struct service *service = service_of(connection);
    struct stream *stream = stream_of(connection);

    leaving_finish(stream);
    streaming_take(connection, transport);
    struct presence_heard heard = heard_before(service, stream, body);
    bool was_here = false;
    if (!enter(service, stream, request, body, &was_here))
        return false;
    heard.is_poll = heard.is_poll && stream->comes_back;
    size_t id_length = body->last_id != NULL ? strlen(body->last_id) : 0;
    struct log_position start = subscribe_find_start(connection, body->last_id, id_length);
    const struct presence_due due =
        presence_catch_up_begin(service, body->last_id, id_length, was_here, &heard);
    connection->leaves_unseen = leaves_unseen(request, transport);
    streaming_begin(connection, hold_time(service->config, transport, body));
    subscribe_settle_recovery(stream, &start, body->past);
    note_decisions(service, stream, body, start.sequence);
    if (transport->answers_once)
        stream->presence_before = before_of(&due, &heard);
    if (!send_beginning(service, stream, request, start, body->past, &due))
        return false;
    service->streams->begun++;
    message_debug("stream begun", message_number("connid", (int64_t)stream->connid),
                  message_number("topics", (int64_t)body->topics.count));
    if (stream->ends_at == loop_now(&service->net->loop) && stream->replay == NULL)
        streaming_end(connection, CLOSE_DONE); /* it does not want to wait */
    return true;
}

const char *subscribe_fault(struct connection *connection, const struct subscription_body *body)
{
    leaving_finish(stream_of(connection));
    return topic_limits_fault(service_of(connection)->streams, stream_of(connection),
                              body->topics.list, body->topics.count);
}

void subscribe_refuse_for_now(struct connection *connection, const struct http_request *request,
                              const struct transport *transport, const char *reason,
                              unsigned seconds)
{
    uint64_t retry_ms = streaming_retry_ms(connection);
    char header[96];

    (void)snprintf(header, sizeof header, RETRY_AFTER "%u", seconds);
    if (transport->hint_retry != NULL)
        http_reply_event_stream_over(connection, request, retry_ms);
    else
        http_reply_error_with(connection, request, 503, reason, header);
}

static void note_refused(const struct connection *connection, const struct subscription_body *body,
                         const char *fault)
{
    struct streams *streams = service_of(connection)->streams;

    decisions_note_refused(&streams->decisions, body->user, body->clid, fault, &body->topics);
    access_log_refused(&streams->access, connection,
                       &(struct refused_access){body->user, body->clid, fault, body->topics.count});
}

void subscribe_begin_or_refuse(struct connection *connection, const struct http_request *request,
                               const struct subscription_body *body,
                               const struct transport *transport, const char *fault)
{
    const char *trouble = nodes_trouble(service_of(connection)->nodes);

    if (fault == NULL)
        fault = subscribe_fault(connection, body);
    if (fault != NULL)
        note_refused(connection, body, fault);
    if (fault == TOPIC_LIMITS_FULL || fault == TOPIC_LIMITS_ADDRESS)
        subscribe_refuse_for_now(connection, request, transport, fault, 5);
    else if (fault != NULL)
        http_reply_error(connection, request, fault == REQUESTED_TOPICS_NO_MEMORY ? 503 : 400,
                         fault);
    else if (connection->net->stopping)
        subscribe_refuse_for_now(connection, request, transport, "Stopping", 1);
    else if (trouble != NULL)
        subscribe_refuse_for_now(connection, request, transport, trouble, 1);
    else if (!subscribe_begin(connection, request, body, transport))
        connection_close(connection, CLOSE_MEMORY);
}
