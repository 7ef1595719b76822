#include "publish_answer.h"

#include "handler_reply.h"
#include "messages.h"
#include "retry_after.h"

#include <stdio.h>
#include <string.h>

static const char retry_header[] = RETRY_AFTER "1\r\n";

/* One line for each post that was refused, whoever sent it, without what it proved itself with. */
static void log_refusal(const struct handler_request *request, const char *reason, const char *why,
                        const char *topic)
{
    message_info("post refused", message_text("reason", reason), message_text("why", why),
                 message_text("topic", topic),
                 message_text("from", handler_request_variable(request, "REMOTE_ADDR")));
}

static void append_event_id(struct bytes *out, const struct bus_event *event)
{
    bytes_append_text(out, "\"");
    bytes_append_number(out, event->epoch);
    bytes_append_text(out, "-");
    bytes_append_number(out, event->ack.event_sequence);
    bytes_append_text(out, "\"");
}

static void append_result(struct bytes *out, const char *result, uint32_t receivers)
{
    bytes_append_text(out, ",\"result\":\"");
    bytes_append_text(out, result);
    bytes_append_text(out, "\",\"receivers\":");
    bytes_append_number(out, receivers);
}

static void append_event(struct bytes *out, const struct bus_event *event)
{
    if (!event->acknowledged || ack_is_overload(event->ack.status)) {
        bytes_append_text(out, ",\"result\":\"unacknowledged\"");
        return;
    }
    if (event->ack.status == ACK_LIMITED) {
        append_result(out, "too many events", 0);
        return;
    }
    if (event->ack.status == ACK_OTHER) {
        append_result(out, "id of another event", 0);
        return;
    }
    if (event->ack.status == ACK_TOPIC) {
        append_result(out, "over the daemon's limits", 0);
        return;
    }
    append_result(out, "sent", event->ack.receivers);
    bytes_append_text(out, ",\"id\":");
    append_event_id(out, event);
    /* Without an id of the publisher's own a double can only be the bus's second try of this very
     * post. */
    if (event->ack.status == ACK_DOUBLE && (event->flags & ENVELOPE_HAS_POST_KEY) != 0)
        bytes_append_text(out, ",\"duplicate\":true");
}

static const char *point_word(enum point_result result)
{
    static const char *const words[] = {
        [POINT_UNREGISTERED] = "unregistered",        [POINT_FORBIDDEN] = "forbidden",
        [POINT_WRONG_PASSWORD] = "wrong password",    [POINT_NOT_YOURS] = "not yours",
        [POINT_LIMITED] = "too many wrong passwords",
    };
    return words[result];
}

static void append_points(struct bytes *out, const struct publish_outcome *outcome)
{
    const struct bus_event *event = outcome->events;
    bytes_append_text(out, ",\"ep\":[");
    for (size_t i = 0; i < outcome->post->count; i++) {
        const struct publish_point *point = &outcome->post->points[i];
        enum point_result result = outcome->decisions[i].result;
        bytes_append_text(out, i > 0 ? ",{\"topic\":" : "{\"topic\":");
        bytes_append_json_string(out, point->topic, point->topic_length);
        if (result == POINT_GRANTED)
            append_event(out, event++);
        else
            append_result(out, point_word(result), 0);
        bytes_append_text(out, "}");
    }
    bytes_append_text(out, "]}\n");
}

static void send_body(struct handler_request *request, struct handler_reply reply,
                      struct bytes *body)
{
    reply.body = body;
    if (body->failed)
        (void)handler_reply_send_error(request, 500, "Out of memory", NULL, NULL);
    else
        (void)handler_reply_send(request, &reply);
    bytes_free(body);
}

static void answer_taken(struct handler_request *request, const struct publish_outcome *outcome)
{
    uint64_t receivers = 0;
    for (size_t i = 0; i < outcome->event_count; i++)
        receivers += outcome->events[i].ack.receivers;
    struct bytes body = BYTES_EMPTY;
    bytes_append_text(&body, "{\"id\":");
    append_event_id(&body, &outcome->events[0]);
    bytes_append_text(&body, ",\"receivers\":");
    bytes_append_number(&body, receivers);
    append_points(&body, outcome);
    send_body(request, (struct handler_reply){.status = 200, .reason = "OK"}, &body);
}

