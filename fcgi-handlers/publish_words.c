#include "publish_words.h"

#include <string.h>

/* ---- event points ---- */

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

enum { WORDS_SIZE = 256 }; /* bytes to most posts: they are written without growing */

static void set_status(struct publish_words *words, int status, const char *reason)
{
    words->status = status;
    words->reason = reason;
}

static void word_taken(struct publish_words *words, const struct publish_outcome *outcome)
{
    uint64_t receivers = 0;
    for (size_t i = 0; i < outcome->event_count; i++)
        receivers += outcome->events[i].ack.receivers;
    struct bytes *body = &words->body;
    bytes_append_text(body, "{\"id\":");
    append_event_id(body, &outcome->events[0]);
    bytes_append_text(body, ",\"receivers\":");
    bytes_append_number(body, receivers);
    set_status(words, 200, "OK");
}

static void word_forbidden(struct publish_words *words)
{
    bytes_append_text(&words->body, "{\"error\":\"No event point was allowed\",\"receivers\":0");
    set_status(words, 403, "Forbidden");
}

static void word_limited(struct publish_words *words, const struct publish_outcome *outcome)
{
    uint32_t wait = 0;
    for (size_t i = 0; i < outcome->event_count; i++)
        if (outcome->events[i].ack.wait_ms > wait)
            wait = outcome->events[i].ack.wait_ms;
    words->retry_after_s = wait / 1000 + 1;
    bytes_append_text(&words->body, "{\"error\":\"Too many events\"");
    set_status(words, 429, "Too Many Requests");
}

static void word_other(struct publish_words *words)
{
    bytes_append_text(&words->body, "{\"error\":\"The id is that of another event\"");
    set_status(words, 409, "Conflict");
}

static void word_over_limits(struct publish_words *words)
{
    bytes_append_text(&words->body,
                      "{\"error\":\"The topic is over the daemon's limits\","
                      "\"detail\":\"[fanout] max_topic_length or max_topic_levels are lower "
                      "there than here\"");
    set_status(words, 422, "Unprocessable Content");
}

static void word_unavailable(struct publish_words *words, const struct publish_outcome *outcome)
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
    bytes_append_format(&words->body, "{\"error\":\"%s\"", error);
    words->retry_after_s = PUBLISH_WORDS_RETRY_S;
    set_status(words, 503, "Service Unavailable");
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

void publish_words_of_outcome(struct publish_words *words, const struct publish_outcome *outcome)
{
    *words = (struct publish_words){0};
    (void)bytes_reserve(&words->body, WORDS_SIZE);
    if (outcome->event_count == 0)
        word_forbidden(words);
    else if (!was_taken(outcome))
        word_unavailable(words, outcome);
    else if (has_any(outcome, ACK_LIMITED))
        word_limited(words, outcome);
    else if (has_any(outcome, ACK_TOPIC))
        word_over_limits(words);
    else if (has_any(outcome, ACK_OTHER))
        word_other(words);
    else
        word_taken(words, outcome);
    append_points(&words->body, outcome);
}

/* ---- of a batch ---- */

static void begin_object(struct bytes *out, int status, unsigned retry_after_s)
{
    bytes_append_text(out, "{\"status\":");
    bytes_append_number(out, (uint64_t)status);
    bytes_append_text(out, ",");
    if (retry_after_s > 0)
        bytes_append_format(out, "\"retry_after\":%u,", retry_after_s);
}

int publish_words_add_outcome(struct bytes *out, const struct publish_outcome *outcome)
{
    struct publish_words words;
    publish_words_of_outcome(&words, outcome);
    begin_object(out, words.status, words.retry_after_s);
    if (words.body.failed)
        out->failed = true;
    else /* without its first bracket and the end of its line */
        bytes_append(out, words.body.data + 1, words.body.length - 2);
    bytes_free(&words.body);
    return words.status;
}

void publish_words_add_fault(struct bytes *out, const struct publish_fault *fault)
{
    begin_object(out, fault->status, fault->status == 503 ? PUBLISH_WORDS_RETRY_S : 0);
    bytes_append_text(out, "\"error\":");
    bytes_append_json_string(out, fault->reason, strlen(fault->reason));
    if (fault->detail != NULL) {
        bytes_append_text(out, ",\"detail\":");
        bytes_append_json_string(out, fault->detail, strlen(fault->detail));
    }
    bytes_append_text(out, "}");
}
