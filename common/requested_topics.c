#include "requested_topics.h"

#include "open_topics.h"
#include "topic.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char REQUESTED_TOPICS_NO_MEMORY[] = "Out of memory";

static const char inbox_topic[] = "@USER@";

static bool is_inbox(const struct requested_topic *topic)
{
    return topic->length == sizeof inbox_topic - 1 &&
           memcmp(topic->text, inbox_topic, topic->length) == 0;
}

/* An inbox is its user's, whichever of the two words asks for it. */
static const char *read_kind(struct requested_topic *topic, const json_t *point)
{
    if (!point_members_read_bound(point, &topic->bound))
        return POINT_MEMBERS_BOUND_FAULT;
    if (!point_members_read_flag(&topic->granted, json_object_get(point, "private")))
        return "private should be true or false";
    if (topic->bound && topic->granted)
        return "A topic is binded or private, not both";
    if (topic->granted && is_inbox(topic)) {
        topic->bound = true;
        topic->granted = false;
    }
    return NULL;
}

const char *requested_topic_read(struct requested_topic *topic, const json_t *point,
                                 char fault[REQUESTED_TOPICS_FAULT_SIZE])
{
    static const char *const known[] = {"topic", "binded", "bound", "private", NULL};
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
    return read_kind(topic, point);
}

const char *requested_topic_name_fault(char fault[REQUESTED_TOPICS_FAULT_SIZE], const char *what,
                                       const struct requested_topic *topic)
{
    char name[REQUESTED_TOPIC_NAME_SIZE];
    point_members_write_name(name, sizeof name, topic->text, topic->length);
    (void)snprintf(fault, REQUESTED_TOPICS_FAULT_SIZE, "%.37s: %s", what, name);
    return fault;
}

/* Why a topic may not be asked for; NULL: it may. */
static const char *topic_refusal(struct requested_topics *topics,
                                 const struct requested_topic *topic, unsigned allow,
                                 const struct config *config)
{
    bool may_be_bound = (allow & REQUESTED_TOPICS_BOUND) != 0;
    const char *fault = topic_fault(topic->text, topic->length, (size_t)config->max_topic_length,
                                    (size_t)config->max_topic_levels);
    if (fault != NULL || (allow & REQUESTED_TOPICS_GIVEN_UP) != 0)
        return fault;
    if (topic->bound)
        return may_be_bound ? NULL : "Bound topics need a bind key";
    if (topic->granted && may_be_bound)
        return NULL;
    if (topic->granted)
        return requested_topic_name_fault(topics->fault, "Private topics need a proof", topic);
    if (is_inbox(topic))
        return "Topic @USER@ should be binded or private";
    fault = open_topics_fault(config, topic->text, topic->length,
                              (allow & REQUESTED_TOPICS_PROVEN) != 0);
    return fault != NULL ? requested_topic_name_fault(topics->fault, fault, topic) : NULL;
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
    if (order == 0)
        order = (int)left->granted - (int)right->granted;
    return order ? order : (left > right) - (left < right);
}

static bool same_topic(const struct requested_topic *a, const struct requested_topic *b)
{
    return a->bound == b->bound && a->granted == b->granted && a->length == b->length &&
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
                                  unsigned allow, const struct config *config)
{
    size_t count = json_array_size(points);
    const char *fault = make_room(topics, count, config);
    if (!json_is_array(points))
        return "Event Points should be an array";
    for (size_t i = 0; fault == NULL && i < count; i++) {
        struct requested_topic *topic = &topics->list[topics->count++];
        fault = requested_topic_read(topic, json_array_get(points, i), topics->fault);
        if (fault == NULL)
            fault = topic_refusal(topics, topic, allow, config);
    }
    return finish(topics, fault);
}

const char *requested_topics_check(struct requested_topics *topics,
                                   const struct requested_topic *list, size_t count, unsigned allow,
                                   const struct config *config)
{
    const char *fault = make_room(topics, count, config);
    for (size_t i = 0; fault == NULL && i < count; i++) {
        topics->list[topics->count++] = list[i];
        fault = topic_refusal(topics, &list[i], allow, config);
    }
    return finish(topics, fault);
}

void requested_topics_free(struct requested_topics *topics)
{
    free(topics->list);
    *topics = (struct requested_topics){0};
}
