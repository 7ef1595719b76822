#include "publish_batch.h"

#include "handler_reply.h"
#include "publish_answer.h"
#include "publish_refusals.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* So many posts go to the bus in one go, or fewer that are long: all of them are in memory. */
enum { POSTS_TOGETHER = 128, BYTES_TOGETHER = 1 << 20 };

/* While one is served. */
struct course {
    struct publish_batch *batch;
    struct handler_request *request;
    const struct publish_judge *judge;
    struct batch_reader reader;
    struct publish_post *posts; /* POSTS_TOGETHER */
    size_t gathered;
    size_t gathered_bytes;
    size_t read; /* bytes of the body */
    struct bytes answers;
    size_t answered;
    bool held;          /* the daemon did not take one: those behind it are not to come before it */
    const char *fault;  /* static: why it ends here; NULL: it is good so far */
    const char *detail; /* static, or NULL */
};

bool publish_batch_is(const struct handler_request *request, const struct bytes *body,
                      enum batch_form *form)
{
    static const char lines[] = "application/x-ndjson";
    const char *type = handler_request_variable(request, "CONTENT_TYPE");
    bool has_lines = type != NULL && strncasecmp(type, lines, sizeof lines - 1) == 0 &&
                     strchr("; \t", type[sizeof lines - 1]) != NULL;
    *form = has_lines ? BATCH_LINES : BATCH_OBJECT;
    return has_lines ||
           (body->length > 0 && batch_reader_look(body->data, body->length) == BATCH_POST);
}

/* ---- answers ---- */

static const struct publish_fault behind = {.status = 503,
                                            .reason = "An event before it was not taken"};

static void answer_post(struct course *course, const struct publish_post *post)
{
    bytes_append_text(&course->answers, course->answered++ > 0 ? "," : "");
    if (post->refused) {
        publish_answer_add_fault(&course->answers, course->request, post->publisher, &post->fault);
        return;
    }
    const struct publish_outcome outcome = publish_post_outcome(post);
    int status = publish_answer_add_outcome(&course->answers, course->request, &outcome);
    course->held = course->held || status == 429 || status == 503;
}

static void answer_held(struct course *course, const struct publish_post *post)
{
    bytes_append_text(&course->answers, course->answered++ > 0 ? "," : "");
    if (post->refused)
        publish_answer_add_fault(&course->answers, course->request, post->publisher, &post->fault);
    else
        publish_words_add_fault(&course->answers, &behind);
}

static void publish_gathered(struct course *course)
{
    struct publish_post *posts[POSTS_TOGETHER];
    struct bus_event *events = NULL;
    size_t count = course->gathered;
    for (size_t i = 0; i < count; i++)
        posts[i] = &course->posts[i];
    bool held = course->held;
    if (!held)
        publish_posts_serve(posts, count, course->judge, &events);
    for (size_t i = 0; i < count; i++) {
        if (held) {
            answer_held(course, posts[i]);
        } else {
            answer_post(course, posts[i]);
            publish_refusals_tell(course->judge->queue, posts[i]);
        }
        publish_post_free(posts[i]);
    }
    free(events);
    course->gathered = course->gathered_bytes = 0;
}

/* ---- posts ---- */

static bool end_with(struct course *course, const char *fault, const char *detail)
{
    course->fault = fault;
    course->detail = detail;
    return false;
}

/* Of a signed batch each post without an id gets one, so that the batch, sent again, is doubles. */
static bool make_id(const struct course *course, struct bytes *id)
{
    const struct bytes *common = &course->batch->id;
    if (common->length == 0)
        return true;
    bytes_append(id, common->data, common->length);
    bytes_append_text(id, ".");
    bytes_append_number(id, course->reader.posts);
    return !id->failed;
}

