/* Bodies of `POST /event`: what is taken keeps every limit and can go to subscribers as it is. */
#include "json_text.h"
#include "publish_request.h"
#include "topic.h"
#include "user_id.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct publish_limits limits = {.max_depth = 20,
                                             .max_event_points = 20,
                                             .max_users = 20,
                                             .max_topic_length = 30,
                                             .max_topic_levels = 5};

static void check_event(const struct bytes *event)
{
    struct json_span whole = {event->data, event->length};

    for (size_t i = 0; i < event->length; i++) {
        unsigned char byte = (unsigned char)event->data[i];
        if (byte < 0x20 || byte > 0x7f || byte == '\'')
            abort();
    }
    if (event->failed || !json_text_check(event->data, event->length, limits.max_depth, NULL) ||
        json_text_kind(json_text_member(whole, "type")) != '"')
        abort();
}

/* Each once, in order, and nobody where nobody is named. */
static void check_users(const struct publish_point *point)
{
    const char *before = "";

    if (point->addressed != (point->users.length > 0) || point->users.failed)
        abort();
    if (!point->addressed)
        return;
    const char *end = point->users.data + point->users.length;
    for (const char *user = point->users.data; user < end; user += strlen(user) + 1) {
        if (strcmp(before, user) >= 0 || user_id_kind(user, strlen(user)) != USER_ID_USER)
            abort();
        before = user;
    }
}

static void check_taken(const struct publish_request *request)
{
    if (request->count == 0 || request->count > limits.max_event_points)
        abort();
    for (size_t i = 0; i < request->count; i++) {
        const struct publish_point *point = &request->points[i];
        if (topic_fault(point->topic, point->topic_length, limits.max_topic_length,
                        limits.max_topic_levels) != NULL ||
            topic_is_reserved(point->topic, point->topic_length) ||
            point->wildcard != topic_has_wildcard(point->topic, point->topic_length) ||
            (!point->whispered && point->whisper != 0) || (point->targeted && !point->bound) ||
            point->bound + point->granted + point->addressed > 1)
            abort();
        check_users(point);
    }
    check_event(&request->event);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct publish_request request;
    struct publish_fault fault = {0};

    if (publish_request_parse(&request, (const char *)data, size, &limits, &fault))
        check_taken(&request);
    else if (fault.status < 400 || fault.status > 599 || fault.reason == NULL || request.count != 0)
        abort();
    publish_request_free(&request);
    return 0;
}
