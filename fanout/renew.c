#include "renew.h"

#include "connection.h"
#include "http_reply.h"
#include "server.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static bool knows_secret(const struct connection *stream, const json_t *secret)
{
    char expected[2 * CONNECTION_SECRET_SIZE + 1];

    secret_hex(expected, stream->secret, sizeof stream->secret);
    return json_string_length(secret) == sizeof expected - 1 &&
           secret_equal(expected, json_string_value(secret), sizeof expected - 1);
}

static void renew(struct connection *stream, struct connection *connection,
                  const struct http_request *request)
{
    char secret[2 * CONNECTION_SECRET_SIZE + 1];
    char json[160];
    int length;

    if (stream->alive_count >= connection->server->config.max_alive) {
        http_reply_error(connection, request, 400, "Max alive reached");
        return;
    }
    if (!stream_secrets_make(&stream->server->secrets, stream->connid, stream->secret)) {
        http_reply_error(connection, request, 503, "No random bytes");
        return;
    }
    stream->alive_count++;
    connection_renew(stream);
    secret_hex(secret, stream->secret, sizeof stream->secret);
    length = snprintf(json, sizeof json, "{\"connid\":%llu,\"secret\":\"%s\",\"timeout\":%llu}",
                      (unsigned long long)stream->connid, secret,
                      (unsigned long long)connection->server->config.stream_time);
    http_reply_json(connection, request, 200, "OK", json, (size_t)length);
}

void renew_answer(struct connection *connection, const struct http_request *request)
{
    size_t size;
    const char *text = http_request_body(request, &size);
    json_t *body = json_loadb(text, size, 0, NULL);
    const json_t *connid = json_object_get(body, "connid");
    const json_t *secret = json_object_get(body, "secret");
    struct connection *stream = NULL;

    if (!json_is_integer(connid) || json_integer_value(connid) <= 0 || !json_is_string(secret)) {
        http_reply_error(connection, request, 400, "Invalid object");
        json_decref(body);
        return;
    }
    stream = connection_find(connection->server, (uint64_t)json_integer_value(connid));
    if (connection->server->stopping)
        http_reply_error_with(connection, request, 503, "Stopping", "Retry-After: 1");
    else if (stream && knows_secret(stream, secret))
        renew(stream, connection, request);
    else
        http_reply_error(connection, request, 400, "Invalid data");
    json_decref(body);
}
