#include "row_posts.h"

#include "authorise_point.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- outcomes ---- */

/* Never ends within a character: a database refuses half of one. */
static void cut_at_character(char *words, size_t length)
{
    while (length > 0 && ((unsigned char)words[length] & 0xc0) == 0x80)
        length--;
    words[length] = '\0';
}

static void __attribute__((format(printf, 2, 3)))
refuse(struct row_outcome *outcome, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(outcome->words, sizeof outcome->words, format, arguments);
    va_end(arguments);
    outcome->verdict = ROW_REFUSED;
    if (length >= (int)sizeof outcome->words)
        cut_at_character(outcome->words, sizeof outcome->words - 1);
}

static void judge_fault(struct row_outcome *outcome, const struct publish_fault *fault)
{
    if (fault->status >= 500) {
        outcome->verdict = ROW_HELD;
        return;
    }
    refuse(outcome, "%d %s%s%s%s%s%s", fault->status, fault->reason,
           fault->detail != NULL ? ": " : "", fault->detail != NULL ? fault->detail : "",
           fault->log[0] != '\0' ? " (" : "", fault->log, fault->log[0] != '\0' ? ")" : "");
}

static void refuse_point(struct row_outcome *outcome, const struct publish_outcome *published)
{
    for (size_t i = 0; i < published->post->count; i++) {
        enum point_result result = published->decisions[i].result;
        if (result == POINT_GRANTED)
            continue;
        if (result == POINT_LIMITED)
            outcome->verdict = ROW_HELD;
        else
            refuse(outcome, "403 %s: %s", point_result_word(result),
                   published->post->points[i].topic);
        return;
    }
}

static bool is_away(const struct bus_event *event)
{
    return !event->acknowledged || ack_is_overload(event->ack.status);
}

static void judge_events(struct row_outcome *outcome, const struct publish_outcome *published)
{
    outcome->verdict = ROW_DONE;
    for (size_t i = 0; i < published->event_count; i++) {
        const struct bus_event *event = &published->events[i];
        if (is_away(event)) {
            outcome->verdict = ROW_AWAY;
            return;
        }
        if (event->ack.status == ACK_LIMITED) {
            outcome->verdict = ROW_HELD;
            if (event->ack.wait_ms > outcome->wait_ms)
                outcome->wait_ms = event->ack.wait_ms;
        } else if (event->ack.status == ACK_OTHER && outcome->verdict == ROW_DONE) {
            refuse(outcome, "409 The id is that of another event");
        } else if (event->ack.status == ACK_TOPIC && outcome->verdict == ROW_DONE) {
            refuse(outcome, "422 The topic is over the daemon's limits: %s", event->topic);
        }
    }
}

/* ---- posts ---- */

/* Known by an id of its own, or else by the row's. */
static void read_body(struct publish_post *post, const struct publish_judge *judge,
                      const struct publisher *publisher, const struct outbox_row *row)
{
    struct bytes id = BYTES_EMPTY;
    bytes_append_text(&id, "outbox-");
    bytes_append_number(&id, row->id);
    bytes_append_text(&id, "-");
    bytes_append(&id, row->post_key.text, row->post_key.length);
    if (id.failed)
        post->fault = (struct publish_fault){.status = 500, .reason = "Out of memory"};
    else
        (void)publish_post_read(post, judge, publisher, row->body.text, row->body.length, &id);
    bytes_free(&id);
}

static void read_row(struct publish_post *post, const struct outbox_settings *settings,
                     const struct publish_judge *judge, const struct outbox_row *row)
{
    const struct publisher *publisher = outbox_settings_find(settings, &row->publisher);
    *post = (struct publish_post){.refused = true};
    if (publisher == NULL)
        post->fault = (struct publish_fault){
            .status = 403, .reason = "Publisher is not one of [outbox] publishers"};
    else if (row->body.length > judge->config->max_event_body)
        post->fault = (struct publish_fault){.status = 413,
                                             .reason = "Body is larger than [publish] max_body"};
    else
        read_body(post, judge, publisher, row);
    post->proof_s = row->created_ms / 1000;
}

static void judge_post(struct row_outcome *outcome, const struct publish_post *post)
{
    const struct publish_outcome published = publish_post_outcome(post);
    *outcome = (struct row_outcome){.verdict = ROW_HELD};
    if (post->refused)
        judge_fault(outcome, &post->fault);
    else if (post->event_count == 0)
        refuse_point(outcome, &published);
    else
        judge_events(outcome, &published);
}

void row_posts_publish(const struct outbox_settings *settings, const struct publish_judge *judge,
                       const struct outbox_row *const *rows, size_t count,
                       struct row_outcome *outcomes)
{
    struct publish_post *posts = calloc(count, sizeof *posts);
    struct publish_post **list = calloc(count, sizeof(struct publish_post *));
    struct bus_event *events = NULL;
    for (size_t i = 0; i < count; i++)
        outcomes[i] = (struct row_outcome){.verdict = ROW_HELD};
    for (size_t i = 0; posts != NULL && list != NULL && i < count; i++) {
        read_row(&posts[i], settings, judge, rows[i]);
        list[i] = &posts[i];
    }
    if (posts != NULL && list != NULL)
        publish_posts_serve(list, count, judge, &events);
    for (size_t i = 0; posts != NULL && list != NULL && i < count; i++) {
        judge_post(&outcomes[i], &posts[i]);
        publish_post_free(&posts[i]);
    }
    free(events);
    free(list);
    free(posts);
}
