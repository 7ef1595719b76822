#include "publish_event.h"

#include "authorise_point.h"
#include "handler_reply.h"
#include "publish_request.h"

#include <stdlib.h>
#include <string.h>

static const char preflight_headers[] =
    "Access-Control-Allow-Methods: POST, OPTIONS\r\n"
    "Access-Control-Allow-Headers: Authorization, Content-Type, Last-Event-ID, X-Requested-With\r\n"
    "Access-Control-Max-Age: 86400\r\n";
static const char allow_header[] = "Allow: POST, OPTIONS\r\n";
static const char retry_header[] = "Retry-After: 1\r\n";

/* ---- answers ---- */

static void refuse(struct handler_request *request, const struct publish_fault *fault)
{
    (void)handler_reply_send_error(request, fault->status, fault->reason, fault->detail, NULL);
}

static void append_event_id(struct bytes *out, const struct bus_event *event)
{
    bytes_append_format(out, "\"%llu-%llu\"", (unsigned long long)event->epoch,
                        (unsigned long long)event->ack.event_sequence);
}

static bool was_taken(const struct bus_event *event)
{
    return event->acknowledged && event->ack.status != ACK_OVERLOAD;
}

static void append_point(struct bytes *out, const struct bus_event *event)
{
    bytes_append_text(out, "{\"topic\":");
    bytes_append_json_string(out, event->topic, event->topic_length);
    if (!was_taken(event)) {
        bytes_append_text(out, ",\"result\":\"unacknowledged\"}");
        return;
    }
    bytes_append_text(out, ",\"result\":\"sent\",\"receivers\":");
    bytes_append_number(out, event->ack.receivers);
    bytes_append_text(out, ",\"id\":");
    append_event_id(out, event);
    /* Without an id of the publisher's own a double can only be the bus's second try of this very
     * post. */
    if (event->ack.status == ACK_DOUBLE && (event->flags & ENVELOPE_HAS_POST_KEY) != 0)
        bytes_append_text(out, ",\"duplicate\":true");
    bytes_append_text(out, "}");
}

