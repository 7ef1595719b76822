#include "publish_event.h"

#include "authorise_point.h"
#include "clock.h"
#include "drop_streams.h"
#include "event_settings.h"
#include "handler_reply.h"
#include "messages.h"
#include "publish_answer.h"
#include "publish_queue.h"
#include "publish_request.h"
#include "publisher_gate.h"

#include <stdlib.h>
#include <string.h>

_Static_assert((int)FAULT_LOG_SIZE >= (int)BIND_KEY_WHY_SIZE, "it has to fit");

static const char allow_header[] = "Allow: POST, OPTIONS\r\n";

struct publish_shared {
    struct publish_queue *queue;
    struct authority_common *common;
};

/* A request that was taken and not yet answered. */
struct post {
    struct handler_request *request;
    const struct publisher *publisher;
    struct publish_request asked;
    struct point_decision *decisions; /* one for each event point */
    bool is_drop;                     /* an order to end streams, and nothing of what follows */
    struct drop_order order;
    bool refused;             /* it has got its answer */
    struct bus_event *events; /* of what was granted, among those of the other posts */
    size_t event_count;
};

enum { PUBLISH_TOGETHER = 16 };

struct publish_service {
    const struct event_settings *settings;
    struct publish_queue *queue;
    struct authority *authority;
    struct bind_key_reader *bind_keys; /* NULL: none are taken */
    struct post posts[PUBLISH_TOGETHER];
    size_t post_count;
};

/* ---- what is needed ---- */

static void publish_close(void *context)
{
    struct publish_shared *shared = context;
    publish_queue_free(&shared->queue);
    authority_common_close(&shared->common);
    free(shared);
}

static void *publish_open(const void *context, bool lasting)
{
    const struct event_settings *settings = context;
    struct bus_options options = event_settings_bus(settings);
    struct publish_shared *shared = calloc(1, sizeof *shared);
    if (shared == NULL)
        return NULL;
    shared->queue = publish_queue_new(&options, &settings->config);
    shared->common = authority_common_open(&settings->config);
    if (shared->queue == NULL || shared->common == NULL) {
        publish_close(shared);
        return NULL;
    }
    if (lasting)
        (void)publish_queue_connect(shared->queue);
    return shared;
}

static void publish_end(void *context)
{
    struct publish_service *service = context;
    bind_key_reader_close(&service->bind_keys);
    authority_close(&service->authority);
    free(service);
}

static bool prepare(struct publish_service *service, const struct event_settings *settings,
                    struct publish_shared *shared, char error[CONFIG_ERROR_SIZE])
{
    service->settings = settings;
    service->queue = shared->queue;
    service->authority = authority_open(settings, shared->common, error);
    return service->authority != NULL &&
           event_settings_open_bind_keys(settings, &service->bind_keys, error);
}

static void *publish_begin(const void *settings, void *shared)
{
    char error[CONFIG_ERROR_SIZE] = "out of memory";
    struct publish_service *service = calloc(1, sizeof *service);
    if (service != NULL && prepare(service, settings, shared, error))
        return service;
    message_error("cannot prepare for requests", message_text("reason", error));
    if (service != NULL)
        publish_end(service);
    return NULL;
}

/* ---- who may ---- */

/* Once for each post. A key that nobody asked for has to be right all the same. */
static bool find_user(const struct publish_service *service, const struct publish_request *post,
                      char user[USER_ID_SIZE], struct publish_fault *fault)
{
    user[0] = '\0';
    if (post->bind_key == NULL)
        return true;
    *fault = (struct publish_fault){.status = 400, .reason = "Bind keys are not configured"};
    if (service->bind_keys == NULL)
        return false;
    fault->reason = "Invalid Bind Key";
    return bind_key_read(service->bind_keys, post->bind_key, post->bind_key_length,
                         clock_wall_ms() / 1000, user, fault->log);
}

static bool authorise_points(const struct publish_service *service, struct post *post,
                             struct publish_fault *fault)
{
    struct publish_request *asked = &post->asked;
    char user[USER_ID_SIZE];
    *fault = (struct publish_fault){.status = 500, .reason = "Out of memory"};
    post->decisions = calloc(asked->count, sizeof *post->decisions);
    if (post->decisions == NULL || !find_user(service, asked, user, fault))
        return false;
    const char *known = user[0] != '\0' ? user : NULL;
    for (size_t i = 0; i < asked->count; i++) {
        if (!authorise_point(service->authority, &asked->points[i], post->publisher, known,
                             &post->decisions[i], fault))
            return false;
    }
    *fault = (struct publish_fault){.status = 500, .reason = "Out of memory"};
    return !asked->has_id || publish_request_make_keys(asked, known);
}

/* Refuses the post, or counts the events that it may publish. */
static void authorise(const struct publish_service *service, struct post *post)
{
    struct publish_fault fault;
    post->event_count = 0;
    post->refused = !authorise_points(service, post, &fault);
    if (post->refused)
        publish_answer_fault(post->request, &fault);
    for (size_t i = 0; !post->refused && i < post->asked.count; i++)
        post->event_count += post->decisions[i].result == POINT_GRANTED;
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

static void fill_events(struct post *post, struct bus_event *events)
{
    post->events = events;
    for (size_t i = 0; i < post->asked.count && post->event_count > 0; i++) {
        if (post->decisions[i].result == POINT_GRANTED)
            fill_event(events++, &post->asked, &post->asked.points[i], &post->decisions[i]);
    }
}

static void publish(const struct publish_service *service, struct post *posts, size_t count,
                    struct bus_event *events, size_t event_count)
{
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        fill_events(&posts[i], events + at);
        at += posts[i].event_count;
    }
    if (event_count > 0)
        publish_queue_send(service->queue, events, event_count);
}

