/* The reading half of a connection: bytes become requests, or are ignored within bounds. */
#include "net/connection.h"

#include "events/bus_reader.h"
#include "http/http_reply.h"
#include "requests/routes.h"
#include "server.h"
#include "transports/transport.h"

void connection_give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct connection *connection = handle->data;

    (void)suggested;
    *buffer = uv_buf_init(connection->server->read_buffer, SERVER_READ_BUFFER);
}

static bool have_request(struct connection *connection)
{
    const struct config *config = &connection->server->config;
    struct http_limits limits = {config->max_headers, config->max_body,
                                 &connection->server->bodies};

    if (connection->request == NULL)
        connection->request = http_request_new(&limits);
    return connection->request != NULL;
}

static void refuse(struct connection *connection)
{
    struct http_request *request = connection->request;

    connection->request = NULL;
    connection->close_reason = CLOSE_REFUSED;
    http_reply_error(connection, NULL, http_request_status(request), http_request_reason(request));
    http_request_free(&request);
}

static void wait_for_more(struct connection *connection, bool had_begun, bool had_head)
{
    struct http_request *request = connection->request;

    if (had_begun != http_request_has_begun(request) ||
        had_head != http_request_head_is_complete(request))
        connection_set_deadline(connection);
    if (http_request_take_expectation(request) &&
        !connection_queue_bytes(connection, "HTTP/1.1 100 Continue\r\n\r\n", 25))
        connection_close(connection, CLOSE_MEMORY);
}

static void answer(struct connection *connection)
{
    /* Out of the connection's hands: answering may close it. */
    struct http_request *request = connection->request;

    connection->request = NULL;
    routes_answer(connection, request);
    http_request_free(&request);
}

static void ignore_input(struct connection *connection, size_t length)
{
    connection->dirty_input = true;
    connection->ignored_input += (uint32_t)length;
    if (connection->ignored_input > connection->server->config.max_ignored_input)
        connection_close(connection, CLOSE_TALKATIVE);
}

/* What a client says while it holds a stream. */
static void take_input(struct connection *connection, const char *bytes, size_t length)
{
    const struct transport *transport = transport_of(connection);

    if (transport->input != NULL)
        transport->input(connection, bytes, length);
    else
        ignore_input(connection, length);
}

/* Takes as many requests as the bytes hold: clients may send the next before they have the answer
 * (pipelining). */
static void take_requests(struct connection *connection, const char *bytes, size_t length)
{
    while (length > 0 && connection->state == CONNECTION_READING) {
        bool had_begun, had_head;

        if (!have_request(connection)) {
            connection_close(connection, CLOSE_MEMORY);
            return;
        }
        had_begun = http_request_has_begun(connection->request);
        had_head = http_request_head_is_complete(connection->request);
        size_t consumed;
        enum http_verdict verdict =
            http_request_feed(connection->request, bytes, length, &consumed);
        if (verdict == HTTP_NEED_MORE) {
            wait_for_more(connection, had_begun, had_head);
            return;
        }
        if (verdict == HTTP_REFUSED) {
            refuse(connection);
            return;
        }
        bytes += consumed;
        length -= consumed;
        answer(connection);
    }
    if (length > 0 && connection->state == CONNECTION_STREAMING)
        take_input(connection, bytes, length);
}

static void on_end(struct connection *connection, ssize_t error)
{
    if (connection->state == CONNECTION_READING && error == UV_EOF)
        connection_end_reading(connection, CLOSE_CLIENT);
    if (connection->state == CONNECTION_ENDING && error == UV_EOF) {
        /* It has said all it wants to say, but may still read the answer. */
        connection->keep_alive = false;
        (void)uv_read_stop(&connection->io.stream);
        return;
    }
    if (connection->state == CONNECTION_LINGERING)
        connection_close(connection, connection->close_reason);
    else
        connection_close(connection, error == UV_EOF ? CLOSE_CLIENT : CLOSE_RESET);
}

void connection_on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct connection *connection = stream->data;

    bus_reader_look(connection->server->bus);
    if (count < 0) {
        on_end(connection, count);
        return;
    }
    if (count == 0) /* nothing there after all */
        return;
    switch (connection->state) {
    case CONNECTION_READING:
        if (transport_of(connection)->without_request)
            take_input(connection, buffer->base, (size_t)count);
        else
            take_requests(connection, buffer->base, (size_t)count);
        break;
    case CONNECTION_STREAMING:
        take_input(connection, buffer->base, (size_t)count);
        break;
    case CONNECTION_ENDING:
        /* What is thrown away may have been a request. */
        connection->dirty_input = true;
        connection->keep_alive = false;
        break;
    default:
        break; /* lingering: thrown away */
    }
}
