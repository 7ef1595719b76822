#include "requested_topics.h"

#include "topic.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char REQUESTED_TOPICS_NO_MEMORY[] = "Out of memory";

const char *requested_topic_read(struct requested_topic *topic, const json_t *point,
                                 char fault[REQUESTED_TOPICS_FAULT_SIZE])
{
    static const char *const known[] = {"topic", "binded", "bound", NULL};
    char unknown[POINT_MEMBER_SIZE];
    const json_t *name = json_is_object(point) ? json_object_get(point, "topic") : point;
    if (!json_is_object(point) && !json_is_string(point))
        return "Invalid Event Point";
    if (name == NULL)
        return "Topic missing";
    if (!json_is_string(name))
        return "Topic should be a string";
    *topic = (struct requested_topic){.text = json_string_value(name),
                                      .length = json_string_length(name)};
    if (!json_is_object(point))
        return NULL;
    if (!point_members_are_known(point, known, unknown)) {
        (void)snprintf(fault, REQUESTED_TOPICS_FAULT_SIZE, "Unknown member of a topic: %s",
                       unknown);
        return fault;
    }
    return point_members_read_bound(point, &topic->bound) ? NULL : POINT_MEMBERS_BOUND_FAULT;
}

static const char *topic_refusal(const struct requested_topic *topic, const struct config *config)
{
    return topic_fault(topic->text, topic->length, (size_t)config->max_topic_length,
                       (size_t)config->max_topic_levels);
}

static int compare_topics(const void *a, const void *b)
{
    const struct requested_topic *left = *(const struct requested_topic *const *)a;
    const struct requested_topic *right = *(const struct requested_topic *const *)b;
    size_t shorter = left->length < right->length ? left->length : right->length;
    int order = memcmp(left->text, right->text, shorter);

    if (order == 0)
        order = (left->length > right->length) - (left->length < right->length);
    if (order == 0)
        order = (int)left->bound - (int)right->bound;
    return order ? order : (left > right) - (left < right);
}

static bool same_topic(const struct requested_topic *a, const struct requested_topic *b)
{
    return a->bound == b->bound && a->length == b->length &&
           memcmp(a->text, b->text, a->length) == 0;
}

/* Keeps the first of equal topics: an event arrives once for each requested topic, however often it
 * was requested. */
static const char *drop_doubles(struct requested_topics *topics)
{
    size_t kept = 0;
    if (topics->count < 2)
        return NULL;
    struct requested_topic **sorted = malloc(topics->count * sizeof *sorted);
    if (sorted == NULL)
        return REQUESTED_TOPICS_NO_MEMORY;
    for (size_t i = 0; i < topics->count; i++)
        sorted[i] = &topics->list[i];
    qsort(sorted, topics->count, sizeof *sorted, compare_topics);
    for (size_t i = 1, first = 0; i < topics->count; i++) {
        if (same_topic(sorted[first], sorted[i]))
            sorted[i]->text = NULL;
        else
            first = i;
    }
    free(sorted);
    for (size_t i = 0; i < topics->count; i++) {
        if (topics->list[i].text != NULL)
            topics->list[kept++] = topics->list[i];
    }
    topics->count = kept;
    return NULL;
}

static const char *make_room(struct requested_topics *topics, size_t count,
                             const struct config *config)
{
    *topics = (struct requested_topics){0};
    if (count > config->max_topics)
        return "Too many Event Points";
    topics->list = calloc(count > 0 ? count : 1, sizeof *topics->list);
    return topics->list != NULL ? NULL : REQUESTED_TOPICS_NO_MEMORY;
}

static const char *finish(struct requested_topics *topics, const char *fault)
{
    if (fault == NULL)
        fault = drop_doubles(topics);
    if (fault != NULL)
        topics->count = 0;
    return fault;
}

const char *requested_topics_read(struct requested_topics *topics, const json_t *points,
                                  bool may_be_bound, const struct config *config)
{
    size_t count = json_array_size(points);
    const char *fault = make_room(topics, count, config);
    if (!json_is_array(points))
        return "Event Points should be an array";
    for (size_t i = 0; fault == NULL && i < count; i++) {
        struct requested_topic *topic = &topics->list[topics->count++];
        fault = requested_topic_read(topic, json_array_get(points, i), topics->fault);
        if (fault == NULL && topic->bound && !may_be_bound)
            fault = "Bound topics need a bind key";
        if (fault == NULL)
            fault = topic_refusal(topic, config);
    }
    return finish(topics, fault);
}

const char *requested_topics_check(struct requested_topics *topics,
                                   const struct requested_topic *list, size_t count,
                                   const struct config *config)
{
    const char *fault = make_room(topics, count, config);
    for (size_t i = 0; fault == NULL && i < count; i++) {
        topics->list[topics->count++] = list[i];
        fault = topic_refusal(&list[i], config);
    }
    return finish(topics, fault);
}

void requested_topics_free(struct requested_topics *topics)
{
    free(topics->list);
    *topics = (struct requested_topics){0};
}
