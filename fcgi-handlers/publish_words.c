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
    bytes_append_text(out, "]");
}

/* ---- what became of it ---- */

enum fate {
    FATE_TAKEN,
    FATE_FORBIDDEN,
    FATE_LIMITED,
    FATE_OTHER,
    FATE_OVER_LIMITS,
    FATE_UNAVAILABLE
};

static const struct {
    int status;
    const char *reason;
} statuses[] = {[FATE_TAKEN] = {200, "OK"},
                [FATE_FORBIDDEN] = {403, "Forbidden"},
                [FATE_LIMITED] = {429, "Too Many Requests"},
                [FATE_OTHER] = {409, "Conflict"},
                [FATE_OVER_LIMITS] = {422, "Unprocessable Content"},
                [FATE_UNAVAILABLE] = {503, "Service Unavailable"}};

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

static enum fate fate_of(const struct publish_outcome *outcome)
{
    if (outcome->event_count == 0)
        return FATE_FORBIDDEN;
    if (!was_taken(outcome))
        return FATE_UNAVAILABLE;
    if (has_any(outcome, ACK_LIMITED))
        return FATE_LIMITED;
    if (has_any(outcome, ACK_TOPIC))
        return FATE_OVER_LIMITS;
    return has_any(outcome, ACK_OTHER) ? FATE_OTHER : FATE_TAKEN;
}

static unsigned retry_after(enum fate fate, const struct publish_outcome *outcome)
{
    uint32_t wait = 0;
    if (fate == FATE_UNAVAILABLE)
        return PUBLISH_WORDS_RETRY_S;
    if (fate != FATE_LIMITED)
        return 0;
    for (size_t i = 0; i < outcome->event_count; i++)
        if (outcome->events[i].ack.wait_ms > wait)
            wait = outcome->events[i].ack.wait_ms;
    return wait / 1000 + 1;
}

/* ---- the members of the answer ---- */

static void append_taken(struct bytes *out, const struct publish_outcome *outcome)
{
    uint64_t receivers = 0;
    bool complete = true;
    for (size_t i = 0; i < outcome->event_count; i++) {
        receivers += outcome->events[i].ack.receivers;
        complete = complete && outcome->events[i].complete;
    }
    bytes_append_text(out, "\"id\":");
    append_event_id(out, &outcome->events[0]);
    bytes_append_text(out, ",\"receivers\":");
    bytes_append_number(out, receivers);
    if (outcome->of_several_daemons)
        bytes_append_text(out, complete ? ",\"complete\":true" : ",\"complete\":false");
}

static const char *trouble_of(const struct publish_outcome *outcome)
{
    const char *error = "\"error\":\"The fan-out daemon is overloaded\"";
    for (size_t i = 0; i < outcome->event_count; i++) {
        if (!outcome->events[i].acknowledged)
            return "\"error\":\"The fan-out daemon did not acknowledge the event in time\"";
        if (outcome->events[i].ack.status == ACK_UNSTORED)
            error = "\"error\":\"The fan-out daemon cannot write its log to the disk\"";
    }
    return error;
}

static void append_members(struct bytes *out, enum fate fate, const struct publish_outcome *outcome)
{
    switch (fate) {
    case FATE_TAKEN:
        append_taken(out, outcome);
        break;
    case FATE_FORBIDDEN:
        bytes_append_text(out, "\"error\":\"No event point was allowed\",\"receivers\":0");
        break;
    case FATE_LIMITED:
        bytes_append_text(out, "\"error\":\"Too many events\"");
        break;
    case FATE_OTHER:
        bytes_append_text(out, "\"error\":\"The id is that of another event\"");
        break;
    case FATE_OVER_LIMITS:
        bytes_append_text(out, "\"error\":\"The topic is over the daemon's limits\","
                               "\"detail\":\"[fanout] max_topic_length or max_topic_levels are "
                               "lower there than here\"");
        break;
    case FATE_UNAVAILABLE:
        bytes_append_text(out, trouble_of(outcome));
        break;
    }
    append_points(out, outcome);
}

enum { WORDS_SIZE = 256 }; /* bytes to most posts: they are written without growing */

void publish_words_of_outcome(struct publish_words *words, const struct publish_outcome *outcome)
{
    enum fate fate = fate_of(outcome);
    *words = (struct publish_words){.status = statuses[fate].status,
                                    .reason = statuses[fate].reason,
                                    .retry_after_s = retry_after(fate, outcome)};
    (void)bytes_reserve(&words->body, WORDS_SIZE);
    bytes_append_text(&words->body, "{");
    append_members(&words->body, fate, outcome);
    bytes_append_text(&words->body, "}\n");
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
    enum fate fate = fate_of(outcome);
    begin_object(out, statuses[fate].status, retry_after(fate, outcome));
    append_members(out, fate, outcome);
    bytes_append_text(out, "}");
    return statuses[fate].status;
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
