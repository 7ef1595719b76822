#include "publish_answer.h"

#include "handler_reply.h"
#include "messages.h"
#include "publishers/publisher.h"
#include "retry_after.h"

#include <stdio.h>
#include <string.h>

static const char retry_header[] = RETRY_AFTER "1\r\n";

const char *publish_answer_name(const struct publisher *publisher)
{
    return publisher != NULL && publisher->name[0] != '\0' ? publisher->name : NULL;
}

/* One line for each post that was refused, whoever sent it, without what it proved itself with. */
static void log_refusal(const struct handler_request *request, const struct publisher *publisher,
                        const char *reason, const char *why, const char *topic)
{
    message_info("post refused", message_text("reason", reason), message_text("why", why),
                 message_text("topic", topic), message_text("by", publish_answer_name(publisher)),
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
            append_result(out, point_result_word(result), 0);
        bytes_append_text(out, "}");
    }
    bytes_append_text(out, "]}\n");
}

enum { ANSWER_SIZE = 256 }; /* bytes to most posts: it is written without growing */

/* How a post is answered, before it is sent. */
struct answer {
    struct handler_reply reply;
    char headers[96];
    struct bytes body; /* a JSON object and the end of its line */
};

static void word_taken(struct answer *answer, const struct publish_outcome *outcome)
{
    uint64_t receivers = 0;
    for (size_t i = 0; i < outcome->event_count; i++)
        receivers += outcome->events[i].ack.receivers;
    struct bytes *body = &answer->body;
    bytes_append_text(body, "{\"id\":");
    append_event_id(body, &outcome->events[0]);
    bytes_append_text(body, ",\"receivers\":");
    bytes_append_number(body, receivers);
    answer->reply = (struct handler_reply){.status = 200, .reason = "OK"};
}

static void word_forbidden(struct answer *answer, const struct publish_outcome *outcome,
                           const struct handler_request *request)
{
    log_refusal(request, outcome->publisher, "No event point was allowed",
                point_result_word(outcome->decisions[0].result), outcome->post->points[0].topic);
    bytes_append_text(&answer->body, "{\"error\":\"No event point was allowed\",\"receivers\":0");
    answer->reply = (struct handler_reply){.status = 403, .reason = "Forbidden"};
}

static void word_limited(struct answer *answer, const struct publish_outcome *outcome,
                         const struct handler_request *request)
{
    log_refusal(request, outcome->publisher, "Too many events", NULL, NULL);
    uint32_t wait = 0;
    for (size_t i = 0; i < outcome->event_count; i++)
        if (outcome->events[i].ack.wait_ms > wait)
            wait = outcome->events[i].ack.wait_ms;
    (void)snprintf(answer->headers, sizeof answer->headers, RETRY_AFTER "%u\r\n", wait / 1000 + 1);
    bytes_append_text(&answer->body, "{\"error\":\"Too many events\"");
    answer->reply = (struct handler_reply){.status = 429, .reason = "Too Many Requests"};
}

static void word_other(struct answer *answer)
{
    bytes_append_text(&answer->body, "{\"error\":\"The id is that of another event\"");
    answer->reply = (struct handler_reply){.status = 409, .reason = "Conflict"};
}

static void word_over_limits(struct answer *answer)
{
    bytes_append_text(&answer->body,
                      "{\"error\":\"The topic is over the daemon's limits\","
                      "\"detail\":\"[fanout] max_topic_length or max_topic_levels are lower "
                      "there than here\"");
    answer->reply = (struct handler_reply){.status = 422, .reason = "Unprocessable Content"};
}

static void word_unavailable(struct answer *answer, const struct publish_outcome *outcome)
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
    bytes_append_format(&answer->body, "{\"error\":\"%s\"", error);
    (void)snprintf(answer->headers, sizeof answer->headers, "%s", retry_header);
    answer->reply = (struct handler_reply){.status = 503, .reason = "Service Unavailable"};
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

/* To be freed by the caller: its body. */
static void word_outcome(struct answer *answer, const struct publish_outcome *outcome,
                         const struct handler_request *request)
{
    *answer = (struct answer){0};
    (void)bytes_reserve(&answer->body, ANSWER_SIZE);
    if (outcome->event_count == 0)
        word_forbidden(answer, outcome, request);
    else if (!was_taken(outcome))
        word_unavailable(answer, outcome);
    else if (has_any(outcome, ACK_LIMITED))
        word_limited(answer, outcome, request);
    else if (has_any(outcome, ACK_TOPIC))
        word_over_limits(answer);
    else if (has_any(outcome, ACK_OTHER))
        word_other(answer);
    else
        word_taken(answer, outcome);
    append_points(&answer->body, outcome);
}

void publish_answer_outcome(struct handler_request *request, const struct publish_outcome *outcome)
{
    struct answer answer;
    word_outcome(&answer, outcome, request);
    answer.reply.body = &answer.body;
    answer.reply.headers = answer.headers[0] != '\0' ? answer.headers : NULL;
    (void)handler_reply_send(request, &answer.reply);
    bytes_free(&answer.body);
}

void publish_answer_add_outcome(struct bytes *out, const struct handler_request *request,
                                const struct publish_outcome *outcome)
{
    struct answer answer;
    word_outcome(&answer, outcome, request);
    bytes_append_text(out, "{\"status\":");
    bytes_append_number(out, (uint64_t)answer.reply.status);
    bytes_append_text(out, ",");
    if (answer.body.failed)
        out->failed = true;
    else /* without its first bracket and the end of its line */
        bytes_append(out, answer.body.data + 1, answer.body.length - 2);
    bytes_free(&answer.body);
}

static void log_fault(const struct handler_request *request, const struct publisher *publisher,
                      const struct publish_fault *fault)
{
    log_refusal(request, publisher, fault->reason,
                fault->log[0] != '\0' ? fault->log : fault->detail, NULL);
}

void publish_answer_add_fault(struct bytes *out, const struct handler_request *request,
                              const struct publisher *publisher, const struct publish_fault *fault)
{
    log_fault(request, publisher, fault);
    bytes_append_format(out, "{\"status\":%d,\"error\":", fault->status);
    bytes_append_json_string(out, fault->reason, strlen(fault->reason));
    if (fault->detail != NULL) {
        bytes_append_text(out, ",\"detail\":");
        bytes_append_json_string(out, fault->detail, strlen(fault->detail));
    }
    bytes_append_text(out, "}");
}

void publish_answer_stranger(struct handler_request *request, const char *why)
{
    log_refusal(request, NULL, "Not found", why, NULL);
    (void)handler_reply_send_error(request, 404, "Not found", NULL, NULL);
}

void publish_answer_fault(struct handler_request *request, const struct publisher *publisher,
                          const struct publish_fault *fault)
{
    log_fault(request, publisher, fault);
    (void)handler_reply_send_error(request, fault->status, fault->reason, fault->detail,
                                   fault->status == 503 ? retry_header : NULL);
}
