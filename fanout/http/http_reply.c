#include "http/http_reply.h"

#include "bytes.h"
#include "cors.h"
#include "http/http_request.h"
#include "net/connection.h"

#include <stdio.h>
#include <string.h>

enum { REPLY_SIZE = 512 }; /* bytes of most answers: they are written without growing */

static const char common_headers[] = "X-Content-Type-Options: nosniff\r\n";

static bool is_head_request(const struct http_request *request)
{
    return request != NULL && http_request_method(request) == HTTP_METHOD_HEAD;
}

static bool stays_open(const struct connection *connection, const struct http_request *request)
{
    return request != NULL && http_request_keep_alive(request) && !connection->net->stopping &&
           !connection->kept_place;
}

static const char *origin_of(const struct http_request *request)
{
    return request != NULL ? http_request_header(request, HTTP_HEADER_ORIGIN) : NULL;
}

void http_reply_append_allowed(struct bytes *out, const struct connection *connection,
                               const struct http_request *request)
{
    cors_append_allow(out, connection->net->config->web_origins, origin_of(request));
}

static void begin_any_reply(struct bytes *out, struct connection *connection, int status,
                            const char *reason)
{
    (void)bytes_reserve(out, REPLY_SIZE);
    bytes_append_text(out, "HTTP/1.1 ");
    bytes_append_number(out, (uint64_t)status);
    bytes_append_text(out, " ");
    bytes_append_text(out, reason);
    bytes_append_text(out, "\r\nDate: ");
    bytes_append_text(out, loop_date(&connection->net->loop));
    bytes_append_text(out, "\r\n");
}

static void begin_reply(struct bytes *out, struct connection *connection,
                        const struct http_request *request, int status, const char *reason)
{
    begin_any_reply(out, connection, status, reason);
    http_reply_append_allowed(out, connection, request);
    bytes_append_text(out, common_headers);
}

static bool queue_and_free(struct connection *connection, struct bytes *out)
{
    bool queued = !out->failed && connection_queue_bytes(connection, out->data, out->length);

    bytes_free(out);
    return queued;
}

static void finish_reply(struct bytes *out, struct connection *connection,
                         const struct http_request *request)
{
    bool keep_alive = stays_open(connection, request);

    if (queue_and_free(connection, out))
        connection_end_answer(connection, keep_alive);
    else
        connection_close(connection, CLOSE_MEMORY);
}

static void connection_header(struct bytes *out, bool keep_alive)
{
    bytes_append_text(out,
                      keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n");
}

static void describe_json(struct bytes *out, const char *header, size_t length)
{
    bytes_append_format(
        out,
        "Cache-Control: no-store\r\nContent-Type: application/json;charset=utf-8\r\n"
        "%s%sContent-Length: %zu\r\n",
        header, *header ? "\r\n" : "", length);
}

static void reply(struct connection *connection, const struct http_request *request, int status,
                  const char *reason, const char *header, const char *json, size_t length)
{
    struct bytes out = BYTES_EMPTY;

    begin_reply(&out, connection, request, status, reason);
    describe_json(&out, header, length);
    connection_header(&out, stays_open(connection, request));
    if (!is_head_request(request))
        bytes_append(&out, json, length);
    finish_reply(&out, connection, request);
}

void http_reply_json(struct connection *connection, const struct http_request *request, int status,
                     const char *reason, const char *json, size_t length)
{
    reply(connection, request, status, reason, "", json, length);
}

void http_reply_text_with(struct connection *connection, const struct http_request *request,
                          const char *content_type, const char *header, const char *text,
                          size_t length)
{
    struct bytes out = BYTES_EMPTY;

    begin_reply(&out, connection, request, 200, "OK");
    bytes_append_format(&out,
                        "Cache-Control: no-store\r\nContent-Type: %s\r\n%s%s"
                        "Content-Length: %zu\r\n",
                        content_type, header, *header ? "\r\n" : "", length);
    connection_header(&out, stays_open(connection, request));
    if (!is_head_request(request))
        bytes_append(&out, text, length);
    finish_reply(&out, connection, request);
}

void http_reply_text(struct connection *connection, const struct http_request *request,
                     const char *content_type, const char *text, size_t length)
{
    http_reply_text_with(connection, request, content_type, "", text, length);
}

void http_reply_error_with(struct connection *connection, const struct http_request *request,
                           int status, const char *reason, const char *header)
{
    struct bytes json = BYTES_EMPTY;

    bytes_append_text(&json, "{\"error\":");
    bytes_append_json_string(&json, reason, strlen(reason));
    bytes_append_text(&json, "}");
    if (json.failed)
        connection_close(connection, CLOSE_MEMORY);
    else
        reply(connection, request, status, reason, header, json.data, json.length);
    bytes_free(&json);
}

void http_reply_error(struct connection *connection, const struct http_request *request, int status,
                      const char *reason)
{
    http_reply_error_with(connection, request, status, reason, "");
}

void http_reply_event_stream_over(struct connection *connection, const struct http_request *request,
                                  uint64_t retry_ms)
{
    struct bytes out = BYTES_EMPTY, field = BYTES_EMPTY;

    bytes_append_format(&field, "retry: %llu\n\n", (unsigned long long)retry_ms);
    begin_reply(&out, connection, request, 200, "OK");
    bytes_append_format(&out,
                        "Cache-Control: no-store\r\n"
                        "Content-Type: text/event-stream;charset=utf-8\r\nContent-Length: %zu\r\n",
                        field.length);
    connection_header(&out, stays_open(connection, request));
    bytes_append(&out, field.data, field.length);
    out.failed = out.failed || field.failed;
    bytes_free(&field);
    finish_reply(&out, connection, request);
}

void http_reply_preflight(struct connection *connection, const struct http_request *request)
{
    struct bytes out = BYTES_EMPTY;

    begin_reply(&out, connection, request, 204, "No Content");
    cors_append_preflight(&out,
                          http_request_header(request, HTTP_HEADER_ACCESS_CONTROL_REQUEST_HEADERS));
    bytes_append_text(&out, "Allow: GET, POST, OPTIONS\r\n");
    connection_header(&out, stays_open(connection, request));
    finish_reply(&out, connection, request);
}

/* X-Accel-Buffering: nginx would keep a stream to itself (ngx_http_proxy_module, proxy_buffering).
 */
bool http_reply_stream_head(struct connection *connection, const struct http_request *request,
                            const char *content_type)
{
    bool chunked = http_request_is_1_1(request);
    struct bytes out = BYTES_EMPTY;

    connection->keep_alive = chunked && stays_open(connection, request);
    begin_reply(&out, connection, request, 200, "OK");
    bytes_append_text(&out, "Content-Type: ");
    bytes_append_text(&out, content_type);
    bytes_append_text(&out, "\r\n"
                            "Cache-Control: no-cache, no-store, max-age=0, must-revalidate\r\n"
                            "Pragma: no-cache\r\n"
                            "X-Accel-Buffering: no\r\n");
    if (chunked)
        bytes_append_text(&out, "Transfer-Encoding: chunked\r\n");
    connection_header(&out, connection->keep_alive);
    return queue_and_free(connection, &out);
}

bool http_reply_json_head(struct connection *connection, const char *allowed, size_t allowed_length,
                          size_t length)
{
    struct bytes out = BYTES_EMPTY;

    begin_any_reply(&out, connection, 200, "OK");
    bytes_append(&out, allowed, allowed_length);
    bytes_append_text(&out, common_headers);
    describe_json(&out, "", length);
    connection_header(&out, connection->keep_alive);
    return queue_and_free(connection, &out);
}
