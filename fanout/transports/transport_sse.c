/* Server-Sent Events (HTML standard, section 9.2): GET /sse, or POST / by a client that accepts
 * text/event-stream. */
#include "http/http_reply.h"
#include "http/http_request.h"
#include "requests/streaming.h"
#include "requests/subscription_request.h"
#include "transports/transports.h"

#include <stdio.h>

/* The JSON has no line ends. */
static bool encode_sse(struct frame_pool *pool, int kind, bool chunked,
                       const struct frame_text *text, struct frame *out)
{
    char head[128];
    int length = snprintf(
        head, sizeof head, "%s%.*s%s%s%s%sdata: ", text->id_length > 0 ? "id: " : "",
        (int)text->id_length, text->id, text->id_length > 0 ? "\n" : "",
        text->server_type != NULL ? "event: " : "",
        text->server_type != NULL ? text->server_type : "", text->server_type != NULL ? "\n" : "");

    return length < (int)sizeof head &&
           transport_store(pool, kind, chunked, head, (size_t)length, text, "\n\n", out);
}

/* A field of its own, or the first line of the event that follows. */
static bool hint_retry(struct connection *connection, uint64_t retry_ms)
{
    char line[40];
    int length = snprintf(line, sizeof line, "retry: %llu\n", (unsigned long long)retry_ms);

    return transport_queue(connection, line, (size_t)length);
}

/* When the daemon is killed nobody can be told any more how long to wait. */
static bool open_sse(struct connection *connection, const struct http_request *request)
{
    return http_reply_stream_head(connection, request, "text/event-stream;charset=utf-8") &&
           hint_retry(connection, streaming_retry_ms(connection));
}

static bool keep_sse_alive(struct connection *connection)
{
    return transport_queue(connection, ":\n\n", 3);
}

const struct transport transport_sse_chunked = {.name = "sse",
                                                .encoding = FRAME_SSE_CHUNKED,
                                                .chunked = true,
                                                .reusable = true,
                                                .resumes_by_frame = true,
                                                .encode = encode_sse,
                                                .open = open_sse,
                                                .keep_alive = keep_sse_alive,
                                                .hint_retry = hint_retry,
                                                .end = transport_end_body};

const struct transport transport_sse_plain = {.name = "sse",
                                              .encoding = FRAME_SSE_PLAIN,
                                              .resumes_by_frame = true,
                                              .encode = encode_sse,
                                              .open = open_sse,
                                              .keep_alive = keep_sse_alive,
                                              .hint_retry = hint_retry,
                                              .end = transport_end_body};

void transport_sse_answer(struct connection *connection, const struct http_request *request)
{
    subscription_request_answer(connection, request,
                                http_request_is_1_1(request) ? &transport_sse_chunked
                                                             : &transport_sse_plain);
}
