#include "publish_event.h"

#include "authorise_point.h"
#include "clock.h"
#include "handler_reply.h"
#include "log.h"
#include "publish_answer.h"
#include "publish_queue.h"
#include "publish_request.h"

#include <stdlib.h>
#include <string.h>

static const char allow_header[] = "Allow: POST, OPTIONS\r\n";

struct publish_shared {
    struct publish_queue *queue;
    struct authority_common *common;
};

struct publish_service {
    const struct event_settings *settings;
    struct publish_queue *queue;
    struct authority *authority;
    struct bind_key_reader *bind_keys; /* NULL: none are taken */
};

/* ---- what is needed ---- */

struct publish_shared *publish_event_open(const struct event_settings *settings, bool connect)
{
    struct bus_options options = event_settings_bus(settings);
    struct publish_shared *shared = calloc(1, sizeof *shared);
    if (shared == NULL)
        return NULL;
    shared->queue = publish_queue_new(&options, &settings->config);
    shared->common = authority_common_open(&settings->config);
    if (shared->queue == NULL || shared->common == NULL)
        publish_event_close(&shared);
    else if (connect)
        (void)publish_queue_connect(shared->queue);
    return shared;
}

void publish_event_close(struct publish_shared **shared)
{
    struct publish_shared *old = *shared;
    if (old == NULL)
        return;
    *shared = NULL;
    publish_queue_free(&old->queue);
    authority_common_close(&old->common);
    free(old);
}

struct publish_service *publish_event_begin(const struct event_settings *settings,
                                            struct publish_shared *shared)
{
    char error[CONFIG_ERROR_SIZE] = "out of memory";
    struct publish_service *service = calloc(1, sizeof *service);
    bool ready = service != NULL;
    if (ready) {
        service->settings = settings;
        service->queue = shared->queue;
        service->authority = authority_open(settings, shared->common, error);
        ready = service->authority != NULL &&
                event_settings_open_bind_keys(settings, &service->bind_keys, error);
    }
    if (!ready) {
        log_error("cannot prepare for requests", log_text("reason", error));
        publish_event_end(&service);
    }
    return service;
}

void publish_event_end(struct publish_service **service)
{
    struct publish_service *old = *service;
    if (old == NULL)
        return;
    *service = NULL;
    bind_key_reader_close(&old->bind_keys);
    authority_close(&old->authority);
    free(old);
}

/* ---- publishing ---- */

static void fill_event(struct bus_event *event, const struct publish_request *post,
                       const struct publish_point *point, const struct point_decision *decision)
{
    *event = (struct bus_event){.topic = point->topic,
                                .topic_length = point->topic_length,
                                .whisper = point->whisper,
                                .token = post->token,
                                .allowed = decision->allowed.data,
                                .allowed_length = decision->allowed.length,
                                .event = post->event.data,
                                .event_length = post->event.length};
    event->flags = (uint16_t)(decision->flags | (point->wildcard ? ENVELOPE_PATTERN : 0) |
                              (point->whispered ? ENVELOPE_WHISPER : 0) |
                              (post->has_id ? ENVELOPE_HAS_POST_KEY : 0));
    memcpy(event->post_key, point->post_key, sizeof event->post_key);
}

/* The events of all points that were granted. */
static size_t fill_events(struct bus_event *events, const struct publish_request *post,
                          const struct point_decision *decisions)
{
    size_t count = 0;
    for (size_t i = 0; i < post->count; i++) {
        if (decisions[i].result == POINT_GRANTED)
            fill_event(&events[count++], post, &post->points[i], &decisions[i]);
    }
    return count;
}

