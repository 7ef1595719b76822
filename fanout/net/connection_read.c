/* The reading half of a connection: what comes goes to its user, while it has one that listens. */
#include "net/connection.h"

#include "net/tls_session.h"

static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct connection *connection = connection_of_io(handle);

    (void)suggested;
    /* Without room libuv reads nothing. */
    if (!loop_watch_admits(&connection->net->loop.watch, connection_share(connection))) {
        *buffer = uv_buf_init(NULL, 0);
        return;
    }
    *buffer = uv_buf_init(connection->net->read_buffer, NET_READ_PIECE);
}

static void on_end(struct connection *connection, ssize_t error)
{
    if (connection->state == CONNECTION_READING && error == UV_EOF)
        connection_end_reading(connection, CLOSE_CLIENT);
    if (connection->state == CONNECTION_ENDING && error == UV_EOF) {
        /* It has said all it wants to say, but may still read the answer. */
        connection->keep_alive = false;
        connection_stop_reading(connection);
        return;
    }
    if (connection->state == CONNECTION_LINGERING)
        connection_close(connection, connection->close_reason);
    else
        connection_close(connection, error == UV_EOF ? CLOSE_CLIENT : CLOSE_RESET);
}

static void take_bytes(struct connection *connection, const char *bytes, size_t length)
{
    switch (connection->state) {
    case CONNECTION_READING:
    case CONNECTION_STREAMING:
        connection->user->input(connection, bytes, length);
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

static void take_sealed(struct connection *connection, const char *sealed, size_t length)
{
    struct tls_session *session = connection_tls(connection);
    const char *bytes;
    ssize_t count;

    tls_session_give(session, sealed, length);
    while ((count = tls_session_read(session, &bytes)) > 0 &&
           connection->state != CONNECTION_CLOSED)
        take_bytes(connection, bytes, (size_t)count);
    if (connection->state == CONNECTION_CLOSED)
        return;
    if (count == TLS_READ_FAILED)
        connection_close(connection, session->is_cut ? CLOSE_RESET : CLOSE_TLS);
    else if (count == TLS_READ_END)
        on_end(connection, UV_EOF);
    if (connection->state != CONNECTION_CLOSED)
        connection_write_sealed(connection); /* of a handshake */
}

void connection_take(struct connection *connection, const char *bytes, size_t length)
{
    if (connection->secured)
        take_sealed(connection, bytes, length);
    else
        take_bytes(connection, bytes, length);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct connection *connection = connection_of_io(stream);
    struct loop_watch *watch = &connection->net->loop.watch;

    if (count == UV_ENOBUFS) {
        connection_put_off(connection);
        return;
    }
    loop_watch_did(watch, LOOP_READ, 1);
    loop_count_client(&connection->net->loop);
    if (count < 0)
        on_end(connection, count);
    else if (count > 0)
        connection_take(connection, buffer->base, (size_t)count);
    loop_watch_charge(watch, connection_share(connection));
    loop_watch_end_work(watch);
}

int connection_start_reading(struct connection *connection)
{
    if (connection->put_off)
        return 0;
    int error = uv_read_start(&connection->io.stream, give_buffer, on_read);
    return error == UV_EALREADY ? 0 : error;
}

void connection_stop_reading(struct connection *connection)
{
    connection_take_from_put_off(connection);
    (void)uv_read_stop(&connection->io.stream);
}
