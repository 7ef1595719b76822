#include "publish_post.h"

#include "clock.h"

#include <stdlib.h>
#include <string.h>

_Static_assert((int)FAULT_LOG_SIZE >= (int)BIND_KEY_WHY_SIZE, "it has to fit");

static const struct publish_fault no_memory = {.status = 500, .reason = "Out of memory"};

static bool fail_for_memory(struct publish_post *post)
{
    post->fault = no_memory;
    return false;
}

static bool refuse_for_memory(struct publish_post *post)
{
    post->refused = true;
    return fail_for_memory(post);
}

/* A report says who listens. */
static bool may_report(struct publish_post *post)
{
    if (!post->asked.reported || (post->publisher->may & PUBLISHER_MAY_REPORT) != 0)
        return true;
    post->fault = (struct publish_fault){.status = 403,
                                         .reason = "Not yours",
                                         .detail = "`may` of the publisher does not have report"};
    post->refused = true;
    return false;
}

bool publish_post_read(struct publish_post *post, const struct publish_judge *judge,
                       const struct publisher *publisher, const char *body, size_t length,
                       const struct bytes *id)
{
    const struct config *config = judge->config;
    const struct publish_limits limits = {
        .max_depth = (unsigned)config->max_depth,
        .max_event_points = (size_t)config->max_event_points,
        .max_users = (size_t)config->max_users,
        .max_value = (size_t)(config->log_max_kept / 2),
        .max_topic_length = (size_t)config->max_topic_length,
        .max_topic_levels = (size_t)config->max_topic_levels,
        .max_within_ms = config->report_time,
        .without_within = config->bus_engine == CONFIG_BUS_REDIS,
    };
    *post =
        (struct publish_post){.publisher = publisher,
                              .of_several_daemons = judge->config->bus_engine == CONFIG_BUS_REDIS};
    post->refused = !publish_request_parse(&post->asked, body, length, &limits, &post->fault);
    if (post->refused || !may_report(post))
        return false;
    post->asked.token = publisher->id;
    if (id->length > 0 && !post->asked.has_id &&
        !publish_request_give_id(&post->asked, id->data, id->length))
        return refuse_for_memory(post);
    return true;
}

/* ---- who may ---- */

/* Once for each post. A key that nobody asked for has to be right all the same. */
static bool find_user(const struct publish_judge *judge, struct publish_post *post)
{
    const struct publish_request *asked = &post->asked;
    post->user[0] = '\0';
    if (asked->bind_key == NULL)
        return true;
    post->fault = (struct publish_fault){.status = 400, .reason = "Bind keys are not configured"};
    if (judge->bind_keys == NULL)
        return false;
    post->fault.reason = "Invalid Bind Key";
    return bind_key_read(judge->bind_keys, asked->bind_key, asked->bind_key_length,
                         post->proof_s != 0 ? post->proof_s : clock_wall_ms() / 1000, post->user,
                         post->fault.log);
}

static bool authorise_points(const struct publish_judge *judge, struct publish_post *post)
{
    struct publish_request *asked = &post->asked;
    post->decisions = calloc(asked->count, sizeof *post->decisions);
    if (post->decisions == NULL)
        return fail_for_memory(post);
    if (!find_user(judge, post))
        return false;
    const char *known = post->user[0] != '\0' ? post->user : NULL;
    for (size_t i = 0; i < asked->count; i++) {
        if (!authorise_point(judge->authority, &asked->points[i], post->publisher, known,
                             &post->decisions[i], &post->fault))
            return false;
    }
    return !asked->has_id || publish_request_make_keys(asked, known) || fail_for_memory(post);
}

/* Refuses the post, or counts the events that it may publish. */
static void authorise(const struct publish_judge *judge, struct publish_post *post)
{
    post->event_count = 0;
    if (post->refused)
        return;
    post->refused = !authorise_points(judge, post);
    for (size_t i = 0; !post->refused && i < post->asked.count; i++)
        post->event_count += post->decisions[i].result == POINT_GRANTED;
    if (judge->whole && post->event_count < post->asked.count)
        post->event_count = 0;
}

/* ---- publishing ---- */

static void fill_event(struct bus_event *event, const struct publish_post *of,
                       const struct publish_point *point, const struct point_decision *decision)
{
    const struct publish_request *post = &of->asked;

    *event = (struct bus_event){.topic = point->topic,
                                .topic_length = point->topic_length,
                                .whisper = point->whisper,
                                .token = post->token,
                                .within = post->within_ms,
                                .rate = of->publisher->rate,
                                .allowed = decision->allowed.data,
                                .allowed_length = decision->allowed.length,
                                .event = post->event.data,
                                .event_length = post->event.length};
    event->flags =
        (uint16_t)(decision->flags | (point->wildcard ? ENVELOPE_PATTERN : 0) |
                   (point->whispered ? ENVELOPE_WHISPER : 0) |
                   (point->excepts ? ENVELOPE_EXCEPT : 0) | (post->reported ? ENVELOPE_REPORT : 0) |
                   (post->within_ms > 0 ? ENVELOPE_WITHIN : 0) |
                   (point->keeps ? ENVELOPE_KEEP : 0) |
                   (point->keeps && post->forgets ? ENVELOPE_FORGET : 0) |
                   (post->has_id ? ENVELOPE_HAS_POST_KEY : 0));
    memcpy(event->post_key, point->post_key, sizeof event->post_key);
}

static void fill_events(struct publish_post *post, struct bus_event *events)
{
    post->events = events;
    for (size_t i = 0; i < post->asked.count && post->event_count > 0; i++) {
        if (post->decisions[i].result == POINT_GRANTED)
            fill_event(events++, post, &post->asked.points[i], &post->decisions[i]);
    }
}

/* All is decided before anything is published. */
void publish_posts_serve(struct publish_post **posts, size_t count,
                         const struct publish_judge *judge, struct bus_event **events)
{
    size_t event_count = 0, at = 0;
    for (size_t i = 0; i < count; i++) {
        authorise(judge, posts[i]);
        event_count += posts[i]->event_count;
    }
    *events = calloc(event_count + 1, sizeof **events);
    for (size_t i = 0; i < count; i++) {
        if (*events == NULL && !posts[i]->refused)
            (void)refuse_for_memory(posts[i]);
        if (posts[i]->refused)
            continue;
        fill_events(posts[i], *events + at);
        at += posts[i]->event_count;
    }
    if (*events != NULL && event_count > 0)
        publish_queue_send(judge->queue, *events, event_count);
}

struct publish_outcome publish_post_outcome(const struct publish_post *post)
{
    return (struct publish_outcome){.publisher = post->publisher,
                                    .post = &post->asked,
                                    .decisions = post->decisions,
                                    .events = post->events,
                                    .event_count = post->event_count,
                                    .of_several_daemons = post->of_several_daemons};
}

void publish_post_free(struct publish_post *post)
{
    for (size_t i = 0; post->decisions != NULL && i < post->asked.count; i++)
        bytes_free(&post->decisions[i].allowed);
    free(post->decisions);
    post->decisions = NULL;
    publish_request_free(&post->asked);
}
