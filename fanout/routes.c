#include "routes.h"

#include "credentials.h"
#include "events/intake.h"
#include "http/http_reply.h"
#include "http/http_request.h"
#include "net/connection.h"
#include "requests/connections_report.h"
#include "requests/inspect.h"
#include "requests/memory_report.h"
#include "requests/renew.h"
#include "requests/service.h"
#include "requests/streaming.h"
#include "retry_after.h"
#include "transports/transports.h"

#include <string.h>
#include <strings.h>

struct route {
    const char *path;
    enum http_request_method method;
    bool admin;  /* needs the admin token */
    bool stream; /* has no head to be asked for alone */
    void (*answer)(struct connection *, const struct http_request *);
};

static void answer_health(struct connection *connection, const struct http_request *request)
{
    static const char ok[] = "{\"status\":\"ok\"}";

    const char *trouble = intake_trouble(service_of(connection)->intake);

    if (connection->net->stopping)
        http_reply_error(connection, request, 503, "Stopping");
    else if (trouble != NULL)
        http_reply_error(connection, request, 503, trouble);
    else
        http_reply_json(connection, request, 200, "OK", ok, sizeof ok - 1);
}

static const struct route routes[] = {
    {"/", HTTP_METHOD_POST, false, true, transport_frames_answer},
    {"/", HTTP_METHOD_GET, false, true, transport_frames_answer},
    {"/sse", HTTP_METHOD_GET, false, true, transport_sse_answer},
    {"/poll", HTTP_METHOD_POST, false, true, transport_poll_answer},
    {"/poll", HTTP_METHOD_GET, false, true, transport_poll_answer},
    {"/ws", HTTP_METHOD_GET, false, true, transport_websocket_answer},
    {"/alive", HTTP_METHOD_POST, false, false, renew_answer},
    {"/connections", HTTP_METHOD_GET, true, false, connections_report_answer},
    {"/state", HTTP_METHOD_GET, true, false, inspect_state},
    {"/memory", HTTP_METHOD_GET, true, false, memory_report_answer},
    {"/healthz", HTTP_METHOD_GET, false, false, answer_health},
};

static bool takes(const struct route *route, enum http_request_method method)
{
    return route->method == method ||
           (method == HTTP_METHOD_HEAD && route->method == HTTP_METHOD_GET && !route->stream);
}

/* The route of this path and method, else one of this path, else NULL. */
static const struct route *find_route(const char *path, enum http_request_method method)
{
    const struct route *of_path = NULL;

    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        if (strcmp(routes[i].path, path) != 0)
            continue;
        if (takes(&routes[i], method))
            return &routes[i];
        of_path = &routes[i];
    }
    return of_path;
}

static bool is_admin(const struct connection *connection, const struct http_request *request)
{
    const struct secret_list *tokens = &service_of(connection)->admin_tokens;

    return credentials_find(tokens, http_request_query_text(request),
                            http_request_header(request, HTTP_HEADER_AUTHORIZATION)) <
           tokens->count;
}

/* There is room for operators and health checks alone. An EventSource would be closed for good by
 * any answer but 200. */
static void refuse_full(struct connection *connection, const struct http_request *request)
{
    connection->net->counters.refused_full++;
    connection->close_reason = CLOSE_FULL;
    if (http_request_accepts_event_stream(request))
        http_reply_event_stream_over(connection, NULL, streaming_retry_ms(connection));
    else
        http_reply_error_with(connection, NULL, 503, "Too many connections", RETRY_AFTER "5");
}

static void refuse_method(struct connection *connection, const struct http_request *request,
                          const struct route *route)
{
    /* docs/protocol.md section 2: the root answers 400 to any other method. */
    if (route->answer == transport_frames_answer)
        http_reply_error(connection, request, 400, "Subscribe with POST or with a ticket");
    else if (route->method == HTTP_METHOD_POST)
        http_reply_error_with(connection, request, 405, "Method not allowed",
                              "Allow: POST, OPTIONS");
    else
        http_reply_error_with(connection, request, 405, "Method not allowed",
                              route->stream ? "Allow: GET, OPTIONS" : "Allow: GET, HEAD, OPTIONS");
}

void routes_answer(struct connection *connection, const struct http_request *request)
{
    enum http_request_method method = http_request_method(request);
    const struct route *route = find_route(http_request_path(request), method);

    if (connection->kept_place &&
        (route == NULL || !(route->admin || route->answer == answer_health)))
        refuse_full(connection, request);
    else if (method == HTTP_METHOD_OPTIONS)
        http_reply_preflight(connection, request);
    else if (route == NULL)
        http_reply_error(connection, request, 404, "Not found");
    else if (!takes(route, method))
        refuse_method(connection, request, route);
    else if (route->admin && !is_admin(connection, request))
        http_reply_error_with(connection, request, 401, "Admin token missing or wrong",
                              "WWW-Authenticate: Bearer");
    else
        route->answer(connection, request);
}
