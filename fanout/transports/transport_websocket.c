/* WebSocket (RFC 6455): GET /ws. Each frame of the broker is a text message of one WebSocket frame;
 * the client sends text messages too (client_requests.h). */
#include "config/config.h"
#include "cors.h"
#include "http/http_reply.h"
#include "requests/client_requests.h"
#include "requests/service.h"
#include "requests/streaming.h"
#include "requests/subscription_request.h"
#include "streams/stream.h"
#include "transports/transports.h"
#include "transports/websocket_handshake.h"
#include "transports/websocket_input.h"

#include <stdio.h>
#include <stdlib.h>

/* While a message comes in, and when the stream ends by what came in. */
struct speech {
    struct websocket_input *input;
    uint64_t due; /* when the message has to be whole */
    bool ends;
    enum websocket_code code; /* what it ends with */
    const char *reason;
};

static struct speech *speech_of(const struct connection *connection)
{
    return stream_of(connection)->transport_state;
}

static bool encode_message(struct frame_pool *pool, int kind, bool chunked,
                           const struct frame_text *text, struct frame *out)
{
    char head[WEBSOCKET_HEAD_SIZE];
    size_t length = websocket_frame_head(head, WEBSOCKET_TEXT, text->length);

    return transport_store(pool, kind, chunked, head, length, text, "", out);
}

static bool open_websocket(struct connection *connection, const struct http_request *request)
{
    struct websocket_handshake handshake;

    websocket_handshake_check(request, &handshake);
    char head[256];
    int length = snprintf(head, sizeof head,
                          "HTTP/1.1 101 Switching Protocols\r\nDate: %s\r\n"
                          "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                          "Sec-WebSocket-Accept: %s\r\n\r\n",
                          loop_date(&connection->net->loop), handshake.accept);
    return length < (int)sizeof head && connection_queue_bytes(connection, head, (size_t)length);
}

static bool queue_control(struct connection *connection, enum websocket_opcode opcode,
                          const char *payload, size_t payload_length)
{
    char frame[WEBSOCKET_CONTROL_SIZE];
    size_t length = websocket_frame_control(frame, opcode, payload, payload_length);

    return connection_queue_bytes(connection, frame, length);
}

static bool keep_websocket_alive(struct connection *connection)
{
    return queue_control(connection, WEBSOCKET_PING, "", 0);
}

static bool end_websocket(struct connection *connection, enum close_reason reason)
{
    const struct speech *speech = speech_of(connection);
    char frame[WEBSOCKET_CONTROL_SIZE];
    size_t length;

    if (speech != NULL && speech->ends)
        length = websocket_frame_close(frame, speech->code, speech->reason);
    else if (reason == CLOSE_STOPPING)
        length = websocket_frame_close(frame, WEBSOCKET_CODE_GOING_AWAY, "Stopping");
    else if (reason == CLOSE_DROPPED)
        length = websocket_frame_close(frame, WEBSOCKET_CODE_DROPPED, "Dropped");
    else
        length = websocket_frame_close(frame, WEBSOCKET_CODE_NORMAL, "The time is over");
    return connection_queue_bytes(connection, frame, length);
}

static void end_by_speech(struct connection *connection, enum close_reason why,
                          enum websocket_code code, const char *reason)
{
    struct speech *speech = speech_of(connection);

    speech->ends = true;
    speech->code = code;
    speech->reason = reason;
    streaming_end(connection, why);
}

static void forget_speech(struct connection *connection)
{
    struct speech *speech = speech_of(connection);

    if (speech == NULL)
        return;
    websocket_input_free(&speech->input);
    free(speech);
    stream_of(connection)->transport_state = NULL;
}

static uint64_t message_time(const struct connection *connection)
{
    return loop_now(&connection->net->loop) + connection->net->config->body_time;
}

static bool begin_speech(struct connection *connection)
{
    const struct websocket_limits limits = {connection->net->config->max_message,
                                            &service_of(connection)->bodies};
    struct speech *speech = speech_of(connection);

    if (speech != NULL)
        return true;
    speech = calloc(1, sizeof *speech);
    if (speech != NULL)
        speech->input = websocket_input_new(&limits);
    if (speech == NULL || speech->input == NULL) {
        free(speech);
        return false;
    }
    speech->due = message_time(connection);
    websocket_input_count_for(speech->input, connection_bodies(connection));
    stream_of(connection)->transport_state = speech;
    return true;
}

