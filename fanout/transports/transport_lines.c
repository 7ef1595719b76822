/* Raw TCP for small devices: one JSON a line, both ways ([fanout] listen_lines). The first line is
 * the subscription, those that follow are messages (client_requests.h). */
#include "config/config.h"
#include "events/nodes.h"
#include "requests/client_requests.h"
#include "requests/service.h"
#include "requests/streaming.h"
#include "requests/subscribe.h"
#include "streams/stream.h"
#include "subscription_body.h"
#include "transports/line_input.h"
#include "transports/transports.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

/* The beginning of a line, between two reads. */
struct begun_line {
    struct line_input input;
    uint64_t due; /* when it has to be whole */
};

static bool encode_line(struct frame_pool *pool, int kind, bool chunked,
                        const struct frame_text *text, struct frame *out)
{
    return transport_store(pool, kind, chunked, "", 0, text, "\n", out);
}

static bool open_lines(struct connection *connection, const struct http_request *request)
{
    (void)connection;
    (void)request;
    return true;
}

static bool keep_lines_alive(struct connection *connection)
{
    return connection_queue_bytes(connection, "\n", 1);
}

static struct line_limits limits_of(const struct connection *connection)
{
    return (struct line_limits){connection->net->config->max_message,
                                &service_of(connection)->bodies};
}

static void forget_line(struct connection *connection)
{
    const struct line_limits limits = limits_of(connection);
    struct begun_line *begun = stream_of(connection)->transport_state;

    if (begun == NULL)
        return;
    line_input_clear(&begun->input, &limits);
    free(begun);
    stream_of(connection)->transport_state = NULL;
}

/* Says why, as the place in its conversation asks for, and ends the connection. */
static void refuse_line(struct connection *connection, enum close_reason why, const char *reason)
{
    if (connection->state == CONNECTION_STREAMING) {
        if (client_requests_refuse(connection, reason))
            streaming_end(connection, why);
        else
            connection_close(connection, CLOSE_MEMORY);
        return;
    }
    char line[REQUESTED_TOPICS_FAULT_SIZE + 32];
    int length = snprintf(line, sizeof line, "{\"error\":\"%s\"}\n", reason);
    bool queued =
        length < (int)sizeof line && connection_queue_bytes(connection, line, (size_t)length);
    if (queued)
        connection_end_reading(connection, why);
    else
        connection_close(connection, CLOSE_MEMORY);
}

static void begin_or_refuse_line(struct connection *connection,
                                 const struct subscription_body *body, const char *fault)
{
    if (fault == NULL && connection->net->stopping)
        fault = "Stopping";
    if (fault == NULL)
        fault = nodes_trouble(service_of(connection)->nodes);
    if (fault == NULL)
        fault = subscribe_fault(connection, body);
    if (fault != NULL)
        refuse_line(connection, CLOSE_REFUSED, fault);
    else if (!subscribe_begin(connection, NULL, body, &transport_lines))
        connection_close(connection, CLOSE_MEMORY);
}

static void begin_with_ticket(struct connection *connection, const json_t *json)
{
    struct service *service = service_of(connection);
    const json_t *text = json_object_get(json, "ticket");
    struct subscription_body body;
    struct ticket ticket;
    const char *fault = connection->net->stopping ? "Stopping" : nodes_trouble(service->nodes);

    if (fault != NULL) { /* before the ticket is used up */
        refuse_line(connection, CLOSE_REFUSED, fault);
        return;
    }
    switch (ticket_gate_admit(&service->tickets, service->config, json_string_value(text),
                              json_string_length(text), service_ticket_time(service), &ticket)) {
    case TICKET_GATE_OPEN:
        fault = subscription_body_from_ticket(&body, &ticket, service->config);
        subscription_body_read_former_self(&body, json);
        begin_or_refuse_line(connection, &body, fault);
        subscription_body_free(&body);
        ticket_free(&ticket);
        break;
    case TICKET_GATE_REFUSED:
        refuse_line(connection, CLOSE_REFUSED, "Invalid ticket");
        break;
    case TICKET_GATE_DROPPED:
        refuse_line(connection, CLOSE_REFUSED, TICKET_GATE_DROPPED_REASON);
        break;
    case TICKET_GATE_ELSEWHERE:
        refuse_line(connection, CLOSE_REFUSED, "Ticket of another daemon");
        break;
    case TICKET_GATE_TOO_OLD:
        refuse_line(connection, CLOSE_REFUSED, "Ticket from before the start");
        break;
    default:
        refuse_line(connection, CLOSE_REFUSED, "Too many tickets at once");
    }
}

