#include "requests/waiting_requests.h"

#include "config/config.h"
#include "http/http_reply.h"
#include "http/http_request.h"
#include "net/connection.h"
#include "requests/service.h"
#include "retry_after.h"
#include "streams/stream.h"

#include <stdlib.h>

enum { LOOKED_AT_MOST = 1024 /* in one turn: the others in the next */ };

struct waiting_request {
    TAILQ_ENTRY(waiting_request) by_age;
    struct connection *connection;
    struct http_request *request; /* owned */
};

void waiting_requests_open(struct waiting_requests *waiting, const struct connection_user *reader,
                           void (*answer)(struct connection *connection,
                                          struct http_request *request))
{
    TAILQ_INIT(&waiting->queue);
    waiting->reader = reader;
    waiting->answer = answer;
}

static struct waiting_request *waiting_of(const struct connection *connection)
{
    return stream_of(connection)->transport_state;
}

/* Gives the request back; the connection reads requests again. */
static struct http_request *release(struct connection *connection)
{
    struct waiting_requests *waiting = service_of(connection)->waiting;
    struct waiting_request *held = waiting_of(connection);
    struct http_request *request = held->request;

    TAILQ_REMOVE(&waiting->queue, held, by_age);
    waiting->count--;
    connection_address(connection)->waiting--;
    free(held);
    stream_of(connection)->transport_state = NULL;
    connection->user = waiting->reader;
    return request;
}

static void refuse_held(struct connection *connection, int status, const char *reason)
{
    struct http_request *request = release(connection);

    service_of(connection)->waiting->refused++;
    connection->close_reason = CLOSE_REFUSED;
    http_reply_error_with(connection, NULL, status, reason, RETRY_AFTER "1");
    http_request_free(&request);
}

static uint64_t waiting_deadline(const struct connection *connection)
{
    return loop_now(&connection->net->loop) + connection->net->config->header_time;
}

static void waiting_due(struct connection *connection)
{
    refuse_held(connection, 503, "Too much is asked for from this address");
}

static void waiting_stop(struct connection *connection)
{
    refuse_held(connection, 503, "Stopping");
}

static void waiting_left(struct connection *connection)
{
    struct http_request *request = release(connection);

    http_request_free(&request);
}

/* Nothing is read meanwhile. */
static void waiting_input(struct connection *connection, const char *bytes, size_t length)
{
    (void)bytes;
    (void)length;
    connection_close(connection, CLOSE_TALKATIVE);
}

static const struct connection_user waiting_user = {.input = waiting_input,
                                                    .deadline = waiting_deadline,
                                                    .due = waiting_due,
                                                    .stop = waiting_stop,
                                                    .left = waiting_left};

static bool hold(struct connection *connection, struct http_request *request)
{
    struct waiting_requests *waiting = service_of(connection)->waiting;
    struct waiting_request *held = calloc(1, sizeof *held);

    if (held == NULL)
        return false;
    held->connection = connection;
    held->request = request;
    TAILQ_INSERT_TAIL(&waiting->queue, held, by_age);
    waiting->count++;
    connection_address(connection)->waiting++;
    stream_of(connection)->transport_state = held;
    connection->user = &waiting_user;
    connection_stop_reading(connection);
    connection_set_deadline(connection);
    return true;
}

bool waiting_requests_hold(struct connection *connection, struct http_request *request)
{
    const struct net *net = connection->net;
    struct waiting_requests *waiting = service_of(connection)->waiting;

    if (loop_watch_may_go_on(&connection->net->loop.watch, connection_share(connection)))
        return false;
    if (connection_address(connection)->waiting < net->config->max_waiting_per_address)
        return hold(connection, request);
    waiting->refused++;
    connection->close_reason = CLOSE_REFUSED;
    http_reply_error_with(connection, NULL, 429, "Too many requests from this address",
                          RETRY_AFTER "1");
    http_request_free(&request);
    return true;
}

static void answer_held(struct connection *connection)
{
    struct loop_watch *watch = &connection->net->loop.watch;
    struct http_request *request = release(connection);

    (void)connection_start_reading(connection);
    service_of(connection)->waiting->answer(connection, request);
    loop_watch_charge(watch, connection_share(connection));
    loop_watch_end_work(watch);
}

bool waiting_requests_run(struct service *service)
{
    struct waiting_requests *waiting = service->waiting;
    struct loop_watch *watch = &service->net->loop.watch;
    uint64_t most = waiting->count < LOOKED_AT_MOST ? waiting->count : LOOKED_AT_MOST;

    loop_watch_begin_slice(watch);
    for (uint64_t i = 0; i < most && !TAILQ_EMPTY(&waiting->queue); i++) {
        struct waiting_request *oldest = TAILQ_FIRST(&waiting->queue);
        if (loop_watch_admits(watch, connection_share(oldest->connection))) {
            answer_held(oldest->connection);
            continue;
        }
        TAILQ_REMOVE(&waiting->queue, oldest, by_age);
        TAILQ_INSERT_TAIL(&waiting->queue, oldest, by_age);
    }
    return waiting->count > 0;
}
