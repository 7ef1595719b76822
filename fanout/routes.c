#include "routes.h"

#include "address_range.h"
#include "config/config.h"
#include "credentials.h"
#include "http/http_reply.h"
#include "http/http_request.h"
#include "net/connection.h"
#include "requests/client_address.h"
#include "requests/connections_report.h"
#include "requests/elsewhere.h"
#include "requests/explain.h"
#include "requests/health.h"
#include "requests/inspect.h"
#include "requests/memory_report.h"
#include "requests/metrics_report.h"
#include "requests/renew.h"
#include "requests/service.h"
#include "requests/streaming.h"
#include "requests/window.h"
#include "retry_after.h"
#include "transports/transports.h"
#include "upgrade/upgrade.h"

#include <string.h>
#include <strings.h>

/* Who may have an answer, and at which door. */
enum route_for {
    FOR_CLIENTS,
    FOR_PAGE,    /* anybody, also when the daemon is full */
    FOR_ADMIN,   /* with the admin token */
    FOR_METRICS, /* with that, or from an address that may; at the door for metrics too */
    FOR_HEALTH   /* anybody, also when the daemon is full; at the door for metrics too */
};

struct route {
    const char *path;
    enum http_request_method method;
    enum route_for reader;
    bool stream; /* has no head to be asked for alone */
    void (*answer)(struct connection *, const struct http_request *);
};

static const struct route routes[] = {
    {"/", HTTP_METHOD_POST, FOR_CLIENTS, true, transport_frames_answer},
    {"/", HTTP_METHOD_GET, FOR_CLIENTS, true, transport_frames_answer},
    {"/sse", HTTP_METHOD_GET, FOR_CLIENTS, true, transport_sse_answer},
    {"/poll", HTTP_METHOD_POST, FOR_CLIENTS, true, transport_poll_answer},
    {"/poll", HTTP_METHOD_GET, FOR_CLIENTS, true, transport_poll_answer},
    {"/ws", HTTP_METHOD_GET, FOR_CLIENTS, true, transport_websocket_answer},
    {"/alive", HTTP_METHOD_POST, FOR_CLIENTS, false, renew_answer},
    {"/connections", HTTP_METHOD_GET, FOR_ADMIN, false, connections_report_answer},
    {"/state", HTTP_METHOD_GET, FOR_ADMIN, false, inspect_state},
    {"/explain", HTTP_METHOD_GET, FOR_ADMIN, false, explain_answer},
    {"/memory", HTTP_METHOD_GET, FOR_ADMIN, false, memory_report_answer},
    {"/metrics", HTTP_METHOD_GET, FOR_METRICS, false, metrics_report_answer},
    {"/upgrade", HTTP_METHOD_GET, FOR_ADMIN, false, upgrade_answer},
    {"/upgrade", HTTP_METHOD_POST, FOR_ADMIN, false, upgrade_answer},
    {"/window", HTTP_METHOD_GET, FOR_PAGE, false, window_answer},
    {"/window/window.css", HTTP_METHOD_GET, FOR_PAGE, false, window_answer},
    {"/window/window.js", HTTP_METHOD_GET, FOR_PAGE, false, window_answer},
    {"/window/ask.js", HTTP_METHOD_GET, FOR_PAGE, false, window_answer},
    {"/window/chart.js", HTTP_METHOD_GET, FOR_PAGE, false, window_answer},
    {"/window/words.js", HTTP_METHOD_GET, FOR_PAGE, false, window_answer},
    {"/healthz", HTTP_METHOD_GET, FOR_HEALTH, false, health_answer_alive},
    {"/readyz", HTTP_METHOD_GET, FOR_HEALTH, false, health_answer_ready},
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

static bool has_admin_token(const struct connection *connection, const struct http_request *request)
{
    const struct secret_list *tokens = &service_of(connection)->admin_tokens;

    return credentials_find(tokens, http_request_query_text(request),
                            http_request_header(request, HTTP_HEADER_AUTHORIZATION)) <
           tokens->count;
}

static bool has_address(const struct connection *connection, const struct http_request *request)
{
    struct ip_address client;

    return client_address_find(connection, request, &client) &&
           address_range_any_has(connection->net->config->metrics_addresses, &client);
}

static bool may_read(const struct connection *connection, const struct http_request *request,
                     const struct route *route)
{
    return (route->reader != FOR_ADMIN && route->reader != FOR_METRICS) ||
           has_admin_token(connection, request) ||
           (route->reader == FOR_METRICS && has_address(connection, request));
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
    const struct route *route = find_route(
        elsewhere_plain_path(connection->net->config, http_request_path(request)), method);

    if (service_of(connection)->is_succeeded) {
        http_reply_error_with(connection, NULL, 503, "Stopping", RETRY_AFTER "1");
        return;
    }
    if (connection->for_metrics && route != NULL && route->reader < FOR_METRICS)
        route = NULL;
    if (connection->kept_place && (route == NULL || route->reader == FOR_CLIENTS))
        refuse_full(connection, request);
    else if (method == HTTP_METHOD_OPTIONS)
        http_reply_preflight(connection, request);
    else if (route == NULL)
        http_reply_error(connection, request, 404, "Not found");
    else if (!takes(route, method))
        refuse_method(connection, request, route);
    else if (!may_read(connection, request, route))
        http_reply_error_with(connection, request, 401, "Admin token missing or wrong",
                              "WWW-Authenticate: Bearer");
    else
        route->answer(connection, request);
}
