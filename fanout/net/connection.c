/* The life of a connection: accepted, answers or streams, ends. */
#include "net/connection.h"

#include "events/replay.h"
#include "http/http_reply.h"
#include "messages.h"
#include "server.h"
#include "streams/stopping.h"
#include "streams/subscribe.h"
#include "transports/transport.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *const reason_names[CLOSE_REASONS] = {
    "client",    "reset",   "done", "idle",    "head_time", "body_time", "stream_time", "slow",
    "talkative", "refused", "full", "address", "memory",    "stopping",  "replaced"};

_Static_assert((int)CLOSE_REASONS <= (int)SERVER_CLOSE_REASONS, "each reason has a counter");

const char *connection_reason_name(enum connection_close_reason reason)
{
    return reason_names[reason];
}

struct connection *connection_of_subscriber(struct subscriber *subscriber)
{
    return (struct connection *)(void *)((char *)subscriber -
                                         offsetof(struct connection, subscriber));
}

struct connection *connection_of_connid_node(struct hash_node *by_connid)
{
    return (struct connection *)(void *)((char *)by_connid -
                                         offsetof(struct connection, by_connid));
}

struct connection *connection_find(const struct server *server, uint64_t connid)
{
    struct hash_node *node = hash_table_find(&server->streams, connid);

    return node != NULL ? connection_of_connid_node(node) : NULL;
}

static void on_closed(uv_handle_t *handle)
{
    struct connection *connection = handle->data;

    connection->server->connections--;
    free(connection);
}

bool connection_owns_handle(const uv_handle_t *handle)
{
    const struct connection *connection = handle->data;

    return (handle->type == UV_TCP || handle->type == UV_NAMED_PIPE) && connection != NULL &&
           (const void *)&connection->io.handle == (const void *)handle;
}

void connection_close(struct connection *connection, enum connection_close_reason reason)
{
    struct server *server = connection->server;

    if (connection->state == CONNECTION_CLOSED)
        return;
    if (connection->connid)
        subscribe_leave(connection);
    if (transport_of(connection)->forget_input != NULL)
        transport_of(connection)->forget_input(connection);
    connection->state = CONNECTION_CLOSED;
    server->counters.closed[reason]++;
    address_limits_leave(&server->addresses, &connection->address);
    message_debug("connection closed", message_text("reason", reason_names[reason]));
    deadlines_remove(&connection->deadline);
    http_request_free(&connection->request);
    connection_drop_output(connection);
    uv_close(&connection->io.handle, on_closed);
}

static bool join_loop(struct connection *connection, bool is_tcp)
{
    uv_loop_t *loop = &connection->server->loop;

    connection->io.handle.data = connection;
    return (is_tcp ? uv_tcp_init(loop, &connection->io.tcp)
                   : uv_pipe_init(loop, &connection->io.pipe, 0)) == 0;
}

static int start_io(struct connection *connection, bool is_tcp)
{
    int error = is_tcp ? uv_tcp_open(&connection->io.tcp, connection->descriptor)
                       : uv_pipe_open(&connection->io.pipe, connection->descriptor);

    if (error)
        (void)close(connection->descriptor);
    else
        error = uv_read_start(&connection->io.stream, connection_give_buffer, connection_on_read);
    return error;
}

bool connection_open(struct server *server, int descriptor, struct arrival arrival,
                     struct counted_address *address)
{
    struct connection *connection = calloc(1, sizeof *connection);

