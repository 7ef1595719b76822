#include "stopping.h"

#include "config/config.h"
#include "events/bus_reader.h"
#include "net/connection.h"
#include "net/listener.h"
#include "requests/service.h"
#include "requests/streaming.h"

static void stop_one(uv_handle_t *handle, void *context)
{
    struct connection *connection = handle->data;

    (void)context;
    if (!connection_owns_handle(handle) || uv_is_closing(handle))
        return;
    if (connection->state == CONNECTION_STREAMING || connection->state == CONNECTION_READING)
        connection->user->stop(connection);
}

uint64_t stopping_begin(struct service *service, struct listeners *listeners,
                        struct bus_reader *bus)
{
    struct net *net = service->net;

    net->stopping = true;
    listeners_stop(listeners);
    bus_reader_pause(bus);
    streaming_expire_polls(service);
    uv_walk(&net->loop.uv, stop_one, NULL);
    return loop_now(&net->loop) + net->config->stop_time;
}

static void close_one(uv_handle_t *handle, void *context)
{
    (void)context;
    if (connection_owns_handle(handle) && !uv_is_closing(handle))
        connection_close(handle->data, CLOSE_STOPPING);
}

bool stopping_is_over(struct service *service, uint64_t deadline)
{
    struct net *net = service->net;

    if (net->connections > 0 && loop_now(&net->loop) < deadline)
        return false;
    uv_walk(&net->loop.uv, close_one, NULL);
    return true;
}
