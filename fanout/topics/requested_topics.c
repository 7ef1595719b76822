#include "topics/requested_topics.h"

#include "topic.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

const char SUBSCRIPTION_NO_MEMORY[] = "Out of memory";

static const char *take_topic(struct subscription_topic *topic, const char *text, size_t length,
                              bool bound, const struct config *config)
{
    topic->text = text;
    topic->length = length;
    topic->kind = !bound                                    ? SUBSCRIPTION_OPEN
                  : strcmp(text, AUDIENCE_INBOX_TOPIC) == 0 ? SUBSCRIPTION_INBOX
                                                            : SUBSCRIPTION_BOUND;
    return topic_fault(text, length, config->max_topic_length, config->max_topic_levels);
}

static const char *read_point(struct subscription_topic *topic, const json_t *point,
                              bool may_be_bound, const struct config *config)
{
    const json_t *name = point;
    bool bound = false;

    if (json_is_object(point)) {
        name = json_object_get(point, "topic");
        bound = json_is_true(json_object_get(point, "binded"));
        if (name == NULL)
            return "Topic missing";
    } else if (!json_is_string(point)) {
        return "Invalid Event Point";
    }
    if (bound && !may_be_bound)
        return "Bound topics need a bind key";
    if (!json_is_string(name))
        return "Topic should be a string";
    return take_topic(topic, json_string_value(name), json_string_length(name), bound, config);
}

static int compare_topics(const void *a, const void *b)
{
    const struct subscription_topic *left = *(const struct subscription_topic *const *)a;
    const struct subscription_topic *right = *(const struct subscription_topic *const *)b;
    size_t shorter = left->length < right->length ? left->length : right->length;
    int order = memcmp(left->text, right->text, shorter);

    if (order == 0)
        order = (left->length > right->length) - (left->length < right->length);
    if (order == 0)
        order = (left->kind > right->kind) - (left->kind < right->kind);
    return order ? order : (left > right) - (left < right);
}

static bool same_topic(const struct subscription_topic *a, const struct subscription_topic *b)
{
    return a->kind == b->kind && a->length == b->length && memcmp(a->text, b->text, a->length) == 0;
}

/* Keeps the first of equal topics: an event arrives once for each requested topic, however often it
 * was requested. */
static bool drop_doubles(struct subscription_topic *topics, size_t *count)
{
    size_t kept = 0;

    if (*count < 2)
        return true;
    struct subscription_topic **sorted;
    sorted = malloc(*count * sizeof *sorted);
    if (sorted == NULL)
        return false;
    for (size_t i = 0; i < *count; i++)
        sorted[i] = &topics[i];
    qsort(sorted, *count, sizeof *sorted, compare_topics);
    for (size_t i = 1, first = 0; i < *count; i++) {
        if (same_topic(sorted[first], sorted[i]))
            sorted[i]->text = NULL;
        else
            first = i;
    }
    free(sorted);
    for (size_t i = 0; i < *count; i++)
        if (topics[i].text != NULL)
            topics[kept++] = topics[i];
    *count = kept;
    return true;
}

static const char *make_room(struct subscription_topic **topics, size_t count,
                             const struct config *config)
{
    *topics = NULL;
    if (count > config->max_topics)
        return "Too many Event Points";
    *topics = calloc(count ? count : 1, sizeof **topics);
    return *topics != NULL ? NULL : SUBSCRIPTION_NO_MEMORY;
}

const char *requested_topics_read(struct subscription_topic **topics, size_t *count,
                                  const json_t *points, bool may_be_bound,
                                  const struct config *config)
{
    size_t size = json_array_size(points);
    const char *fault = make_room(topics, size, config);

    *count = 0;
    if (!json_is_array(points))
        return "Event Points should be an array";
    for (size_t i = 0; fault == NULL && i < size; i++)
        fault = read_point(&(*topics)[i], json_array_get(points, i), may_be_bound, config);
    if (fault != NULL)
        return fault;
    *count = size;
    return drop_doubles(*topics, count) ? NULL : SUBSCRIPTION_NO_MEMORY;
}

const char *requested_topics_from_ticket(struct subscription_topic **topics, size_t *count,
                                         const struct ticket *ticket, const struct config *config)
{
    const char *fault = make_room(topics, ticket->topic_count, config);

    *count = 0;
    for (size_t i = 0; fault == NULL && i < ticket->topic_count; i++)
        fault = take_topic(&(*topics)[i], ticket->topics[i].topic, ticket->topics[i].length,
                           ticket->topics[i].bound, config);
    if (fault != NULL)
        return fault;
    *count = ticket->topic_count;
    return drop_doubles(*topics, count) ? NULL : SUBSCRIPTION_NO_MEMORY;
}