    if (connection != NULL) {
        connection->server = server;
        connection->encoding = arrival.speaks_lines ? FRAME_LINES : FRAME_CHUNKED;
    }
    if (connection == NULL || !delivery_reserve(&server->delivery, server->connections + 1) ||
        !join_loop(connection, arrival.is_tcp)) {
        free(connection);
        return false;
    }
    server->connections++;
    connection->descriptor = descriptor;
    connection->address = address;
    int error = start_io(connection, arrival.is_tcp);
    if (error) {
        message_warning("cannot serve a connection", message_text("error", uv_strerror(error)));
        connection_close(connection, CLOSE_RESET);
    } else {
        connection_set_deadline(connection);
    }
    return true;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t input_due(const struct connection *connection)
{
    const struct transport *transport = transport_of(connection);

    return transport->input_due != NULL ? transport->input_due(connection) : UINT64_MAX;
}

static uint64_t stream_deadline(const struct connection *connection)
{
    uint64_t due = connection->written_at + connection->server->config.keep_alive;

    due = earlier(due, connection->ends_at);
    due = earlier(due, connection_slow_deadline(connection));
    return earlier(due, input_due(connection));
}

static uint64_t reading_deadline(const struct connection *connection)
{
    const struct config *config = &connection->server->config;

    if (connection->request != NULL && http_request_head_is_complete(connection->request))
        return config->body_time;
    if (connection->request != NULL || !connection->keep_alive)
        return config->header_time;
    return config->idle_time;
}

void connection_set_deadline(struct connection *connection)
{
    struct server *server = connection->server;
    uint64_t due = server_now(server);

    if (connection->state == CONNECTION_CLOSED)
        return;
    if (connection->state == CONNECTION_STREAMING)
        due = stream_deadline(connection);
    else if (connection->state == CONNECTION_READING)
        due += reading_deadline(connection);
    else if (connection->state == CONNECTION_ENDING)
        due += server->config.soft_time;
    else
        due += server->config.linger_time;
    deadlines_set(&server->deadlines, &connection->deadline, due);
}

static void stream_due(struct connection *connection)
{
    struct server *server = connection->server;
    uint64_t now = server_now(server);

    if (now >= connection->ends_at) {
        if (server->stopping)
            stopping_end_stream(connection);
        else
            connection_end_stream(connection, CLOSE_STREAM_TIME);
        return;
    }
    if (now >= connection_slow_deadline(connection)) {
        connection_close(connection, CLOSE_SLOW);
        return;
    }
    if (now >= input_due(connection)) {
        transport_of(connection)->input_late(connection);
        return;
    }
    if (connection->output.length > 0)
        connection->written_at = now; /* what waits keeps it alive as well */
    else if (now - connection->written_at >= server->config.keep_alive &&
             !transport_of(connection)->keep_alive(connection)) {
        connection_close(connection, CLOSE_MEMORY);
        return;
    }
    connection_set_deadline(connection);
}

static void reading_due(struct connection *connection)
{
    bool head = connection->request != NULL && http_request_head_is_complete(connection->request);

    if (connection->backlog != NULL) { /* nothing more was read of it */
        connection_close(connection, CLOSE_SLOW);
        return;
    }
    if (transport_of(connection)->without_request) {
        transport_of(connection)->input_late(connection);
        return;
    }
    if (connection->request == NULL) {
        connection_close(connection, connection->keep_alive ? CLOSE_IDLE : CLOSE_HEAD_TIME);
        return;
    }
    connection->close_reason = head ? CLOSE_BODY_TIME : CLOSE_HEAD_TIME;
    http_request_free(&connection->request);
    http_reply_error(connection, NULL, 408,
                     head ? "Body not received in time" : "Head not received in time");
}

void connection_on_deadline(struct deadline *deadline, void *context)
{
    struct connection *connection =
        (struct connection *)(void *)((char *)deadline - offsetof(struct connection, deadline));

    (void)context;
    if (connection->state == CONNECTION_STREAMING)
        stream_due(connection);
    else if (connection->state == CONNECTION_READING)
        reading_due(connection);
    else
        connection_close(connection, connection->state == CONNECTION_LINGERING
                                         ? connection->close_reason
                                         : CLOSE_SLOW);
}

void connection_end_answer(struct connection *connection, bool keep_alive)
{
    connection->keep_alive = keep_alive;
    if (connection->state == CONNECTION_CLOSED)
        return;
    connection->state = keep_alive ? CONNECTION_READING : CONNECTION_ENDING;
    if (!keep_alive && connection->close_reason == CLOSE_CLIENT)
        connection->close_reason = CLOSE_DONE;
    connection_set_deadline(connection);
}

void connection_end_reading(struct connection *connection, enum connection_close_reason reason)
{
    if (connection->output.length == 0) {
        connection_close(connection, reason);
        return;
    }
    connection->state = CONNECTION_ENDING;
    connection->close_reason = (uint8_t)reason;
    connection->keep_alive = false;
    connection_set_deadline(connection);
}

void connection_begin_stream(struct connection *connection, uint64_t hold_ms)
{
    uint64_t now = server_now(connection->server);

    connection->state = CONNECTION_STREAMING;
    connection->ends_at = now + hold_ms;
    connection->written_at = now;
    connection->alive_count = 0;
    connection->ignored_input = 0;
    connection_set_deadline(connection);
}

void connection_renew(struct connection *connection)
{
    if (transport_of(connection)->answers_once)
        return;
    connection->ends_at = server_now(connection->server) + connection->server->config.stream_time;
    connection_set_deadline(connection);
}

void connection_end_stream(struct connection *connection, enum connection_close_reason reason)
{
    const struct transport *transport = transport_of(connection);

    connection->keep_alive = connection->keep_alive && transport->reusable &&
                             !connection->dirty_input && !connection->server->stopping;
    if (!transport->end(connection, reason)) {
        connection_close(connection, CLOSE_MEMORY);
        return;
    }
    subscribe_leave_answered(connection);
    connection->state = CONNECTION_ENDING;
    connection->close_reason = (uint8_t)reason;
    connection_set_deadline(connection);
    delivery_mark(connection->server, connection);
}

void connection_drained(struct connection *connection)
{
    replay_continue(connection);
    if (connection->state != CONNECTION_ENDING)
        return;
    if (connection->keep_alive) {
        connection->state = CONNECTION_READING;
        connection->close_reason = CLOSE_CLIENT;
        connection_set_deadline(connection);
        return;
    }
    /* Closing at once could throw away the answer when bytes of the client are still unread (a
     * reset): say that nothing more comes, then wait for its end a little. */
    if (shutdown(connection->descriptor, SHUT_WR) != 0 || !uv_is_active(&connection->io.handle)) {
        connection_close(connection, connection->close_reason);
        return;
    }
    connection->state = CONNECTION_LINGERING;
    connection_set_deadline(connection);
}
