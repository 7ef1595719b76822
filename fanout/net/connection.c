/* The life of a connection: accepted, used, ended. */
#include "net/connection.h"

#include "messages.h"
#include "net/tls_session.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* The client that it is a part of, and whose memory is its own. */
static void *client_of(struct connection *connection)
{
    return (char *)connection - connection->net->client.offset;
}

struct connection *connection_of_handle(uv_handle_t *handle)
{
    /* Listeners and the bus are polled. */
    return handle->type == UV_TCP ? connection_of_io(handle) : NULL;
}

struct tls_session *connection_tls(const struct connection *connection)
{
    return connection->io.handle.data;
}

static void free_tls(struct connection *connection)
{
    struct tls_session *session = connection_tls(connection);

    tls_session_free(&session);
    connection->io.handle.data = NULL;
    connection->secured = false;
}

/* When the loop has let go of it, and it stands in no queue. */
static void free_unused(struct connection *connection)
{
    if (connection->descriptor < 0 && !connection->outlived && !connection->marked)
        free(client_of(connection));
}

static void on_closed(uv_handle_t *handle)
{
    struct connection *connection = connection_of_io(handle);

    if (connection->secured)
        free_tls(connection); /* only now: it may have been closed by what it had read */
    connection->descriptor = -1;
    connection->net->connections -= !connection->marked; /* connection_unmark() counts it */
    free_unused(connection);
}

void connection_unmark(struct connection *connection)
{
    connection->marked = false;
    connection->net->connections -= connection->descriptor < 0;
    free_unused(connection);
}

void connection_outlive(struct connection *connection)
{
    connection->outlived = true;
}

void connection_release(struct connection *connection)
{
    connection->outlived = false;
    free_unused(connection);
}

void connection_close(struct connection *connection, enum close_reason reason)
{
    struct net *net = connection->net;

    if (connection->state == CONNECTION_CLOSED)
        return;
    connection->close_reason = (uint8_t)reason;
    connection->user->left(connection);
    connection->state = CONNECTION_CLOSED;
    net->counters.closed[reason]++;
    loop_watch_did(&net->loop.watch, LOOP_CLOSED, 1);
    char address[COUNTED_ADDRESS_TEXT_SIZE];
    message_debug(
        "connection closed", message_text("reason", close_reason_name(reason)),
        message_text("address", counted_address_write(connection_address(connection), address)));
    connection_set_address(connection, NULL);
    deadlines_remove(&connection->deadline);
    connection_drop_output(connection);
    connection_stop_reading(connection);
    uv_close(&connection->io.handle, on_closed);
}

static int start_io(struct connection *connection)
{
    int error = uv_tcp_open(&connection->io.tcp, connection->descriptor);

    if (error)
        (void)close(connection->descriptor);
    else
        error = connection_start_reading(connection);
    return error;
}

static struct connection *connection_new(struct net *net, struct arrival arrival)
{
    char *client = calloc(1, net->client.size);

    if (client == NULL)
        return NULL;
    struct connection *connection = (struct connection *)(void *)(client + net->client.offset);
    connection->net = net;
    net->client.greet(connection, arrival);
    return connection;
}

void connection_set_arrival(struct connection *connection, const struct arrival *arrival)
{
    connection->kept_place = arrival->is_kept_place;
    connection->for_metrics = arrival->is_for_metrics;
    connection->from_proxy = arrival->is_proxy;
    connection->announced = arrival->is_announced;
    connection->proxy = arrival->is_proxy && arrival->has_address
                            ? net_number_proxy(connection->net, &arrival->address)
                            : 0;
}

bool connection_secure(struct connection *connection)
{
    struct tls_session *session = tls_session_new(connection->net->tls, connection->descriptor);

    if (session == NULL)
        return false;
    session->address = connection->io.handle.data;
    connection->io.handle.data = session;
    connection->secured = true;
    return true;
}

struct connection *connection_open(struct net *net, int descriptor, struct arrival arrival,
                                   struct counted_address *address)
{
    struct connection *connection = connection_new(net, arrival);

