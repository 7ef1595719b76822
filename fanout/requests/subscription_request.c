#include "requests/subscription_request.h"

#include "config/config.h"
#include "credentials.h"
#include "events/nodes.h"
#include "http/http_reply.h"
#include "http/http_request.h"
#include "messages.h"
#include "net/connection.h"
#include "query.h"
#include "requests/elsewhere.h"
#include "requests/service.h"
#include "requests/subscribe.h"
#include "streams/streams.h"
#include "streams/transport.h"
#include "subscription_body.h"
#include "subscription_query.h"

#include <stdlib.h>
#include <string.h>

/* Says by itself what it wants, in a body or in the query. */
static bool names_topics(const struct http_request *request)
{
    static const char *const names[] = {"ep", "binded", "bound", "private", "clid"};
    const char *query = http_request_query_text(request);
    size_t body_length;
    (void)http_request_body(request, &body_length);
    bool names_some = body_length > 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        names_some = names_some || query_has(query, names[i]);
    return names_some;
}

/* The ticket of a request: in the query, or as a Bearer token (docs/protocol.md section 4). Whoever
 * names topics has none: then the Authorization header is the business of whatever stands before
 * the daemon. */
static bool find_ticket(const struct http_request *request, struct bytes *ticket)
{
    const char *bearer =
        credentials_bearer(http_request_header(request, HTTP_HEADER_AUTHORIZATION));

    if (query_find_secret(http_request_query_text(request), "ticket", ticket))
        return true;
    if (bearer == NULL || names_topics(request))
        return false;
    bytes_append_text(ticket, bearer);
    return true;
}

/* A client that comes with a ticket says in the query who it was, and whether it says what it
 * had. */
static void read_former_self(const struct http_request *request, struct subscription_body *body,
                             struct bytes *secret)
{
    struct bytes connid = BYTES_EMPTY;

    const char *query = http_request_query_text(request);

    if (query_find_secret(query, "connid", &connid) && query_find_secret(query, "secret", secret)) {
        const char *text = bytes_terminate(&connid);
        body->connid = text != NULL ? strtoull(text, NULL, 10) : 0;
        body->secret = bytes_terminate(secret);
    }
    bytes_free(&connid);
    if (body->secret == NULL)
        body->connid = 0;
    body->says_had = body->says_had || subscription_query_says_had(query);
}

/* How long it wants to wait does not stand in a ticket either. */
static void read_wait(const struct http_request *request, struct subscription_body *body)
{
    struct bytes wait = BYTES_EMPTY;
    const char *text = http_request_query(request, "wait", &wait) ? bytes_terminate(&wait) : NULL;
    char *end;

    if (text != NULL && *text >= '0' && *text <= '9') {
        body->wait_ms = strtoull(text, &end, 10);
        body->has_wait = *end == '\0';
    }
    bytes_free(&wait);
}

/* Whoever has a proof is sent to the program that can read it; 307 keeps method and body (RFC
 * 9110, section 15.4.8). Path and query are those of this request: the same route stands there. */
static void send_to_subscribe_url(struct connection *connection, const struct http_request *request,
                                  const char *otherwise)
{
    const char *url = connection->net->config->subscribe_url;
    const char *path = elsewhere_plain_path(connection->net->config, http_request_path(request));
    const char *query = http_request_query_text(request);
    struct bytes header = BYTES_EMPTY;

    if (url == NULL) {
        http_reply_error(connection, request, 400, otherwise);
        return;
    }
    bytes_append_format(&header, "Location: %s%s%s%s", url, path + 1, *query ? "?" : "", query);
    http_reply_error_with(connection, request, 307, "Subscribe there with a bind key",
                          header.failed ? "" : bytes_terminate(&header));
    bytes_free(&header);
}

/* EventSource sends the id of the last event it received as a header (HTML standard,
 * section 9.2.2), beside the query that it was opened with: the header is the newer one. */
static void read_last_event_id(const struct http_request *request, struct subscription_body *body)
{
    const char *id = http_request_header(request, HTTP_HEADER_LAST_EVENT_ID);

    if (id == NULL || !*id)
        return;
    body->last_id = id;
}

/* The same in the query, beside a ticket. */
static void read_last_event_of_query(const struct http_request *request,
                                     struct subscription_body *body, struct bytes *id)
{
    if (subscription_query_last_event(http_request_query_text(request), id))
        body->last_id = bytes_terminate(id);
}

/* One that polls stays where it is known, so that nobody sees it go and come; a stream begins
 * wherever it comes to. */
static bool polls_elsewhere(struct connection *connection, const struct http_request *request,
                            const struct subscription_body *body, const struct transport *transport)
{
    const struct streams *streams = service_of(connection)->streams;

    return transport->answers_once && body->connid != 0 && body->secret != NULL &&
           streams_find(streams, body->connid) == NULL &&
           departed_secret(&streams->departed, body->connid) == NULL &&
           elsewhere_send(connection, request, body->connid, body->secret, strlen(body->secret));
}

