#include "streams/stopping.h"

#include "events/bus_reader.h"
#include "events/replay.h"
#include "net/acceptor.h"
#include "net/connection.h"
#include "net/listener.h"
#include "server.h"
#include "streams/subscribe.h"
#include "transports/transport.h"

#include <stdio.h>

/* A number from 0 to most that nobody can foresee, another one for each stream. */
static uint64_t share_of(uint64_t most, uint64_t seed, const struct connection *connection)
{
    return hash_bytes(seed, &connection->connid, sizeof connection->connid) % (most + 1);
}

uint64_t stopping_retry_ms(const struct connection *connection)
{
    return share_of(connection->server->config.retry_time, connection->server->seen.seed,
                    connection);
}

void stopping_end_stream(struct connection *connection)
{
    const struct transport *transport = transport_of(connection);
    uint64_t retry = stopping_retry_ms(connection);
    char detail[40];

    (void)snprintf(detail, sizeof detail, "{\"retry\":%llu}", (unsigned long long)retry);
    /* Its id is where the client is, so that it resumes from there. */
    if ((transport->hint_retry == NULL || transport->hint_retry(connection, retry)) &&
        delivery_tell(connection->server, connection, "stopping", detail,
                      replay_position(connection)))
        connection_end_stream(connection, CLOSE_STOPPING);
    else
        connection_close(connection, CLOSE_MEMORY);
}

static void end_later(struct connection *connection)
{
    struct server *server = connection->server;
    uint64_t spread = server->config.stop_spread, most = server->config.stop_time / 2;

    if (spread > most)
        spread = most;
    if (spread == 0) {
        stopping_end_stream(connection);
        return;
    }
    connection->ends_at = server_now(server) + share_of(spread, server->presence.seed, connection);
    connection_set_deadline(connection);
}

static void end_one(uv_handle_t *handle, void *context)
{
    struct connection *connection = handle->data;

    (void)context;
    if (!connection_owns_handle(handle) || uv_is_closing(handle))
        return;
    if (connection->state == CONNECTION_STREAMING)
        end_later(connection);
    else if (connection->state == CONNECTION_READING && connection->request == NULL)
        connection_end_reading(connection, CLOSE_STOPPING);
}

void stopping_begin(struct server *server)
{
    server->stopping = true;
    server->stop_deadline = server_now(server) + server->config.stop_time;
    listener_stop_all(server);
    acceptor_stop(server);
    bus_reader_pause(server->bus);
    subscribe_expire_polls(server);
    uv_walk(&server->loop, end_one, NULL);
}

static void close_one(uv_handle_t *handle, void *context)
{
    (void)context;
    if (connection_owns_handle(handle) && !uv_is_closing(handle))
        connection_close(handle->data, CLOSE_STOPPING);
}

bool stopping_is_over(struct server *server)
{
    if (server->connections > 0 && server_now(server) < server->stop_deadline)
        return false;
    uv_walk(&server->loop, close_one, NULL);
    return true;
}
