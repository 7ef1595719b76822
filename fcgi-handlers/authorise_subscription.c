#include "authorise_subscription.h"

#include "subscription_query.h"
#include "topic.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

const char AUTHORISE_NO_MEMORY[] = "Out of memory";

/* What a ticket's text may not hold, since it is handed on as a text that NUL ends. */
static bool has_nul(const json_t *text)
{
    return memchr(json_string_value(text), '\0', json_string_length(text)) != NULL;
}

static bool is_given(const json_t *value)
{
    return value != NULL && !json_is_null(value);
}

/* ---- topics ---- */

static const char *read_topic(struct ticket_topic *topic, const json_t *point,
                              const struct config *config)
{
    const json_t *name = point;
    if (json_is_object(point)) {
        name = json_object_get(point, "topic");
        if (name == NULL)
            return "Topic missing";
        topic->bound = json_is_true(json_object_get(point, "binded"));
    } else if (!json_is_string(point)) {
        return "Invalid Event Point";
    }
    if (!json_is_string(name))
        return "Topic should be a string";
    topic->topic = json_string_value(name);
    topic->length = json_string_length(name);
    return topic_fault(topic->topic, topic->length, (size_t)config->max_topic_length,
                       (size_t)config->max_topic_levels);
}

static const char *read_topics(struct subscription *subscription, const json_t *points,
                               const struct config *config)
{
    size_t count = json_array_size(points);
    if (!json_is_array(points))
        return "Event Points should be an array";
    if (count > config->max_topics)
        return "Too many Event Points";
    subscription->topics = calloc(count > 0 ? count : 1, sizeof *subscription->topics);
    if (subscription->topics == NULL)
        return AUTHORISE_NO_MEMORY;
    subscription->topic_count = count;
    for (size_t i = 0; i < count; i++) {
        struct ticket_topic *topic = &subscription->topics[i];
        const char *fault = read_topic(topic, json_array_get(points, i), config);
        if (fault != NULL)
            return fault;
        subscription->bound = subscription->bound || topic->bound;
    }
    return NULL;
}

/* ---- who it is ---- */

static const char *read_clid(struct subscription *subscription, const json_t *clid,
                             const struct config *config)
{
    if (!is_given(clid))
        return NULL;
    if (!json_is_string(clid))
        return "Client id should be a string";
    if (has_nul(clid))
        return "Client id must not contain NUL";
    if (json_string_length(clid) > config->max_topic_length)
        return "Client id is too long";
    if (strcmp(json_string_value(clid), "@TOTAL@") == 0)
        return "Reserved client id";
    subscription->clid = json_string_length(clid) > 0 ? json_string_value(clid) : NULL;
    return NULL;
}

static const char *read_past(struct subscription *subscription)
{
    const json_t *last_id = json_object_get(subscription->json, "last_id");
    const json_t *connid = json_object_get(subscription->json, "connid");
    const json_t *secret = json_object_get(subscription->json, "secret");
    if (is_given(last_id)) {
        if (!json_is_string(last_id))
            return "Last id should be a string";
        if (has_nul(last_id))
            return "Last id must not contain NUL";
        subscription->last_id = json_string_value(last_id);
    }
    if (json_is_integer(connid) && json_integer_value(connid) > 0 && json_is_string(secret) &&
        !has_nul(secret)) {
        subscription->connid = (uint64_t)json_integer_value(connid);
        subscription->secret = json_string_value(secret);
    }
    return NULL;
}

static const char *read_wait(struct subscription *subscription)
{
    const json_t *wait = json_object_get(subscription->json, "wait");
    subscription->has_wait = is_given(wait);
    if (!subscription->has_wait)
        return NULL;
    if (!json_is_integer(wait) || json_integer_value(wait) < 0)
        return "wait should be a number of milliseconds";
    subscription->wait_ms = (uint64_t)json_integer_value(wait);
    return NULL;
}

static const char *read_bind_key(struct subscription *subscription)
{
    const json_t *key = json_object_get(subscription->json, "bind_key");
    if (!is_given(key))
        return subscription->bound ? "Bound topics need a bind key" : NULL;
    if (!json_is_string(key))
        return "Invalid Bind Key";
    subscription->bind_key = json_string_value(key);
    subscription->bind_key_length = json_string_length(key);
    return NULL;
}

/* ---- the whole ---- */

static const char *read_json(struct subscription *subscription, json_t *json,
                             const struct config *config)
{
    *subscription = (struct subscription){.json = json};
    if (json == NULL || json_is_null(json))
        return "Invalid JSON in body";
    if (!json_is_object(json))
        return "Event Points should be an array";
    const char *fault = read_clid(subscription, json_object_get(json, "clid"), config);
    if (fault == NULL)
        fault = read_past(subscription);
    if (fault == NULL)
        fault = read_wait(subscription);
    if (fault == NULL)
        fault = read_topics(subscription, json_object_get(json, "ep"), config);
    return fault != NULL ? fault : read_bind_key(subscription);
}

const char *authorise_subscription_read(struct subscription *subscription, const char *text,
                                        size_t length, const struct config *config)
{
    return read_json(subscription, json_loadb(text, length, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL),
                     config);
}

const char *authorise_subscription_read_query(struct subscription *subscription, const char *query,
                                              const struct config *config)
{
    json_t *json = json_object();
    const char *fault = subscription_query_read(json, query);
    const char *fault_in_json = read_json(subscription, json, config);
    if (fault == NULL && subscription->topic_count == 0)
        fault = fault_in_json != NULL ? fault_in_json : "Topic missing";
    return fault != NULL ? fault : fault_in_json;
}

void authorise_subscription_free(struct subscription *subscription)
{
    free(subscription->topics);
    json_decref(subscription->json);
    *subscription = (struct subscription){0};
}

struct ticket authorise_subscription_ticket(const struct subscription *subscription,
                                            const char *user)
{
    return (struct ticket){
        .user = user,
        .topics = subscription->topics,
        .topic_count = subscription->topic_count,
        .clid = subscription->clid,
        .last_id = subscription->last_id,
    };
}