static void begin_or_redirect(struct connection *connection, const struct http_request *request,
                              struct subscription_body *body, const struct transport *transport,
                              const char *fault)
{
    read_last_event_id(request, body);
    if (fault == SUBSCRIPTION_HAS_BIND_KEY || fault == SUBSCRIPTION_HAS_TOKEN)
        send_to_subscribe_url(connection, request, fault);
    else if (fault == NULL && !subscription_request_has_ticket(request) &&
             polls_elsewhere(connection, request, body, transport))
        return;
    else
        subscribe_begin_or_refuse(connection, request, body, transport, fault);
}

/* A ticket that stands for a body is worth nothing without it. */
static const char *read_ticket(const struct http_request *request, struct subscription_body *body,
                               const struct ticket *ticket, const struct config *config)
{
    size_t length;
    const char *text = http_request_body(request, &length);

    if (ticket->body == NULL)
        return subscription_body_from_ticket(body, ticket, config);
    if (ticket_is_of_body(ticket, text, length))
        return subscription_body_from_ticket_and_body(body, ticket, text, length, config);
    *body = (struct subscription_body){0};
    message_info("ticket refused", message_text("why", "its body is not here"));
    return "Invalid ticket";
}

/* Known before a ticket is used up, which then opens another daemon, or this one a little later. */
static const char *trouble_of(const struct connection *connection)
{
    return connection->net->stopping ? "Stopping" : nodes_trouble(service_of(connection)->nodes);
}

static void subscribe_with_ticket(struct connection *connection, const struct http_request *request,
                                  const struct bytes *text, const struct transport *transport)
{
    struct service *service = service_of(connection);
    struct bytes secret = BYTES_EMPTY, last_event = BYTES_EMPTY;
    struct subscription_body body;
    struct ticket ticket;
    const char *fault, *trouble = trouble_of(connection);

    if (trouble != NULL) {
        subscribe_refuse_for_now(connection, request, transport, trouble, 1);
        return;
    }
    switch (ticket_gate_admit(&service->tickets, service->config,
                              text->data != NULL ? text->data : "", text->length,
                              service_ticket_time(service), &ticket)) {
    case TICKET_GATE_OPEN:
        fault = read_ticket(request, &body, &ticket, service->config);
        read_former_self(request, &body, &secret);
        read_wait(request, &body);
        read_last_event_of_query(request, &body, &last_event);
        begin_or_redirect(connection, request, &body, transport, fault);
        subscription_body_free(&body);
        bytes_free(&secret);
        bytes_free(&last_event);
        ticket_free(&ticket);
        break;
    case TICKET_GATE_REFUSED:
        http_reply_error(connection, request, 400, "Invalid ticket");
        break;
    case TICKET_GATE_DROPPED:
        http_reply_error(connection, request, 403, TICKET_GATE_DROPPED_REASON);
        break;
    case TICKET_GATE_ELSEWHERE:
        subscribe_refuse_for_now(connection, request, transport, "Ticket of another daemon", 1);
        break;
    case TICKET_GATE_TOO_OLD:
        subscribe_refuse_for_now(connection, request, transport, "Ticket from before the start", 1);
        break;
    default:
        subscribe_refuse_for_now(connection, request, transport, "Too many tickets at once", 1);
    }
}

static void subscribe_with_body(struct connection *connection, const struct http_request *request,
                                const struct transport *transport)
{
    size_t length;
    const char *text = http_request_body(request, &length);
    struct subscription_body body;
    const char *fault = subscription_body_read(&body, text, length, 0, connection->net->config);

    begin_or_redirect(connection, request, &body, transport, fault);
    subscription_body_free(&body);
}

static void subscribe_with_query(struct connection *connection, const struct http_request *request,
                                 const struct transport *transport)
{
    bool speaks_later = transport->input != NULL;
    struct subscription_body body;
    const char *fault = subscription_body_read_query(&body, http_request_query_text(request),
                                                     speaks_later ? SUBSCRIPTION_TOPICS_LATER : 0,
                                                     connection->net->config);
    begin_or_redirect(connection, request, &body, transport, fault);
    subscription_body_free(&body);
}

bool subscription_request_has_ticket(const struct http_request *request)
{
    struct bytes ticket = BYTES_EMPTY;
    bool has_ticket = find_ticket(request, &ticket);

    bytes_free(&ticket);
    return has_ticket;
}

void subscription_request_answer(struct connection *connection, const struct http_request *request,
                                 const struct transport *transport)
{
    enum http_request_method method = http_request_method(request);
    struct bytes ticket = BYTES_EMPTY;

    if (find_ticket(request, &ticket))
        subscribe_with_ticket(connection, request, &ticket, transport);
    else if (method == HTTP_METHOD_POST)
        subscribe_with_body(connection, request, transport);
    else
        subscribe_with_query(connection, request, transport);
    bytes_free(&ticket);
}
