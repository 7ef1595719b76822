#include "subscription_body.h"

#include "presence.h"
#include "topic.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char *read_topic(const json_t *point, const struct config *config,
                              struct subscription_topic *topic)
{
    const json_t *name = point;

    if (json_is_object(point)) {
        name = json_object_get(point, "topic");
        if (!name)
            return "Topic missing";
        if (json_is_true(json_object_get(point, "binded")))
            return "Bound topics need a bind key";
    } else if (!json_is_string(point)) {
        return "Invalid Event Point";
    }
    if (!json_is_string(name))
        return "Topic should be a string";
    topic->text = json_string_value(name);
    topic->length = json_string_length(name);
    return topic_fault(topic->text, topic->length, config->max_topic_length,
                       config->max_topic_levels);
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
static bool drop_doubles(struct subscription_body *body)
{
    struct subscription_topic **sorted;
    size_t kept = 0;

    if (body->topic_count < 2)
        return true;
    sorted = malloc(body->topic_count * sizeof *sorted);
    if (!sorted)
        return false;
    for (size_t i = 0; i < body->topic_count; i++)
        sorted[i] = &body->topics[i];
    qsort(sorted, body->topic_count, sizeof *sorted, compare_topics);
    for (size_t i = 1, first = 0; i < body->topic_count; i++) {
        if (same_topic(sorted[first], sorted[i]))
            sorted[i]->text = NULL;
        else
            first = i;
    }
    free(sorted);
    for (size_t i = 0; i < body->topic_count; i++)
        if (body->topics[i].text)
            body->topics[kept++] = body->topics[i];
    body->topic_count = kept;
    return true;
}

static const char *read_topics(struct subscription_body *body, const json_t *points,
                               const struct config *config)
{
    size_t count = json_array_size(points);
    const char *fault;

    if (!json_is_array(points))
        return "Event Points should be an array";
    if (count > config->max_topics)
        return "Too many Event Points";
    body->topics = calloc(count ? count : 1, sizeof *body->topics);
    if (!body->topics)
        return SUBSCRIPTION_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        fault = read_topic(json_array_get(points, i), config, &body->topics[i]);
        if (fault)
            return fault;
    }
    body->topic_count = count;
    return drop_doubles(body) ? NULL : SUBSCRIPTION_NO_MEMORY;
}

static const char *read_clid(struct subscription_body *body, const json_t *clid,
                             const struct config *config)
{
    body->clid = PRESENCE_ANONYMOUS;
    body->clid_length = strlen(PRESENCE_ANONYMOUS);
    if (!clid || json_is_null(clid))
        return NULL;
    if (!json_is_string(clid))
        return "Client id should be a string";
    if (json_string_length(clid) == 0)
        return NULL;
    body->clid = json_string_value(clid);
    body->clid_length = json_string_length(clid);
    if (memchr(body->clid, '\0', body->clid_length))
        return "Client id must not contain NUL";
    if (body->clid_length > config->max_topic_length)
        return "Client id is too long";
    return strcmp(body->clid, "@TOTAL@") == 0 ? "Reserved client id" : NULL;
}

/* What a client that comes back says of itself: where it was, and, for its whispers, who it was. */
static const char *read_past(struct subscription_body *body)
{
    const json_t *last_id = json_object_get(body->json, "last_id");
    const json_t *connid = json_object_get(body->json, "connid");
    const json_t *secret = json_object_get(body->json, "secret");

    if (last_id && !json_is_null(last_id)) {
        if (!json_is_string(last_id))
            return "Last id should be a string";
        body->last_id = json_string_value(last_id);
        body->last_id_length = json_string_length(last_id);
    }
    if (json_is_integer(connid) && json_integer_value(connid) > 0 && json_is_string(secret)) {
        body->connid = (uint64_t)json_integer_value(connid);
        body->secret = json_string_value(secret);
    }
    return NULL;
}

static const char *read_wait(struct subscription_body *body)
{
    const json_t *wait = json_object_get(body->json, "wait");

    body->has_wait = wait && !json_is_null(wait);
    if (!body->has_wait)
        return NULL;
    if (!json_is_integer(wait) || json_integer_value(wait) < 0)
        return "wait should be a number of milliseconds";
    body->wait_ms = (uint64_t)json_integer_value(wait);
    return NULL;
}

const char SUBSCRIPTION_HAS_BIND_KEY[] = "Bind keys are not accepted here";
const char SUBSCRIPTION_NO_MEMORY[] = "Out of memory";

const char *subscription_body_read(struct subscription_body *body, const char *text, size_t length,
                                   const struct config *config)
{
    return subscription_body_read_json(
        body, json_loadb(text, length, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL), config);
}

const char *subscription_body_read_json(struct subscription_body *body, json_t *json,
                                        const struct config *config)
{
    const json_t *bind_key;
    const char *fault;

    *body = (struct subscription_body){.json = json};
    if (!body->json || json_is_null(body->json))
        return "Invalid JSON in body";
    if (!json_is_object(body->json))
        return "Event Points should be an array";
    bind_key = json_object_get(body->json, "bind_key");
    if (bind_key && !json_is_null(bind_key))
        return SUBSCRIPTION_HAS_BIND_KEY;
    fault = read_clid(body, json_object_get(body->json, "clid"), config);
    if (!fault)
        fault = read_past(body);
    if (!fault)
        fault = read_wait(body);
    return fault ? fault : read_topics(body, json_object_get(body->json, "ep"), config);
}

static const char *take_ticket_topics(struct subscription_body *body, const struct ticket *ticket,
                                      const struct config *config)
{
    if (ticket->topic_count > config->max_topics)
        return "Too many Event Points";
    body->topics = calloc(ticket->topic_count ? ticket->topic_count : 1, sizeof *body->topics);
    if (!body->topics)
        return SUBSCRIPTION_NO_MEMORY;
    for (size_t i = 0; i < ticket->topic_count; i++) {
        const struct ticket_topic *topic = &ticket->topics[i];
        const char *fault = topic_fault(topic->topic, topic->length, config->max_topic_length,
                                        config->max_topic_levels);
        if (fault)
            return fault;
        body->topics[i] = (struct subscription_topic){
            topic->topic, topic->length, topic->bound ? SUBSCRIPTION_BOUND : SUBSCRIPTION_OPEN};
        if (topic->bound && strcmp(topic->topic, AUDIENCE_INBOX_TOPIC) == 0)
            body->topics[i].kind = SUBSCRIPTION_INBOX;
    }
    body->topic_count = ticket->topic_count;
    return drop_doubles(body) ? NULL : SUBSCRIPTION_NO_MEMORY;
}

const char *subscription_body_from_ticket(struct subscription_body *body,
                                          const struct ticket *ticket, const struct config *config)
{
    *body = (struct subscription_body){.clid = PRESENCE_ANONYMOUS, .user = ticket->user};
    if (ticket->clid && *ticket->clid)
        body->clid = ticket->clid;
    body->clid_length = strlen(body->clid);
    if (body->clid_length > config->max_topic_length)
        return "Client id is too long";
    if (strcmp(body->clid, "@TOTAL@") == 0)
        return "Reserved client id";
    if (ticket->last_id) {
        body->last_id = ticket->last_id;
        body->last_id_length = strlen(ticket->last_id);
    }
    return take_ticket_topics(body, ticket, config);
}

void subscription_body_free(struct subscription_body *body)
{
    free(body->topics);
    json_decref(body->json);
    *body = (struct subscription_body){0};
}