static bool take_post(struct course *course, const char *text, size_t length)
{
    struct bytes id = BYTES_EMPTY;
    if (course->reader.posts > course->judge->config->max_events)
        return end_with(course, "Too many events in a batch",
                        "[publish] max_events: those beyond were not taken");
    bool named = make_id(course, &id);
    if (named)
        (void)publish_post_read(&course->posts[course->gathered++], course->judge,
                                course->batch->publisher, text, length, &id);
    bytes_free(&id);
    if (!named)
        return end_with(course, "Out of memory", NULL);
    course->gathered_bytes += length;
    if (course->gathered == POSTS_TOGETHER || course->gathered_bytes >= BYTES_TOGETHER)
        publish_gathered(course);
    return true;
}

/* All posts that are here. False when the batch has ended or is none any more. */
static bool take_posts(struct course *course)
{
    for (;;) {
        const char *text, *fault;
        size_t length;
        switch (batch_reader_next(&course->reader, &text, &length, &fault)) {
        case BATCH_POST:
            if (!take_post(course, text, length))
                return false;
            break;
        case BATCH_MORE:
            return true;
        case BATCH_END:
            return false;
        case BATCH_FAULT:
            return end_with(course, "Invalid batch", fault);
        }
    }
}

/* ---- bytes ---- */

static bool feed(struct course *course)
{
    struct bytes *body = &course->batch->body;
    course->read += body->length;
    if (course->read > course->judge->config->max_batch_body)
        return end_with(course, "Body too large", "[publish] max_batch_body");
    if (body->length > 0 && !batch_reader_add(&course->reader, body->data, body->length))
        return end_with(course, "Out of memory", NULL);
    bytes_clear(body);
    return take_posts(course);
}

static void read_all(struct course *course)
{
    struct bytes *body = &course->batch->body;
    bool goes_on = feed(course);
    while (goes_on && handler_request_read_more(course->request, body))
        goes_on = feed(course);
    if (!goes_on)
        return;
    /* What is not all here is refused in words, but what was published is answered all the same. */
    if (body->failed || handler_request_read_body(course->request, 0, body) == HANDLER_BODY_SHORT) {
        (void)end_with(course, body->failed ? "Out of memory" : "Body shorter than announced",
                       NULL);
        return;
    }
    batch_reader_finish(&course->reader);
    (void)take_posts(course);
}

static void answer_batch(struct course *course)
{
    struct bytes body = BYTES_EMPTY;
    bytes_append_text(&body, "{");
    if (course->fault != NULL) {
        bytes_append_format(&body, "\"error\":\"%s\",", course->fault);
        if (course->detail != NULL) {
            bytes_append_text(&body, "\"detail\":");
            bytes_append_json_string(&body, course->detail, strlen(course->detail));
            bytes_append_text(&body, ",");
        }
    }
    bytes_append_text(&body, "\"events\":[");
    if (course->answers.length > 0)
        bytes_append(&body, course->answers.data, course->answers.length);
    bytes_append_text(&body, "]}\n");
    const struct handler_reply reply = {.status = course->fault != NULL ? 400 : 200,
                                        .reason = course->fault != NULL ? "Bad Request" : "OK",
                                        .body = &body};
    body.failed = body.failed || course->answers.failed;
    (void)handler_reply_send(course->request, &reply);
    bytes_free(&body);
}

void publish_batch_serve(struct publish_batch *batch, struct handler_request *request,
                         const struct publish_judge *judge)
{
    struct course course = {.batch = batch, .request = request, .judge = judge};
    course.posts = calloc(POSTS_TOGETHER, sizeof *course.posts);
    if (course.posts == NULL) {
        (void)handler_reply_send_error(request, 500, "Out of memory", NULL, NULL);
        return;
    }
    batch_reader_begin(&course.reader, batch->form, (size_t)judge->config->max_event_body);
    read_all(&course);
    publish_gathered(&course);
    answer_batch(&course);
    batch_reader_free(&course.reader);
    bytes_free(&course.answers);
    free(course.posts);
}

void publish_batch_free(struct publish_batch *batch)
{
    bytes_free(&batch->body);
    bytes_free(&batch->id);
}