static void append_points(struct bytes *out, const struct bus_event *events, size_t count)
{
    bytes_append_text(out, ",\"ep\":[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            bytes_append_text(out, ",");
        append_point(out, &events[i]);
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

static void answer_published(struct handler_request *request, const struct bus_event *events,
                             size_t count)
{
    uint64_t receivers = 0;
    for (size_t i = 0; i < count; i++)
        receivers += events[i].ack.receivers;
    struct bytes body = BYTES_EMPTY;
    bytes_append_text(&body, "{\"id\":");
    append_event_id(&body, &events[0]);
    bytes_append_text(&body, ",\"receivers\":");
    bytes_append_number(&body, receivers);
    append_points(&body, events, count);
    send_body(request, (struct handler_reply){.status = 200, .reason = "OK"}, &body);
}

static void answer_unpublished(struct handler_request *request, const struct bus_event *events,
                               size_t count)
{
    const char *error = "The fan-out daemon is overloaded";
    for (size_t i = 0; i < count; i++) {
        if (!events[i].acknowledged)
            error = "The fan-out daemon did not acknowledge the event in time";
    }
    struct bytes body = BYTES_EMPTY;
    bytes_append_format(&body, "{\"error\":\"%s\"", error);
    append_points(&body, events, count);
    struct handler_reply reply = {
        .status = 503, .reason = "Service Unavailable", .headers = retry_header};
    send_body(request, reply, &body);
}

/* ---- publishing ---- */

static void fill_events(struct bus_event *events, const struct publish_request *post)
{
    for (size_t i = 0; i < post->count; i++) {
        const struct publish_point *point = &post->points[i];
        events[i] = (struct bus_event){.topic = point->topic,
                                       .topic_length = point->topic_length,
                                       .whisper = point->whisper,
                                       .event = post->event.data,
                                       .event_length = post->event.length};
        events[i].flags = (uint16_t)((point->wildcard ? ENVELOPE_PATTERN : 0) |
                                     (point->whispered ? ENVELOPE_WHISPER : 0) |
                                     (post->has_id ? ENVELOPE_HAS_POST_KEY : 0));
        memcpy(events[i].post_key, point->post_key, sizeof events[i].post_key);
    }
}

static void publish(struct publish_service *service, struct handler_request *request,
                    const struct publish_request *post)
{
    struct bus_event *events = calloc(post->count, sizeof *events);
    if (events == NULL) {
        (void)handler_reply_send_error(request, 500, "Out of memory", NULL, NULL);
        return;
    }
    fill_events(events, post);
    if (publish_queue_send(service->queue, events, post->count))
        answer_published(request, events, post->count);
    else
        answer_unpublished(request, events, post->count);
    free(events);
}

static bool authorise_points(const struct publish_request *post, struct publish_fault *fault)
{
    for (size_t i = 0; i < post->count; i++) {
        if (!authorise_point(&post->points[i], fault))
            return false;
    }
    return true;
}

static void handle_body(struct publish_service *service, struct handler_request *request,
                        const struct bytes *body)
{
    const struct config *config = &service->settings->config;
    const struct publish_limits limits = {
        .max_depth = (unsigned)config->max_depth,
        .max_event_points = (size_t)config->max_event_points,
        .max_topic_length = (size_t)config->max_topic_length,
        .max_topic_levels = (size_t)config->max_topic_levels,
    };
    struct publish_request post;
    struct publish_fault fault;
    if (!publish_request_parse(&post, body->data, body->length, &limits, &fault)) {
        refuse(request, &fault);
        return;
    }
    if (authorise_points(&post, &fault))
        publish(service, request, &post);
    else
        refuse(request, &fault);
    publish_request_free(&post);
}

/* ---- the request ---- */

static bool has_token(const struct publish_service *service, const struct handler_request *request)
{
    const struct secret_list *tokens = &service->settings->tokens;
    struct bytes value = BYTES_EMPTY;
    bool known = handler_request_query(request, "token", &value) &&
                 secret_list_has(tokens, value.data, value.length);
    bytes_free(&value);
    const char *bearer = handler_request_bearer(request);
    return known || (bearer != NULL && secret_list_has(tokens, bearer, strlen(bearer)));
}

/* Answers for a body that could not be read; false for one that could. */
static bool refuse_body(struct handler_request *request, enum handler_body verdict)
{
    static const struct publish_fault faults[] = {
        [HANDLER_BODY_TOO_LARGE] = {413, "Payload Too Large", NULL},
        [HANDLER_BODY_NO_LENGTH] = {411, "Length Required", NULL},
        [HANDLER_BODY_BAD_LENGTH] = {400, "Invalid Content-Length", NULL},
        [HANDLER_BODY_SHORT] = {400, "Body shorter than announced", NULL},
        [HANDLER_BODY_NO_MEMORY] = {500, "Out of memory", NULL},
    };
    if (verdict != HANDLER_BODY_WHOLE)
        refuse(request, &faults[verdict]);
    return verdict != HANDLER_BODY_WHOLE;
}

void publish_event_handle(struct publish_service *service, struct handler_request *request)
{
    const char *method = handler_request_variable(request, "REQUEST_METHOD");
    if (method != NULL && strcmp(method, "OPTIONS") == 0) {
        const struct handler_reply reply = {
            .status = 204, .reason = "No Content", .headers = preflight_headers};
        (void)handler_reply_send(request, &reply);
        return;
    }
    if (!has_token(service, request)) {
        (void)handler_reply_send_error(request, 404, "Not found", NULL, NULL);
        return;
    }
    if (method == NULL || strcmp(method, "POST") != 0) {
        (void)handler_reply_send_error(request, 405, "Method Not Allowed", NULL, allow_header);
        return;
    }
    struct bytes body = BYTES_EMPTY;
    enum handler_body verdict =
        handler_request_read_body(request, (size_t)service->settings->config.max_event_body, &body);
    if (!refuse_body(request, verdict))
        handle_body(service, request, &body);
    bytes_free(&body);
}