static void answer_forbidden(struct handler_request *request, const struct publish_outcome *outcome)
{
    struct bytes body = BYTES_EMPTY;
    log_refusal(request, "No event point was allowed", point_word(outcome->decisions[0].result),
                outcome->post->points[0].topic);
    bytes_append_text(&body, "{\"error\":\"No event point was allowed\",\"receivers\":0");
    append_points(&body, outcome);
    send_body(request, (struct handler_reply){.status = 403, .reason = "Forbidden"}, &body);
}

static void answer_limited(struct handler_request *request, const struct publish_outcome *outcome)
{
    uint32_t wait = 0;
    for (size_t i = 0; i < outcome->event_count; i++)
        if (outcome->events[i].ack.wait_ms > wait)
            wait = outcome->events[i].ack.wait_ms;
    char retry[96];
    (void)snprintf(retry, sizeof retry, RETRY_AFTER "%u\r\n", wait / 1000 + 1);
    struct bytes body = BYTES_EMPTY;
    bytes_append_text(&body, "{\"error\":\"Too many events\"");
    append_points(&body, outcome);
    const struct handler_reply reply = {
        .status = 429, .reason = "Too Many Requests", .headers = retry};
    send_body(request, reply, &body);
}

static void answer_other(struct handler_request *request, const struct publish_outcome *outcome)
{
    struct bytes body = BYTES_EMPTY;
    bytes_append_text(&body, "{\"error\":\"The id is that of another event\"");
    append_points(&body, outcome);
    send_body(request, (struct handler_reply){.status = 409, .reason = "Conflict"}, &body);
}

static void answer_over_limits(struct handler_request *request,
                               const struct publish_outcome *outcome)
{
    struct bytes body = BYTES_EMPTY;
    bytes_append_text(&body, "{\"error\":\"The topic is over the daemon's limits\","
                             "\"detail\":\"[fanout] max_topic_length or max_topic_levels are lower "
                             "there than here\"");
    append_points(&body, outcome);
    send_body(request, (struct handler_reply){.status = 422, .reason = "Unprocessable Content"},
              &body);
}

static void answer_unavailable(struct handler_request *request,
                               const struct publish_outcome *outcome)
{
    const char *error = "The fan-out daemon is overloaded";
    for (size_t i = 0; i < outcome->event_count; i++) {
        if (outcome->events[i].ack.status == ACK_UNSTORED)
            error = "The fan-out daemon cannot write its log to the disk";
    }
    for (size_t i = 0; i < outcome->event_count; i++) {
        if (!outcome->events[i].acknowledged)
            error = "The fan-out daemon did not acknowledge the event in time";
    }
    struct bytes body = BYTES_EMPTY;
    bytes_append_format(&body, "{\"error\":\"%s\"", error);
    append_points(&body, outcome);
    const struct handler_reply reply = {
        .status = 503, .reason = "Service Unavailable", .headers = retry_header};
    send_body(request, reply, &body);
}

static bool was_taken(const struct publish_outcome *outcome)
{
    for (size_t i = 0; i < outcome->event_count; i++) {
        const struct bus_event *event = &outcome->events[i];
        if (!event->acknowledged || ack_is_overload(event->ack.status))
            return false;
    }
    return true;
}

static bool has_any(const struct publish_outcome *outcome, enum ack_status status)
{
    for (size_t i = 0; i < outcome->event_count; i++)
        if (outcome->events[i].ack.status == status)
            return true;
    return false;
}

void publish_answer_outcome(struct handler_request *request, const struct publish_outcome *outcome)
{
    if (outcome->event_count == 0)
        answer_forbidden(request, outcome);
    else if (!was_taken(outcome))
        answer_unavailable(request, outcome);
    else if (has_any(outcome, ACK_LIMITED))
        answer_limited(request, outcome);
    else if (has_any(outcome, ACK_TOPIC))
        answer_over_limits(request, outcome);
    else if (has_any(outcome, ACK_OTHER))
        answer_other(request, outcome);
    else
        answer_taken(request, outcome);
}

void publish_answer_stranger(struct handler_request *request, const char *why)
{
    log_refusal(request, "Not found", why, NULL);
    (void)handler_reply_send_error(request, 404, "Not found", NULL, NULL);
}

void publish_answer_fault(struct handler_request *request, const struct publish_fault *fault)
{
    log_refusal(request, fault->reason, fault->log[0] != '\0' ? fault->log : fault->detail, NULL);
    (void)handler_reply_send_error(request, fault->status, fault->reason, fault->detail,
                                   fault->status == 503 ? retry_header : NULL);
}
