#include "publish_event.h"

#include "authorise_point.h"
#include "clock.h"
#include "drop_streams.h"
#include "event_settings.h"
#include "handler_reply.h"
#include "messages.h"
#include "publish_answer.h"
#include "publish_batch.h"
#include "publish_position.h"
#include "publish_post.h"
#include "publish_queue.h"
#include "publish_refusals.h"
#include "publish_report.h"
#include "publish_request.h"
#include "publisher_gate.h"

#include <stdlib.h>
#include <string.h>

static const char allow_header[] = "Allow: GET, POST, OPTIONS\r\n";
static const char allow_post_header[] = "Allow: POST, OPTIONS\r\n";
static const char allow_get_header[] = "Allow: GET, OPTIONS\r\n";

struct publish_shared {
    struct publish_queue *queue;
    struct authority_common *common;
};

enum post_kind { POST_EVENT, POST_BATCH, POST_DROP, POST_POSITION, POST_REPORT };

/* A request that was taken and not yet answered. */
struct post {
    struct handler_request *request;
    enum post_kind kind; /* which of these it is */
    struct publish_post post;
    struct publish_batch batch;
    struct drop_order order;
    struct report_order report;
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
    struct publish_shared *shared = calloc(1, sizeof *shared);
    if (shared == NULL)
        return NULL;
    shared->queue = publish_queue_new(&settings->bus.options, &settings->config);
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

/* ---- answering ---- */

static struct publish_judge judge_of(const struct publish_service *service)
{
    return (struct publish_judge){.config = &service->settings->config,
                                  .authority = service->authority,
                                  .bind_keys = service->bind_keys,
                                  .queue = service->queue};
}

static void answer(struct post *post, struct publish_queue *queue)
{
    const struct publish_outcome outcome = publish_post_outcome(&post->post);
    if (post->post.refused)
        publish_answer_fault(post->request, post->post.publisher, &post->post.fault);
    else
        publish_answer_outcome(post->request, &outcome);
    handler_request_finish(post->request);
    publish_refusals_tell(queue, &post->post);
    publish_post_free(&post->post);
}

static void serve(const struct publish_service *service, struct post *posts, size_t count)
{
    const struct publish_judge judge = judge_of(service);
    struct publish_post *together[PUBLISH_TOGETHER];
    struct bus_event *events = NULL;
    for (size_t i = 0; i < count; i++)
        together[i] = &posts[i].post;
    publish_posts_serve(together, count, &judge, &events);
    for (size_t i = 0; i < count; i++)
        answer(&posts[i], service->queue);
    free(events);
}

/* To be decided by private key, database and password, or by many streams; or not all here yet. */
static bool takes_time(const struct post *post)
{
    return post->kind != POST_EVENT || post->post.asked.bind_key != NULL;
}

static void serve_alone(struct publish_service *service, struct post *post)
{
    const struct publish_judge judge = judge_of(service);
    if (post->kind == POST_EVENT) {
        serve(service, post, 1);
        return;
    }
    if (post->kind == POST_DROP) {
        drop_streams_answer(&post->order, post->request, service->queue);
    } else if (post->kind == POST_POSITION) {
        publish_position_answer(post->request, service->queue);
    } else if (post->kind == POST_REPORT) {
        publish_report_answer(&post->report, post->request, service->queue);
    } else {
        publish_batch_serve(&post->batch, post->request, &judge);
        publish_batch_free(&post->batch);
    }
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

/* By which a signed post without an id of its own is known. */
static bool write_id(struct bytes *id, const struct publisher_visit *visit)
{
    if (visit->is_signed)
        publisher_gate_write_id(id, visit);
    return !id->failed;
}

static bool parse_post(const struct publish_service *service, struct post *post,
                       const struct publisher_visit *visit, const struct bytes *body)
{
    const struct publish_judge judge = judge_of(service);
    struct bytes id = BYTES_EMPTY;
    bool named = write_id(&id, visit);
    bool read = named && publish_post_read(&post->post, &judge, visit->publisher, body->data,
                                           body->length, &id);
    bytes_free(&id);
    if (!named)
        (void)handler_reply_send_error(post->request, 500, "Out of memory", NULL, NULL);
    else if (!read)
        publish_answer_fault(post->request, post->post.publisher, &post->post.fault);
    if (named && !read)
        publish_post_free(&post->post);
    return read;
}

/* The body goes over to the batch, which reads the rest of it, unless it had to be whole for its
 * signature. */
static bool begin_batch(struct post *post, const struct publisher_visit *visit, struct bytes *body)
{
    post->kind = POST_BATCH;
    post->batch.publisher = visit->publisher;
    if (!write_id(&post->batch.id, visit)) {
        (void)handler_reply_send_error(post->request, 500, "Out of memory", NULL, NULL);
        return false;
    }
    post->batch.body = *body;
    *body = BYTES_EMPTY;
    return true;
}

static bool read_whole(const struct publish_service *service, const struct post *post,
                       const struct publisher_visit *visit, bool is_batch, struct bytes *body)
{
    const struct config *config = &service->settings->config;
    uint64_t limit = is_batch ? config->max_batch_body : config->max_event_body;
    enum handler_body verdict = handler_request_read_body(post->request, (size_t)limit, body);
    if (handler_reply_refuse_body(post->request, verdict))
        return false;
    if (publisher_gate_takes_body(visit, post->request, body))
        return true;
    publish_answer_stranger(post->request, "content-digest is not the body's");
    return false;
}

static bool read_body(const struct publish_service *service, struct post *post,
                      const struct publisher_visit *visit, struct bytes *body)
{
    const struct config *config = &service->settings->config;
    enum handler_body verdict =
        handler_request_read_start(post->request, (size_t)config->max_batch_body, body);
    if (handler_reply_refuse_body(post->request, verdict))
        return false;
    bool is_batch =
        post->kind != POST_DROP && publish_batch_is(post->request, body, &post->batch.form);
    if ((!is_batch || visit->is_signed) && !read_whole(service, post, visit, is_batch, body))
        return false;
    if (post->kind == POST_DROP)
        return drop_streams_read(&post->order, post->request, visit, body, config);
    return is_batch ? begin_batch(post, visit, body) : parse_post(service, post, visit, body);
}

static bool read_post(const struct publish_service *service, struct post *post,
                      const struct publisher_visit *visit)
{
    struct bytes body = BYTES_EMPTY;
    bool read = read_body(service, post, visit, &body);
    bytes_free(&body);
    return read;
}

/* It has no body; a signature covers that too. */
static bool read_question(struct post *post, const struct publisher_visit *visit)
{
    const struct bytes nothing = BYTES_EMPTY;

    if (!publisher_gate_takes_body(visit, post->request, &nothing)) {
        publish_answer_stranger(post->request, "content-digest is not the body's");
        return false;
    }
    if (post->kind == POST_REPORT)
        return publish_report_read(&post->report, post->request, visit);
    post->kind = POST_POSITION;
    return true;
}

/* Of what is done by POST, of what is asked by GET, or of /event, which does both. */
static void refuse_method(const struct post *post)
{
    const char *allow = post->kind == POST_DROP     ? allow_post_header
                        : post->kind == POST_REPORT ? allow_get_header
                                                    : allow_header;

    (void)handler_reply_send_error(post->request, 405, "Method Not Allowed", NULL, allow);
}

static enum post_kind kind_of(const struct handler_request *request)
{
    if (drop_streams_is_asked(request))
        return POST_DROP;
    return publish_report_is_asked(request) ? POST_REPORT : POST_EVENT;
}

/* False when the request has got its answer. */
static bool read_request(const struct publish_service *service, struct post *post)
{
    struct handler_request *request = post->request;
    const char *method = handler_request_variable(request, "REQUEST_METHOD");
    bool asks = method != NULL && strcmp(method, "GET") == 0;
    bool posts = method != NULL && strcmp(method, "POST") == 0;
    struct publisher_visit visit;
    bool read = false;
    if (method != NULL && strcmp(method, "OPTIONS") == 0) {
        handler_reply_send_preflight(request);
        return false;
    }
    post->kind = kind_of(request);
    publisher_gate_begin(&visit, service->settings->publishers, &service->settings->config, request,
                         clock_wall_ms());
    if (visit.publisher == NULL)
        publish_answer_stranger(request, visit.why);
    else if (asks && post->kind != POST_DROP)
        read = read_question(post, &visit);
    else if (posts && post->kind != POST_REPORT)
        read = read_post(service, post, &visit);
    else
        refuse_method(post);
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
