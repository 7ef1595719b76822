#include "requests/subscription_body.h"

#include "streams/presence.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char *read_clid(struct subscription_body *body, const json_t *clid,
                             const struct config *config)
{
    body->clid = PRESENCE_ANONYMOUS;
    body->clid_length = strlen(PRESENCE_ANONYMOUS);
    if (clid == NULL || json_is_null(clid))
        return NULL;
    if (!json_is_string(clid))
        return "Client id should be a string";
    if (json_string_length(clid) == 0)
        return NULL;
    body->clid = json_string_value(clid);
    body->clid_length = json_string_length(clid);
    if (memchr(body->clid, '\0', body->clid_length) != NULL)
        return "Client id must not contain NUL";
    if (body->clid_length > config->max_topic_length)
        return "Client id is too long";
    return strcmp(body->clid, "@TOTAL@") == 0 ? "Reserved client id" : NULL;
}

void subscription_body_read_former_self(struct subscription_body *body, const json_t *json)
{
    const json_t *connid = json_object_get(json, "connid");
    const json_t *secret = json_object_get(json, "secret");

    if (json_is_integer(connid) && json_integer_value(connid) > 0 && json_is_string(secret)) {
        body->connid = (uint64_t)json_integer_value(connid);
        body->secret = json_string_value(secret);
    }
}

static const char *read_past(struct subscription_body *body)
{
    const json_t *last_id = json_object_get(body->json, "last_id");

    if (last_id == NULL || json_is_null(last_id))
        return NULL;
    if (!json_is_string(last_id))
        return "Last id should be a string";
    body->last_id = json_string_value(last_id);
    body->last_id_length = json_string_length(last_id);
    return NULL;
}

static const char *read_wait(struct subscription_body *body)
{
    const json_t *wait = json_object_get(body->json, "wait");

    body->has_wait = wait != NULL && !json_is_null(wait);
    if (!body->has_wait)
        return NULL;
    if (!json_is_integer(wait) || json_integer_value(wait) < 0)
        return "wait should be a number of milliseconds";
    body->wait_ms = (uint64_t)json_integer_value(wait);
    return NULL;
}

const char SUBSCRIPTION_HAS_BIND_KEY[] = "Bind keys are not accepted here";

const char *subscription_body_read(struct subscription_body *body, const char *text, size_t length,
                                   const struct config *config)
{
    return subscription_body_read_json(
        body, json_loadb(text, length, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL), config);
}

const char *subscription_body_read_json(struct subscription_body *body, json_t *json,
                                        const struct config *config)
{
    *body = (struct subscription_body){.json = json};
    if (body->json == NULL || json_is_null(body->json))
        return "Invalid JSON in body";
    if (!json_is_object(body->json))
        return "Event Points should be an array";
    const json_t *bind_key = json_object_get(body->json, "bind_key");
    if (bind_key != NULL && !json_is_null(bind_key))
        return SUBSCRIPTION_HAS_BIND_KEY;
    const char *fault = read_clid(body, json_object_get(body->json, "clid"), config);
    if (fault == NULL)
        fault = read_past(body);
    if (fault == NULL)
        fault = read_wait(body);
    subscription_body_read_former_self(body, body->json);
    return fault != NULL ? fault
                         : requested_topics_read(&body->topics, &body->topic_count,
                                                 json_object_get(body->json, "ep"), false, config);
}

const char *subscription_body_from_ticket(struct subscription_body *body,
                                          const struct ticket *ticket, const struct config *config)
{
    *body = (struct subscription_body){.clid = PRESENCE_ANONYMOUS, .user = ticket->user};
    if (ticket->clid != NULL && *ticket->clid)
        body->clid = ticket->clid;
    body->clid_length = strlen(body->clid);
    if (body->clid_length > config->max_topic_length)
        return "Client id is too long";
    if (strcmp(body->clid, "@TOTAL@") == 0)
        return "Reserved client id";
    if (ticket->last_id != NULL) {
        body->last_id = ticket->last_id;
        body->last_id_length = strlen(ticket->last_id);
    }
    return requested_topics_from_ticket(&body->topics, &body->topic_count, ticket, config);
}

void subscription_body_free(struct subscription_body *body)
{
    free(body->topics);
    json_decref(body->json);
    *body = (struct subscription_body){0};
}
