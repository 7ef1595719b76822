#include "requests/renew.h"

#include "config/config.h"
#include "event_id.h"
#include "hex.h"
#include "http/http_reply.h"
#include "http/http_request.h"
#include "json_text.h"
#include "log/event_log.h"
#include "net/connection.h"
#include "requests/elsewhere.h"
#include "requests/message_ticket.h"
#include "requests/service.h"
#include "requests/streaming.h"
#include "retry_after.h"
#include "streams/stream.h"
#include "streams/streams.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum { RENEW_WEIGHT_MOST = 100 }; /* values and names of JSON; two of each are asked for */

const char RENEW_NO_RANDOM[] = "No random bytes";

static void write_renewed(const struct stream *stream, char answer[RENEW_ANSWER_SIZE])
{
    const struct service *service = service_of(&stream->connection);
    char secret[2 * STREAM_SECRET_SIZE + 1], until[40] = "";

    hex_write(secret, stream->secret, sizeof stream->secret);
    if (stream->identity != NULL && stream->identity->until_wall_ms != 0)
        (void)snprintf(until, sizeof until, ",\"until\":%llu",
                       (unsigned long long)stream->identity->until_wall_ms);
    (void)snprintf(answer, RENEW_ANSWER_SIZE,
                   "{\"connid\":%llu,\"secret\":\"%s\",\"timeout\":%llu%s}",
                   (unsigned long long)stream->connid, secret,
                   (unsigned long long)(stream->ends_at - loop_now(&service->net->loop)), until);
}

/* Its reason may be of the ticket, which is gone when it is said. */
static const char *renew_proof(struct stream *stream, const struct renewal *renewal,
                               char fault[REQUESTED_TOPICS_FAULT_SIZE])
{
    struct message_ticket brought;
    const char *reason =
        message_ticket_read(&brought, stream, renewal->ticket, renewal->ticket_length);

    if (reason == NULL)
        reason = message_ticket_renew(&brought, stream);
    if (reason != NULL)
        (void)snprintf(fault, REQUESTED_TOPICS_FAULT_SIZE, "%s", reason);
    message_ticket_free(&brought);
    return reason != NULL ? fault : NULL;
}

void renew_take_had(struct stream *stream, const char *id, size_t length)
{
    const struct service *service = service_of(&stream->connection);
    uint64_t epoch, sequence, values_after;

    if (event_id_read_place(id, length, &epoch, &sequence, &values_after) &&
        epoch == service->log->epoch)
        reports_had(&service->streams->reports, stream->connid, sequence);
}

/* A beat, or a word of what it had, renews nothing before half of the time is over, or where that
 * cannot be any more. */
static bool is_beat_alone(const struct stream *stream, const struct renewal *renewal)
{
    const struct service *service = service_of(&stream->connection);

    return (renewal->beat_ms > 0 || renewal->had != NULL) && renewal->ticket == NULL &&
           (stream->alive_count >= service->config->max_alive ||
            !streaming_is_half_over(&stream->connection));
}

const char *renew_stream(struct stream *stream, const struct renewal *renewal,
                         char answer[RENEW_ANSWER_SIZE], char fault[REQUESTED_TOPICS_FAULT_SIZE])
{
    unsigned char shown[STREAM_SECRET_SIZE];
    const struct service *service = service_of(&stream->connection);
    struct stream_secrets *secrets = &service->streams->secrets;

    if (renewal->secret_length != 2 * sizeof shown ||
        !hex_read(shown, sizeof shown, renewal->secret) ||
        !stream_secrets_count(secrets, stream->connid, stream->secret, shown))
        return "Invalid data";
    if (renewal->had != NULL)
        renew_take_had(stream, renewal->had, renewal->had_length);
    if (renewal->beat_ms > 0)
        streaming_expect(&stream->connection, renewal->beat_ms);
    if (is_beat_alone(stream, renewal)) {
        write_renewed(stream, answer);
        return NULL;
    }
    if (renewal->ticket == NULL && stream->alive_count >= service->config->max_alive)
        return "Max alive reached";
    const char *reason = renewal->ticket != NULL ? renew_proof(stream, renewal, fault) : NULL;
    if (reason != NULL)
        return reason;
    if (!stream_secrets_make(secrets, stream->connid, shown, stream->secret))
        return RENEW_NO_RANDOM;
    stream->alive_count += renewal->ticket == NULL;
    streaming_renew(&stream->connection);
    write_renewed(stream, answer);
    return NULL;
}

static int status_of(const char *fault)
{
    if (fault == RENEW_NO_RANDOM || strcmp(fault, "Too many tickets at once") == 0)
        return 503;
    return strcmp(fault, TICKET_GATE_DROPPED_REASON) == 0 ? 403 : 400;
}

static void renew_by_request(struct connection *connection, const struct http_request *request,
                             uint64_t connid, const struct renewal *renewal)
{
    struct stream *stream = streams_find(service_of(connection)->streams, connid);
    const char *fault = "Invalid data";

    if (connection->net->stopping) {
        http_reply_error_with(connection, request, 503, "Stopping", RETRY_AFTER "1");
        return;
    }
    if (stream == NULL &&
        elsewhere_send(connection, request, connid, renewal->secret, renewal->secret_length))
        return;
    char answer[RENEW_ANSWER_SIZE], text[REQUESTED_TOPICS_FAULT_SIZE];
    if (stream != NULL)
        fault = renew_stream(stream, renewal, answer, text);
    if (fault != NULL)
        http_reply_error(connection, request, status_of(fault), fault);
    else
        http_reply_json(connection, request, 200, "OK", answer, strlen(answer));
}

/* False: it is not what a client may promise. */
static bool read_beat(const json_t *beat, uint64_t *ms)
{
    *ms = json_is_integer(beat) && json_integer_value(beat) > 0 ? (uint64_t)json_integer_value(beat)
                                                                : 0;
    return beat == NULL || json_is_null(beat) ||
           (*ms >= RENEW_BEAT_LEAST && *ms <= RENEW_BEAT_MOST);
}

static bool is_text_or_nothing(const json_t *value)
{
    return value == NULL || json_is_null(value) || json_is_string(value);
}

void renew_answer(struct connection *connection, const struct http_request *request)
{
    size_t size;
    const char *text = http_request_body(request, &size);
    bool light = json_text_weight(text, size) <= RENEW_WEIGHT_MOST;
    json_t *body = light ? json_loadb(text, size, 0, NULL) : NULL;
    const json_t *connid = json_object_get(body, "connid");
    const json_t *secret = json_object_get(body, "secret");
    const json_t *ticket = json_object_get(body, "ticket");
    const json_t *had = json_object_get(body, "had");
    struct renewal renewal = {.secret = json_string_value(secret),
                              .secret_length = json_string_length(secret),
                              .ticket = json_string_value(ticket),
                              .ticket_length = json_string_length(ticket),
                              .had = json_string_value(had),
                              .had_length = json_string_length(had)};

    if (!json_is_integer(connid) || json_integer_value(connid) <= 0 || !json_is_string(secret) ||
        !is_text_or_nothing(ticket) || !is_text_or_nothing(had))
        http_reply_error(connection, request, 400, "Invalid object");
    else if (!read_beat(json_object_get(body, "beat"), &renewal.beat_ms))
        http_reply_error(connection, request, 400, "Invalid beat");
    else
        renew_by_request(connection, request, (uint64_t)json_integer_value(connid), &renewal);
    json_decref(body);
}
