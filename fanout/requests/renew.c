#include "requests/renew.h"

#include "config/config.h"
#include "hex.h"
#include "http/http_reply.h"
#include "http/http_request.h"
#include "json_text.h"
#include "net/connection.h"
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

const char *renew_stream(struct stream *stream, const char *secret, size_t length,
                         char answer[RENEW_ANSWER_SIZE])
{
    unsigned char shown[STREAM_SECRET_SIZE];
    const struct service *service = service_of(&stream->connection);
    const struct config *config = service->config;

    struct stream_secrets *secrets = &service->streams->secrets;

    if (length != 2 * sizeof shown || !hex_read(shown, sizeof shown, secret) ||
        !stream_secrets_count(secrets, stream->connid, stream->secret, shown))
        return "Invalid data";
    if (stream->alive_count >= config->max_alive)
        return "Max alive reached";
    if (!stream_secrets_make(secrets, stream->connid, shown, stream->secret))
        return RENEW_NO_RANDOM;
    stream->alive_count++;
    streaming_renew(&stream->connection);
    char fresh[2 * STREAM_SECRET_SIZE + 1];
    hex_write(fresh, stream->secret, sizeof stream->secret);
    (void)snprintf(answer, RENEW_ANSWER_SIZE,
                   "{\"connid\":%llu,\"secret\":\"%s\",\"timeout\":%llu}",
                   (unsigned long long)stream->connid, fresh,
                   (unsigned long long)(stream->ends_at - loop_now(&service->net->loop)));
    return NULL;
}

static void renew_by_request(struct connection *connection, const struct http_request *request,
                             uint64_t connid, const json_t *secret)
{
    struct stream *stream = streams_find(service_of(connection)->streams, connid);
    const char *fault = "Invalid data";

    if (connection->net->stopping) {
        http_reply_error_with(connection, request, 503, "Stopping", RETRY_AFTER "1");
        return;
    }
    char answer[RENEW_ANSWER_SIZE];
    if (stream != NULL)
        fault = renew_stream(stream, json_string_value(secret), json_string_length(secret), answer);
    if (fault != NULL)
        http_reply_error(connection, request, fault == RENEW_NO_RANDOM ? 503 : 400, fault);
    else
        http_reply_json(connection, request, 200, "OK", answer, strlen(answer));
}

void renew_answer(struct connection *connection, const struct http_request *request)
{
    size_t size;
    const char *text = http_request_body(request, &size);
    bool light = json_text_weight(text, size) <= RENEW_WEIGHT_MOST;
    json_t *body = light ? json_loadb(text, size, 0, NULL) : NULL;
    const json_t *connid = json_object_get(body, "connid");
    const json_t *secret = json_object_get(body, "secret");

    if (json_is_integer(connid) && json_integer_value(connid) > 0 && json_is_string(secret))
        renew_by_request(connection, request, (uint64_t)json_integer_value(connid), secret);
    else
        http_reply_error(connection, request, 400, "Invalid object");
    json_decref(body);
}
