#include "emit_lines.h"

#include "../fcgi-handlers/publish_post.h"
#include "bus_call.h"
#include "commands.h"
#include "input_lines.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What became of one line: the object that a batch is answered with. */
struct line_answer {
    int status;
    struct bytes text; /* a JSON object */
};

struct emit_course {
    const struct settings *settings;
    const struct http_client_request *post; /* NULL: on the bus */
    struct input_lines input;
    struct line_answer answers[INPUT_LINES_MOST];
    bool all_sent;
    /* on the bus */
    struct event_settings event;
    struct publisher publisher;
    struct publish_queue *queue;
    struct authority_common *common;
    struct publish_judge judge;
};

static const struct publish_fault too_long = {
    .status = 413, .reason = "Payload Too Large", .detail = "the line is over [publish] max_body"};

/* ---- what is said ---- */

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}

static void print_points_left(const json_t *answer)
{
    const json_t *point;
    size_t i;
    json_array_foreach(json_object_get(answer, "ep"), i, point)
    {
        if (strcmp(text_of(point, "result"), "sent") != 0)
            (void)printf("; not on %s: %s", text_of(point, "topic"), text_of(point, "result"));
    }
}

static void print_sent(size_t line, const json_t *answer)
{
    long long receivers = json_integer_value(json_object_get(answer, "receivers"));
    (void)printf("line %zu: sent to %lld %s, id %s", line, receivers,
                 receivers == 1 ? "stream" : "streams", text_of(answer, "id"));
    print_points_left(answer);
    (void)printf("\n");
}

static void print_failed(size_t line, int status, const json_t *answer)
{
    const char *detail = text_of(answer, "detail");
    (void)fflush(stdout);
    (void)fprintf(stderr, "esnctl: line %zu: %d %s%s%s\n", line, status, text_of(answer, "error"),
                  *detail != '\0' ? ": " : "", detail);
}

static void print_answer(const struct emit_course *course, size_t line,
                         const struct line_answer *answer)
{
    const struct bytes *text = &answer->text;
    if (course->settings->json) {
        (void)printf("{\"line\":%zu,%.*s\n", line, (int)text->length - 1, text->data + 1);
        return;
    }
    json_t *object = json_loadb(text->data, text->length, 0, NULL);
    if (answer->status == 200)
        print_sent(line, object);
    else
        print_failed(line, answer->status, object);
    json_decref(object);
}

/* ---- on the bus ---- */

static bool open_bus(struct emit_course *course)
{
    char error[CONFIG_ERROR_SIZE] = "out of memory";
    struct event_settings *event = &course->event;
    event->config = course->settings->config; /* borrowed */
    course->publisher = (struct publisher){.may = PUBLISHER_MAY_ALL};
    bool good = bus_config_load(&event->bus, &event->config, BUS_HANDLER, error) &&
                acl_config_load(&event->acl, &event->config, error);
    if (good) {
        course->queue = publish_queue_new(&event->bus.options, &event->config);
        course->common = authority_common_open(&event->config);
        course->judge = (struct publish_judge){.config = &event->config, .queue = course->queue};
        good = course->queue != NULL && course->common != NULL &&
               event_settings_open_bind_keys(event, &course->judge.bind_keys, error);
    }
    if (good) {
        course->judge.authority = authority_open(event, course->common, error);
        good = course->judge.authority != NULL;
    }
    if (!good)
        (void)command_fail("%s", error);
    return good;
}

static void close_bus(struct emit_course *course)
{
    bind_key_reader_close(&course->judge.bind_keys);
    authority_close(&course->judge.authority);
    authority_common_close(&course->common);
    publish_queue_free(&course->queue);
    bus_config_free(&course->event.bus);
    acl_config_free(&course->event.acl);
}

static void answer_from_bus(struct line_answer *answer, const struct publish_post *post)
{
    if (post->refused) {
        answer->status = post->fault.status;
        publish_words_add_fault(&answer->text, &post->fault);
        return;
    }
    const struct publish_outcome outcome = publish_post_outcome(post);
    answer->status = publish_words_add_outcome(&answer->text, &outcome);
}

static void read_post(struct publish_post *post, const struct emit_course *course,
                      const struct input_line *line)
{
    const struct bytes no_id = BYTES_EMPTY;
    if (!line->too_long) {
        (void)publish_post_read(post, &course->judge, &course->publisher, line->text, line->length,
                                &no_id);
        return;
    }
    *post = (struct publish_post){.refused = true, .fault = too_long};
}

static bool publish_on_bus(struct emit_course *course, size_t count)
{
    struct publish_post posts[INPUT_LINES_MOST], *list[INPUT_LINES_MOST];
    struct bus_event *events = NULL;
    for (size_t i = 0; i < count; i++) {
        read_post(&posts[i], course, &course->input.lines[i]);
        list[i] = &posts[i];
    }
    publish_posts_serve(list, count, &course->judge, &events);
    for (size_t i = 0; i < count; i++) {
        answer_from_bus(&course->answers[i], &posts[i]);
        publish_post_free(&posts[i]);
    }
    free(events);
    return true;
}

