/* Streamed frames: POST / is answered by a body that does not end, a run of ''LENGTH''JSON
 * (docs/protocol.md section 2). */
#include "digits.h"
#include "http/http_reply.h"
#include "http/http_request.h"
#include "requests/subscription_request.h"
#include "transports/transports.h"

#include <string.h>

static bool encode_frame(struct frame_pool *pool, int kind, bool chunked,
                         const struct frame_text *text, struct frame *out)
{
    char head[DIGITS_DECIMAL_MOST + 4] = "''";
    size_t length = 2 + digits_write_decimal(head + 2, text->length);

    memcpy(head + length, "''", 2);
    return transport_store(pool, kind, chunked, head, length + 2, text, "", out);
}

static bool open_frames(struct connection *connection, const struct http_request *request)
{
    return http_reply_stream_head(connection, request, "text/plain;charset=utf-8");
}

static bool keep_frames_alive(struct connection *connection)
{
    return transport_queue(connection, "''0''", 5);
}

const struct transport transport_frames_chunked = {.name = "frames",
                                                   .encoding = FRAME_CHUNKED,
                                                   .chunked = true,
                                                   .reusable = true,
                                                   .encode = encode_frame,
                                                   .open = open_frames,
                                                   .keep_alive = keep_frames_alive,
                                                   .end = transport_end_body};

const struct transport transport_frames_plain = {.name = "frames",
                                                 .encoding = FRAME_PLAIN,
                                                 .encode = encode_frame,
                                                 .open = open_frames,
                                                 .keep_alive = keep_frames_alive,
                                                 .end = transport_end_body};

void transport_frames_answer(struct connection *connection, const struct http_request *request)
{
    if (http_request_method(request) != HTTP_METHOD_POST &&
        !subscription_request_has_ticket(request)) {
        http_reply_error(connection, request, 400, "Subscribe with POST or with a ticket");
        return;
    }
    if (http_request_accepts_event_stream(request)) {
        transport_sse_answer(connection, request);
        return;
    }
    subscription_request_answer(connection, request,
                                http_request_is_1_1(request) ? &transport_frames_chunked
                                                             : &transport_frames_plain);
}
