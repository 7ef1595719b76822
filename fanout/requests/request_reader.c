#include "requests/request_reader.h"

#include "config/config.h"
#include "http/http_reply.h"
#include "http/http_request.h"
#include "requests/client_address.h"
#include "requests/service.h"
#include "requests/waiting_requests.h"
#include "streams/stream.h"

/* A kept place is not for who takes his time. */
enum { KEPT_PLACE_MS = 2000 };

static bool have_request(struct connection *connection)
{
    struct stream *stream = stream_of(connection);
    const struct config *config = connection->net->config;
    struct http_limits limits = {config->max_headers, config->max_body,
                                 &service_of(connection)->bodies};

    if (stream->request != NULL)
        return true;
    stream->request = http_request_new(&limits);
    if (stream->request == NULL)
        return false;
    return http_request_count_for(stream->request, connection_bodies(connection));
}

/* Out of the connection's hands: answering may close it, or make a stream of it. */
static struct http_request *take_request(struct connection *connection)
{
    struct stream *stream = stream_of(connection);
    struct http_request *request = stream->request;

    stream->request = NULL;
    return request;
}

static void refuse_request(struct connection *connection)
{
    struct http_request *request = take_request(connection);

    connection->close_reason = CLOSE_REFUSED;
    http_reply_error(connection, NULL, http_request_status(request), http_request_reason(request));
    http_request_free(&request);
}

void request_reader_answer(struct connection *connection, struct http_request *request)
{
    service_of(connection)->answer(connection, request);
    http_request_free(&request);
    if (connection->state == CONNECTION_READING)
        client_address_leave(connection);
}

/* A proxy's connection says in the head of each request whose it is. */
static bool enter_address(struct connection *connection, const struct http_request *request)
{
    return !connection->from_proxy || connection_address(connection) != NULL ||
           client_address_enter(connection, request);
}

/* What follows in the same bytes could not be kept meanwhile; no proxy sends it. */
static void answer_or_hold(struct connection *connection, bool is_last)
{
    struct http_request *request = take_request(connection);

    if (!enter_address(connection, request))
        http_request_free(&request);
    else if (!connection->from_proxy || !is_last || !waiting_requests_hold(connection, request))
        request_reader_answer(connection, request);
}

/* Whose it is has to be known while it comes in. False: it was refused. */
static bool begin_body(struct connection *connection, struct http_request *request)
{
    if (!enter_address(connection, request)) {
        http_request_free(&stream_of(connection)->request);
        return false;
    }
    if (http_request_count_for(request, connection_bodies(connection)))
        return true;
    refuse_request(connection);
    return false;
}

static void wait_for_more(struct connection *connection, bool had_begun, bool had_head)
{
    struct http_request *request = stream_of(connection)->request;

    if (had_head != http_request_head_is_complete(request) &&
        !begin_body(connection, stream_of(connection)->request))
        return;
    if (had_begun != http_request_has_begun(request) ||
        had_head != http_request_head_is_complete(request))
        connection_set_deadline(connection);
    if (http_request_take_expectation(request) &&
        !connection_queue_bytes(connection, "HTTP/1.1 100 Continue\r\n\r\n", 25))
        connection_close(connection, CLOSE_MEMORY);
}

/* A poll that did not wait is over when its answer is written, and the next request may be looked
 * at (RFC 9112, section 9.3.2). */
static void write_answer(struct connection *connection)
{
    if (connection->state == CONNECTION_ENDING && connection->backlog == NULL)
        connection_write_all(connection->net, &connection, 1);
}

/* What cannot be answered any more, nor be told from the body of a request. */
static void drop_rest(struct connection *connection)
{
    connection->dirty_input = true;
    connection->keep_alive = false;
}

/* Takes as many requests as the bytes hold: clients may send the next before they have the answer
 * (pipelining). What follows a request that became a stream is the stream's. */
static void take_requests(struct connection *connection, const char *bytes, size_t length)
{
    while (length > 0 && connection->state == CONNECTION_READING) {
        if (!have_request(connection)) {
            connection_close(connection, CLOSE_MEMORY);
            return;
        }
        struct http_request *request = stream_of(connection)->request;
        bool had_begun = http_request_has_begun(request);
        bool had_head = http_request_head_is_complete(request);
        size_t consumed;
        enum http_verdict verdict = http_request_feed(request, bytes, length, &consumed);
        if (verdict == HTTP_NEED_MORE) {
            wait_for_more(connection, had_begun, had_head);
            return;
        }
        if (verdict == HTTP_REFUSED) {
            refuse_request(connection);
            return;
        }
        bytes += consumed;
        length -= consumed;
        answer_or_hold(connection, length == 0);
        if (length > 0)
            write_answer(connection);
    }
    if (length > 0 && connection->state == CONNECTION_ENDING)
        drop_rest(connection);
    if (length > 0 && connection->state == CONNECTION_STREAMING)
        connection->user->input(connection, bytes, length);
}

static uint64_t request_deadline(const struct connection *connection)
{
    const struct config *config = connection->net->config;
    const struct http_request *request = stream_of(connection)->request;
    uint64_t now = loop_now(&connection->net->loop);

    if (connection->kept_place && config->header_time > KEPT_PLACE_MS)
        return now + KEPT_PLACE_MS;
    if (request != NULL && http_request_head_is_complete(request))
        return now + config->body_time;
    if (request != NULL || !connection->keep_alive)
        return now + config->header_time;
    return now + config->idle_time;
}

static void request_due(struct connection *connection)
{
    struct stream *stream = stream_of(connection);

    if (connection->backlog != NULL) { /* nothing more was read of it */
        if (connection_has_moved(connection))
            connection_set_deadline(connection); /* but it takes its answer, steadily */
        else
            connection_close(connection, CLOSE_SLOW);
        return;
    }
    if (stream->request == NULL) {
        connection_close(connection, connection->keep_alive ? CLOSE_IDLE : CLOSE_HEAD_TIME);
        return;
    }
    bool head = http_request_head_is_complete(stream->request);
    connection->close_reason = head ? CLOSE_BODY_TIME : CLOSE_HEAD_TIME;
    http_request_free(&stream->request);
    http_reply_error(connection, NULL, 408,
                     head ? "Body not received in time" : "Head not received in time");
}

/* One that is in the middle of a request is answered first. */
static void request_stop(struct connection *connection)
{
    if (stream_of(connection)->request == NULL)
        connection_end_reading(connection, CLOSE_STOPPING);
}

static void request_left(struct connection *connection)
{
    http_request_free(&stream_of(connection)->request);
}

const struct connection_user request_reader_user = {.input = take_requests,
                                                    .deadline = request_deadline,
                                                    .due = request_due,
                                                    .stop = request_stop,
                                                    .left = request_left};

bool request_reader_begun(const struct connection *connection, struct bytes *out)
{
    const struct http_request *request = stream_of(connection)->request;

    return request == NULL || http_request_begun(request, out);
}