static void end_post(struct post *post)
{
    handler_request_finish(post->request);
    for (size_t i = 0; post->decisions != NULL && i < post->asked.count; i++)
        bytes_free(&post->decisions[i].allowed);
    free(post->decisions);
    publish_request_free(&post->asked);
}

static void answer(const struct post *post, bool memory)
{
    const struct publish_outcome outcome = {.post = &post->asked,
                                            .decisions = post->decisions,
                                            .events = post->events,
                                            .event_count = post->event_count};
    if (post->refused)
        return;
    if (memory)
        publish_answer_outcome(post->request, &outcome);
    else
        (void)handler_reply_send_error(post->request, 500, "Out of memory", NULL, NULL);
}

/* All is decided before anything is published. */
static void serve(const struct publish_service *service, struct post *posts, size_t count)
{
    size_t event_count = 0;
    for (size_t i = 0; i < count; i++) {
        authorise(service, &posts[i]);
        event_count += posts[i].event_count;
    }
    struct bus_event *events = calloc(event_count + 1, sizeof *events);
    if (events != NULL)
        publish(service, posts, count, events, event_count);
    for (size_t i = 0; i < count; i++) {
        answer(&posts[i], events != NULL);
        end_post(&posts[i]);
    }
    free(events);
}

/* To be decided by private key, database and password, or by many streams. */
static bool takes_time(const struct post *post)
{
    return post->is_drop || post->asked.bind_key != NULL;
}

static void serve_alone(struct publish_service *service, struct post *post)
{
    if (!post->is_drop) {
        serve(service, post, 1);
        return;
    }
    drop_streams_answer(&post->order, post->request, service->queue);
    handler_request_finish(post->request);
}

static void publish_answer(void *context)
{
    struct publish_service *service = context;
    size_t count = service->post_count;
    service->post_count = 0;
    size_t apart = count > 0 && takes_time(&service->posts[count - 1]) ? 1 : 0;
    if (count > apart)
        serve(service, service->posts, count - apart);
    if (apart > 0)
        serve_alone(service, &service->posts[count - 1]);
}

/* ---- the request ---- */

static bool parse_post(const struct publish_service *service, struct post *post,
                       const struct publisher_visit *visit, const struct bytes *body)
{
    const struct config *config = &service->settings->config;
    const struct publish_limits limits = {
        .max_depth = (unsigned)config->max_depth,
        .max_event_points = (size_t)config->max_event_points,
        .max_topic_length = (size_t)config->max_topic_length,
        .max_topic_levels = (size_t)config->max_topic_levels,
    };
    struct publish_fault fault;
    if (!publish_request_parse(&post->asked, body->data, body->length, &limits, &fault)) {
        publish_answer_fault(post->request, &fault);
        return false;
    }
    struct bytes id = BYTES_EMPTY;
    if (visit->is_signed && !post->asked.has_id)
        publisher_gate_write_id(&id, visit);
    bool named = id.length == 0 || publish_request_give_id(&post->asked, id.data, id.length);
    bytes_free(&id);
    if (!named) {
        (void)handler_reply_send_error(post->request, 500, "Out of memory", NULL, NULL);
        publish_request_free(&post->asked);
    }
    post->publisher = visit->publisher;
    post->asked.token = visit->publisher->id;
    return named;
}

static bool read_post(const struct publish_service *service, struct post *post,
                      const struct publisher_visit *visit)
{
    struct bytes body = BYTES_EMPTY;
    enum handler_body verdict = handler_request_read_body(
        post->request, (size_t)service->settings->config.max_event_body, &body);
    bool read = !handler_reply_refuse_body(post->request, verdict);
    if (read && !publisher_gate_takes_body(visit, post->request, &body)) {
        publish_answer_stranger(post->request, "content-digest is not the body's");
        read = false;
    }
    if (read && post->is_drop)
        read = drop_streams_read(&post->order, post->request, visit, &body,
                                 &service->settings->config);
    else if (read)
        read = parse_post(service, post, visit, &body);
    bytes_free(&body);
    return read;
}

/* False when the request has got its answer. */
static bool read_request(const struct publish_service *service, struct post *post)
{
    struct handler_request *request = post->request;
    const char *method = handler_request_variable(request, "REQUEST_METHOD");
    struct publisher_visit visit;
    bool read = false;
    if (method != NULL && strcmp(method, "OPTIONS") == 0) {
        handler_reply_send_preflight(request);
        return false;
    }
    post->is_drop = drop_streams_is_asked(request);
    publisher_gate_begin(&visit, service->settings->publishers, &service->settings->config, request,
                         clock_wall_ms());
    if (visit.publisher == NULL)
        publish_answer_stranger(request, visit.why);
    else if (method == NULL || strcmp(method, "POST") != 0)
        (void)handler_reply_send_error(request, 405, "Method Not Allowed", NULL, allow_header);
    else
        read = read_post(service, post, &visit);
    publisher_gate_end(&visit);
    return read;
}

static bool publish_take(void *context, struct handler_request *request)
{
    struct publish_service *service = context;
    struct post *post = &service->posts[service->post_count];
    *post = (struct post){.request = request};
    if (!read_request(service, post)) {
        handler_request_finish(request);
        return true;
    }
    service->post_count++;
    return !takes_time(post);
}

const struct handler_service publish_event_service = {.open = publish_open,
                                                      .close = publish_close,
                                                      .begin = publish_begin,
                                                      .end = publish_end,
                                                      .together = PUBLISH_TOGETHER,
                                                      .take = publish_take,
                                                      .answer = publish_answer};