/* A whole message or control frame; it may close the connection. */
static void take_whole(struct connection *connection, enum websocket_verdict verdict)
{
    struct speech *speech = speech_of(connection);
    size_t length;
    const char *payload = websocket_input_payload(speech->input, &length);

    if (!client_requests_count(connection)) {
        end_by_speech(connection, CLOSE_TALKATIVE, WEBSOCKET_CODE_POLICY, "Too many messages");
        return;
    }
    if (verdict == WEBSOCKET_HAS_MESSAGE) {
        speech->due = message_time(connection);
        client_requests_take(connection, payload, length);
    } else if (verdict == WEBSOCKET_HAS_PING &&
               !queue_control(connection, WEBSOCKET_PONG, payload, length)) {
        connection_close(connection, CLOSE_MEMORY);
    }
}

static void take_verdict_of(struct connection *connection, enum websocket_verdict verdict)
{
    const struct speech *speech = speech_of(connection);

    if (verdict == WEBSOCKET_IS_CLOSED)
        end_by_speech(connection, CLOSE_CLIENT, websocket_input_code(speech->input), "");
    else if (verdict == WEBSOCKET_IS_BROKEN)
        end_by_speech(connection, CLOSE_REFUSED, websocket_input_code(speech->input),
                      websocket_input_reason(speech->input));
    else if (verdict != WEBSOCKET_NEED_MORE)
        take_whole(connection, verdict);
}

static void websocket_bytes(struct connection *connection, const char *bytes, size_t length)
{
    while (length > 0 && connection->state == CONNECTION_STREAMING) {
        if (!begin_speech(connection)) {
            connection_close(connection, CLOSE_MEMORY);
            return;
        }
        const struct speech *speech = speech_of(connection);
        size_t consumed;
        enum websocket_verdict verdict =
            websocket_input_feed(speech->input, bytes, length, &consumed);
        bytes += consumed;
        length -= consumed;
        take_verdict_of(connection, verdict);
    }
    const struct speech *speech = speech_of(connection);
    if (speech != NULL && websocket_input_is_idle(speech->input))
        forget_speech(connection);
    else if (speech != NULL)
        connection_set_deadline(connection);
}

static uint64_t message_due(const struct connection *connection)
{
    const struct speech *speech = speech_of(connection);

    return speech != NULL ? speech->due : UINT64_MAX;
}

static void message_late(struct connection *connection)
{
    end_by_speech(connection, CLOSE_BODY_TIME, WEBSOCKET_CODE_POLICY,
                  "Message not received in time");
}

/* Its frames are masked, and half taken apart. */
static bool begun_message(const struct connection *connection, struct bytes *out)
{
    (void)out;
    return speech_of(connection) == NULL;
}

const struct transport transport_websocket = {.name = "websocket",
                                              .encoding = FRAME_WEBSOCKET,
                                              .answers_pings = true,
                                              .encode = encode_message,
                                              .open = open_websocket,
                                              .keep_alive = keep_websocket_alive,
                                              .end = end_websocket,
                                              .input = websocket_bytes,
                                              .forget_state = forget_speech,
                                              .input_due = message_due,
                                              .input_late = message_late,
                                              .begun_input = begun_message};

void transport_websocket_answer(struct connection *connection, const struct http_request *request)
{
    struct websocket_handshake handshake;

    websocket_handshake_check(request, &handshake);
    /* No page can set this header, and none is kept from opening one by anything else (RFC 6455,
     * section 10.2). */
    if (handshake.status == 101 && !cors_allows(connection->net->config->web_origins,
                                                http_request_header(request, HTTP_HEADER_ORIGIN)))
        http_reply_error(connection, request, 403, "Origin not allowed");
    else if (handshake.status == 101)
        subscription_request_answer(connection, request, &transport_websocket);
    else
        http_reply_error_with(connection, request, handshake.status, handshake.reason,
                              handshake.header);
}
