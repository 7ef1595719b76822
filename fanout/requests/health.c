#include "requests/health.h"

#include "events/bus_reader.h"
#include "events/intake.h"
#include "events/nodes.h"
#include "http/http_reply.h"
#include "net/connection.h"
#include "requests/service.h"

#include <stddef.h>

void health_answer_alive(struct connection *connection, const struct http_request *request)
{
    static const char ok[] = "{\"status\":\"ok\"}";

    http_reply_json(connection, request, 200, "OK", ok, sizeof ok - 1);
}

/* Sockets of the bus are bound and the log is open from before the first request on. */
static const char *find_trouble(const struct service *service)
{
    if (service->net->stopping)
        return "Stopping";
    const char *trouble = nodes_trouble(service->nodes);
    if (trouble == NULL)
        trouble = intake_trouble(service->intake);
    return trouble != NULL ? trouble : bus_reader_trouble(service->bus);
}

void health_answer_ready(struct connection *connection, const struct http_request *request)
{
    static const char ready[] = "{\"status\":\"ready\"}";
    const char *trouble = find_trouble(service_of(connection));

    if (trouble != NULL)
        http_reply_error(connection, request, 503, trouble);
    else
        http_reply_json(connection, request, 200, "OK", ready, sizeof ready - 1);
}