static void publish(struct publish_service *service, struct handler_request *request,
                    const struct publish_request *post, const struct point_decision *decisions)
{
    struct bus_event *events = calloc(post->count, sizeof *events);
    if (events == NULL) {
        (void)handler_reply_send_error(request, 500, "Out of memory", NULL, NULL);
        return;
    }
    const struct publish_outcome outcome = {.post = post,
                                            .decisions = decisions,
                                            .events = events,
                                            .event_count = fill_events(events, post, decisions)};
    if (outcome.event_count == 0)
        publish_answer_forbidden(request, &outcome);
    else if (!publish_queue_send(service->queue, events, outcome.event_count))
        publish_answer_unavailable(request, &outcome);
    else if (publish_outcome_is_limited(&outcome))
        publish_answer_limited(request, &outcome);
    else
        publish_answer_taken(request, &outcome);
    free(events);
}

/* ---- who may ---- */

/* Once for each post. A key that nobody asked for has to be right all the same. */
static bool find_publisher(const struct publish_service *service,
                           const struct publish_request *post, char user[USER_ID_SIZE],
                           struct publish_fault *fault)
{
    user[0] = '\0';
    if (post->bind_key == NULL)
        return true;
    *fault = (struct publish_fault){.status = 400, .reason = "Bind keys are not configured"};
    if (service->bind_keys == NULL)
        return false;
    fault->reason = "Invalid Bind Key";
    return bind_key_read(service->bind_keys, post->bind_key, post->bind_key_length,
                         clock_wall_ms() / 1000, user);
}

static bool authorise_points(const struct publish_service *service,
                             const struct publish_request *post, struct point_decision *decisions,
                             struct publish_fault *fault)
{
    char user[USER_ID_SIZE];
    if (!find_publisher(service, post, user, fault))
        return false;
    const char *publisher = user[0] != '\0' ? user : NULL;
    for (size_t i = 0; i < post->count; i++) {
        if (!authorise_point(service->authority, &post->points[i], publisher, &decisions[i], fault))
            return false;
    }
    return true;
}

/* All is decided before anything is published. */
static void handle_post(struct publish_service *service, struct handler_request *request,
                        const struct publish_request *post)
{
    struct publish_fault fault;
    struct point_decision *decisions = calloc(post->count, sizeof *decisions);
    if (decisions == NULL) {
        (void)handler_reply_send_error(request, 500, "Out of memory", NULL, NULL);
        return;
    }
    if (authorise_points(service, post, decisions, &fault))
        publish(service, request, post, decisions);
    else
        publish_answer_fault(request, &fault);
    for (size_t i = 0; i < post->count; i++)
        bytes_free(&decisions[i].allowed);
    free(decisions);
}

static void handle_body(struct publish_service *service, struct handler_request *request,
                        uint64_t token, const struct bytes *body)
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
        publish_answer_fault(request, &fault);
        return;
    }
    post.token = token;
    handle_post(service, request, &post);
    publish_request_free(&post);
}

/* ---- the request ---- */

/* False when the request has no valid token. */
static bool find_token(const struct publish_service *service, const struct handler_request *request,
                       uint64_t *id)
{
    const struct secret_list *tokens = &service->settings->tokens;
    const char *bearer = handler_request_bearer(request);
    struct bytes value = BYTES_EMPTY;
    size_t place = tokens->count;
    if (handler_request_query(request, "token", &value))
        place = secret_list_find(tokens, value.data, value.length);
    if (place == tokens->count && bearer != NULL)
        place = secret_list_find(tokens, bearer, strlen(bearer));
    bytes_free(&value);
    if (place == tokens->count)
        return false;
    *id = service->settings->token_ids[place];
    return true;
}

void publish_event_handle(struct publish_service *service, struct handler_request *request)
{
    const char *method = handler_request_variable(request, "REQUEST_METHOD");
    if (method != NULL && strcmp(method, "OPTIONS") == 0) {
        handler_reply_send_preflight(request);
        return;
    }
    uint64_t token;
    if (!find_token(service, request, &token)) {
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
    if (!handler_reply_refuse_body(request, verdict))
        handle_body(service, request, token, &body);
    bytes_free(&body);
}