    if (connection == NULL)
        return NULL;
    connection->descriptor = descriptor;
    connection->io.handle.data = address;
    if ((arrival.is_tls && !connection_secure(connection)) ||
        !connection_reserve_marks(net, net->connections + 1) ||
        uv_tcp_init(&net->loop.uv, &connection->io.tcp) != 0) {
        if (connection->secured)
            free_tls(connection);
        free(client_of(connection));
        return NULL;
    }
    net->connections++;
    connection_set_arrival(connection, &arrival);
    int error = start_io(connection);
    if (error) {
        message_warning("cannot serve a connection", message_text("error", uv_strerror(error)));
        connection_close(connection, CLOSE_RESET);
    } else {
        connection_set_deadline(connection);
    }
    return connection;
}

struct counted_address *connection_address(const struct connection *connection)
{
    if (connection->opening)
        return NULL;
    return connection->secured ? connection_tls(connection)->address : connection->io.handle.data;
}

static void put_address(struct connection *connection, struct counted_address *address)
{
    if (connection->secured)
        connection_tls(connection)->address = address;
    else
        connection->io.handle.data = address;
}

uint64_t *connection_bodies(const struct connection *connection)
{
    struct counted_address *address = connection_address(connection);

    return address != NULL ? &address->bodies : NULL;
}

struct turn_share *connection_share(const struct connection *connection)
{
    struct counted_address *address = connection_address(connection);

    return address != NULL ? &address->share : NULL;
}

void connection_set_address(struct connection *connection, struct counted_address *address)
{
    struct net *net = connection->net;

    loop_watch_charge(&net->loop.watch, connection_share(connection));
    struct counted_address *former = connection_address(connection);
    address_limits_leave(&net->addresses, loop_now(&net->loop), &former);
    put_address(connection, address);
}

void connection_set_deadline(struct connection *connection)
{
    struct net *net = connection->net;
    uint64_t due = loop_now(&net->loop);

    if (connection->state == CONNECTION_CLOSED)
        return;
    if (connection->state == CONNECTION_READING || connection->state == CONNECTION_STREAMING)
        due = connection->user->deadline(connection);
    else if (connection->state == CONNECTION_ENDING)
        due += net->config->soft_time;
    else
        due += net->config->linger_time;
    deadlines_set(&net->deadlines, &connection->deadline, due);
}

void connection_on_deadline(struct deadline *deadline, void *context)
{
    struct connection *connection =
        (struct connection *)(void *)((char *)deadline - offsetof(struct connection, deadline));

    (void)context;
    if (connection->state == CONNECTION_READING || connection->state == CONNECTION_STREAMING)
        connection->user->due(connection);
    else if (connection->state == CONNECTION_ENDING && connection_has_moved(connection))
        connection_set_deadline(connection); /* slow, but read steadily */
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

void connection_end_reading(struct connection *connection, enum close_reason reason)
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

void connection_end_writing(struct connection *connection, enum close_reason reason)
{
    connection->state = CONNECTION_ENDING;
    connection->close_reason = (uint8_t)reason;
    connection_set_deadline(connection);
    connection_mark(connection);
}

void connection_drained(struct connection *connection)
{
    if (connection->user->drained != NULL)
        connection->user->drained(connection);
    if (connection->state != CONNECTION_ENDING)
        return;
    if (connection->keep_alive && !connection->net->stopping) {
        if (connection->from_proxy)
            connection_set_address(connection, NULL); /* the next request may be anybody's */
        connection->state = CONNECTION_READING;
        connection->close_reason = CLOSE_CLIENT;
        connection_set_deadline(connection);
        return;
    }
    if (connection->secured)
        tls_session_end(connection_tls(connection));
    /* Closing at once could throw away the answer when bytes of the client are still unread (a
     * reset): say that nothing more comes, then wait for its end a little. */
    bool listens = connection->put_off || uv_is_active(&connection->io.handle);
    if (shutdown(connection->descriptor, SHUT_WR) != 0 || !listens) {
        connection_close(connection, connection->close_reason);
        return;
    }
    connection->state = CONNECTION_LINGERING;
    connection_set_deadline(connection);
}