static void begin_by_line(struct connection *connection, const char *text, size_t length)
{
    const struct config *config = connection->net->config;
    struct subscription_body body = {0};

    if (subscription_body_is_too_heavy(text, length, config)) {
        begin_or_refuse_line(connection, &body, SUBSCRIPTION_TOO_HEAVY);
        return;
    }
    json_t *json = json_loadb(text, length, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
    if (json_is_string(json_object_get(json, "ticket"))) {
        begin_with_ticket(connection, json);
        json_decref(json);
        return;
    }
    const char *fault = subscription_body_read_json(&body, json, 0, config);
    begin_or_refuse_line(connection, &body, fault);
    subscription_body_free(&body);
}

static void take_line(struct connection *connection, const char *text, size_t length)
{
    if (!client_requests_count(connection))
        refuse_line(connection, CLOSE_TALKATIVE, "Too many messages");
    else if (length == 0)
        return; /* its way of keeping the connection alive */
    else if (connection->state == CONNECTION_STREAMING)
        client_requests_take(connection, text, length);
    else
        begin_by_line(connection, text, length);
}

static void take_verdict(struct connection *connection, enum line_verdict verdict,
                         const struct line_input *line)
{
    size_t length;
    const char *text;

    switch (verdict) {
    case LINE_NEED_MORE:
        break;
    case LINE_COMPLETE:
        text = line_input_text(line, &length);
        take_line(connection, text, length);
        break;
    case LINE_TOO_LONG:
        refuse_line(connection, CLOSE_REFUSED, "Line too long");
        break;
    case LINE_TOO_MANY:
        refuse_line(connection, CLOSE_REFUSED, "Too many messages at once");
        break;
    default:
        connection_close(connection, CLOSE_MEMORY);
    }
}

static bool listens(const struct connection *connection)
{
    return connection->state == CONNECTION_READING || connection->state == CONNECTION_STREAMING;
}

/* Out of the connection's hands: answering may close it. */
static struct begun_line take_begun(struct connection *connection)
{
    struct begun_line begun = {.due = UINT64_MAX}, *kept = stream_of(connection)->transport_state;

    if (kept != NULL)
        begun = *kept;
    free(kept);
    stream_of(connection)->transport_state = NULL;
    return begun;
}

static void keep_begun(struct connection *connection, struct begun_line *begun)
{
    const struct line_limits limits = limits_of(connection);
    struct begun_line *kept = NULL;

    if (listens(connection) && !line_input_is_idle(&begun->input)) {
        kept = malloc(sizeof *kept);
        if (kept == NULL)
            connection_close(connection, CLOSE_MEMORY);
    }
    if (kept == NULL) {
        line_input_clear(&begun->input, &limits);
        return;
    }
    if (begun->due == UINT64_MAX)
        begun->due = loop_now(&connection->net->loop) + connection->net->config->body_time;
    *kept = *begun;
    line_input_move(&kept->input, &limits);
    stream_of(connection)->transport_state = kept;
    if (connection->state == CONNECTION_STREAMING)
        connection_set_deadline(connection);
}

static void lines_input(struct connection *connection, const char *bytes, size_t length)
{
    const struct line_limits limits = limits_of(connection);
    struct begun_line begun = take_begun(connection);

    line_input_move(&begun.input, &limits);
    (void)input_budget_count_for(limits.bodies, &begun.input.charge, connection_bodies(connection));
    while (length > 0 && listens(connection)) {
        size_t consumed;
        enum line_verdict verdict =
            line_input_feed(&begun.input, &limits, bytes, length, &consumed);
        bytes += consumed;
        length -= consumed;
        if (verdict == LINE_COMPLETE)
            begun.due = UINT64_MAX;
        take_verdict(connection, verdict, &begun.input);
    }
    keep_begun(connection, &begun);
}

static uint64_t line_due(const struct connection *connection)
{
    const struct begun_line *begun = stream_of(connection)->transport_state;

    return begun != NULL ? begun->due : UINT64_MAX;
}

static void line_late(struct connection *connection)
{
    if (connection->state == CONNECTION_STREAMING)
        refuse_line(connection, CLOSE_BODY_TIME, "Line not received in time");
    else
        refuse_line(connection, CLOSE_HEAD_TIME, "Subscription not received in time");
}

static bool begun_line(const struct connection *connection, struct bytes *out)
{
    const struct begun_line *begun = stream_of(connection)->transport_state;

    if (begun != NULL)
        bytes_append(out, begun->input.pending.data, begun->input.pending.length);
    return begun == NULL || !begun->input.charge.given_up;
}

const struct transport transport_lines = {.name = "lines",
                                          .encoding = FRAME_LINES,
                                          .encode = encode_line,
                                          .open = open_lines,
                                          .keep_alive = keep_lines_alive,
                                          .end = transport_end_body,
                                          .input = lines_input,
                                          .forget_state = forget_line,
                                          .input_due = line_due,
                                          .input_late = line_late,
                                          .begun_input = begun_line};

/* ---- before the stream ---- */

static uint64_t subscription_deadline(const struct connection *connection)
{
    return loop_now(&connection->net->loop) + connection->net->config->header_time;
}

static void subscription_due(struct connection *connection)
{
    if (connection->backlog != NULL) /* nothing more was read of it */
        connection_close(connection, CLOSE_SLOW);
    else
        line_late(connection);
}

static void stop_waiting(struct connection *connection)
{
    connection_end_reading(connection, CLOSE_STOPPING);
}

const struct connection_user transport_lines_user = {.input = lines_input,
                                                     .deadline = subscription_deadline,
                                                     .due = subscription_due,
                                                     .stop = stop_waiting,
                                                     .left = forget_line};
