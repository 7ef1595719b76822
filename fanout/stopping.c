#include "stopping.h"

#include "config/config.h"
#include "events/bus_reader.h"
#include "log/event_log.h"
#include "net/connection.h"
#include "net/listener.h"
#include "requests/service.h"
#include "requests/streaming.h"
#include "streams/streams.h"

enum { RELEASE_SLACK_MS = 5000 }; /* by which a busy loop may end one later than it was due */

static void stop_one(uv_handle_t *handle, void *context)
{
    struct connection *connection = connection_of_handle(handle);

    (void)context;
    if (connection == NULL || uv_is_closing(handle))
        return;
    if (connection->state == CONNECTION_STREAMING || connection->state == CONNECTION_READING)
        connection->user->stop(connection);
}

static void release_one(uv_handle_t *handle, void *context)
{
    struct connection *connection = connection_of_handle(handle);

    (void)context;
    if (connection != NULL && !uv_is_closing(handle) && connection->state == CONNECTION_STREAMING)
        connection->user->stop(connection);
}

void stopping_release_streams(struct service *service)
{
    const struct config *config = service->net->config;

    service->released_until =
        loop_now(&service->net->loop) + config->stop_spread + RELEASE_SLACK_MS;
    uv_walk(&service->net->loop.uv, release_one, NULL);
}

static void release_later(uv_handle_t *handle, void *context)
{
    struct connection *connection = connection_of_handle(handle);
    void (*const *each)(struct connection *) = context;

    if (connection != NULL && !uv_is_closing(handle) && connection->state == CONNECTION_STREAMING)
        (*each)(connection);
}

static void release_each(struct service *service, void (*each)(struct connection *))
{
    service->released_until =
        loop_now(&service->net->loop) + service->net->config->stop_spread + RELEASE_SLACK_MS;
    uv_walk(&service->net->loop.uv, release_later, &each);
}

void stopping_release_later(struct service *service)
{
    release_each(service, streaming_stop_later);
}

void stopping_leave_behind(struct service *service)
{
    const struct event_log *log = service->log;

    service->streams->behind_at = (struct log_position){
        .sequence = log->sequence, .values_after = log->sequence, .epoch = log->epoch};
    release_each(service, streaming_leave_behind);
}

uint64_t stopping_begin(struct service *service, struct listeners *listeners,
                        struct bus_reader *bus)
{
    struct net *net = service->net;

    net->stopping = true;
    listeners_stop(listeners);
    if (bus != NULL)
        bus_reader_pause(bus);
    streaming_expire_polls(service);
    uv_walk(&net->loop.uv, stop_one, NULL);
    return loop_now(&net->loop) + net->config->stop_time;
}

static void close_one(uv_handle_t *handle, void *context)
{
    struct connection *connection = connection_of_handle(handle);

    (void)context;
    if (connection != NULL && !uv_is_closing(handle))
        connection_close(connection, CLOSE_STOPPING);
}

bool stopping_is_over(struct service *service, uint64_t deadline)
{
    struct net *net = service->net;

    if (net->connections > 0 && loop_now(&net->loop) < deadline)
        return false;
    uv_walk(&net->loop.uv, close_one, NULL);
    return true;
}