/* ---- by HTTP ---- */

static void answer_too_long(struct line_answer *answer)
{
    answer->status = too_long.status;
    publish_words_add_fault(&answer->text, &too_long);
}

/* False: it says nothing of single lines. */
static bool take_events(struct emit_course *course, size_t count, const json_t *events)
{
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        struct line_answer *answer = &course->answers[i];
        if (course->input.lines[i].too_long) {
            answer_too_long(answer);
            continue;
        }
        const json_t *event = json_array_get(events, at++);
        char *text = json_dumps(event, JSON_COMPACT);
        answer->status = (int)json_integer_value(json_object_get(event, "status"));
        if (text != NULL)
            bytes_append_text(&answer->text, text);
        free(text);
        if (answer->status == 0 || text == NULL)
            return false;
    }
    return true;
}

static bool read_answer(struct emit_course *course, size_t count,
                        const struct http_client_answer *answer)
{
    json_t *reply = json_loadb(answer->body.data, answer->body.length, 0, NULL);
    const char *detail = text_of(reply, "detail");
    bool good = false;
    if (answer->status == 404)
        (void)command_fail("404: the token is missing or wrong, or no esn-event is there");
    else if (answer->status != 200)
        (void)command_fail("%ld: %s%s%s", answer->status, text_of(reply, "error"),
                           *detail != '\0' ? ": " : "", detail);
    else if (!take_events(course, count, json_object_get(reply, "events")))
        (void)command_fail("the answer does not come from an esn-event that takes batches");
    else
        good = true;
    json_decref(reply);
    return good;
}

static bool publish_by_http(struct emit_course *course, size_t count)
{
    struct bytes body = BYTES_EMPTY;
    struct http_client_answer answer = {0};
    for (size_t i = 0; i < count; i++) {
        const struct input_line *line = &course->input.lines[i];
        if (line->too_long)
            continue;
        bytes_append(&body, line->text, line->length);
        bytes_append_text(&body, "\n");
    }
    struct http_client_request request = *course->post;
    request.content_type = "application/x-ndjson";
    request.body = body.data;
    request.body_length = body.length;
    bool good = false;
    if (body.failed)
        (void)command_fail("out of memory");
    else if (body.length == 0)
        good = take_events(course, count, NULL);
    else if (!http_client_perform(&request, &answer))
        (void)command_fail("%s", answer.error);
    else
        good = read_answer(course, count, &answer);
    http_client_answer_free(&answer);
    bytes_free(&body);
    return good;
}

/* ---- the course ---- */

/* False: nothing of it was taken, so that more is not worth trying. */
static bool print_answers(struct emit_course *course, size_t count)
{
    size_t away = 0;
    for (size_t i = 0; i < count; i++) {
        struct line_answer *answer = &course->answers[i];
        print_answer(course, course->input.lines[i].number, answer);
        course->all_sent = course->all_sent && answer->status == 200;
        away += answer->status == 503 ? 1 : 0;
    }
    (void)fflush(stdout);
    if (away < count)
        return true;
    if (course->post == NULL)
        bus_call_explain(&course->settings->config);
    (void)command_fail("nothing is taken any more: stopped after line %zu",
                       course->input.lines[count - 1].number);
    return false;
}

static bool publish_lines(struct emit_course *course, size_t count)
{
    for (size_t i = 0; i < count; i++)
        bytes_clear(&course->answers[i].text);
    bool good =
        course->post != NULL ? publish_by_http(course, count) : publish_on_bus(course, count);
    for (size_t i = 0; good && i < count; i++)
        good = !course->answers[i].text.failed || (command_fail("out of memory"), false);
    if (!good)
        (void)fprintf(stderr, "esnctl: nothing is known of lines %zu to %zu\n",
                      course->input.lines[0].number, course->input.lines[count - 1].number);
    return good && print_answers(course, count);
}

static int run_course(struct emit_course *course)
{
    for (;;) {
        int count = input_lines_next(&course->input);
        if (count < 0)
            return command_fail("standard input cannot be read: %m");
        if (count == 0)
            return course->all_sent ? COMMAND_GOOD : COMMAND_FAILED;
        if (!publish_lines(course, (size_t)count))
            return COMMAND_FAILED;
    }
}

int emit_lines(const struct settings *settings, const struct http_client_request *post)
{
    struct emit_course course = {.settings = settings, .post = post, .all_sent = true};
    course.input.descriptor = STDIN_FILENO;
    course.input.longest = (size_t)settings->config.max_event_body;
    int status = post != NULL || open_bus(&course) ? run_course(&course) : COMMAND_FAILED;
    close_bus(&course);
    for (size_t i = 0; i < INPUT_LINES_MOST; i++)
        bytes_free(&course.answers[i].text);
    bytes_free(&course.input.bytes);
    return status;
}
