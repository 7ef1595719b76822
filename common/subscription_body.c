#include "subscription_body.h"

#include "hex.h"
#include "json_text.h"
#include "subscription_query.h"
#include "utf8.h"

#include <jansson.h>
#include <string.h>

const char SUBSCRIPTION_HAS_BIND_KEY[] = "Bind keys are not accepted here";
const char SUBSCRIPTION_HAS_TOKEN[] = "Access tokens are not accepted here";
const char SUBSCRIPTION_TOO_HEAVY[] = "Too many values in JSON";

/* Values and names of JSON: of one topic as an object, and of all that stands beside the topics. */
enum { TOPIC_WEIGHT = 8, OTHER_WEIGHT = 100 };

enum { WITH_PROOF = REQUESTED_TOPICS_PROVEN | REQUESTED_TOPICS_BOUND };

static bool is_given(const json_t *value)
{
    return value != NULL && !json_is_null(value);
}

/* Texts are handed on as C strings. */
static bool has_nul(const json_t *text)
{
    return memchr(json_string_value(text), '\0', json_string_length(text)) != NULL;
}

/* ---- who it is ---- */

static const char *take_clid(struct subscription_body *body, const char *clid,
                             const struct config *config)
{
    if (clid == NULL || *clid == '\0')
        return NULL;
    if (strlen(clid) > config->max_topic_length)
        return "Client id is too long";
    if (strcmp(clid, "@TOTAL@") == 0)
        return "Reserved client id";
    body->clid = clid;
    return NULL;
}

static const char *read_clid(struct subscription_body *body, const struct config *config)
{
    const json_t *clid = json_object_get(body->json, "clid");
    if (!is_given(clid))
        return NULL;
    if (!json_is_string(clid))
        return "Client id should be a string";
    if (has_nul(clid))
        return "Client id must not contain NUL";
    return take_clid(body, json_string_value(clid), config);
}

static const char *read_bind_key(struct subscription_body *body, unsigned allow)
{
    const json_t *key = json_object_get(body->json, "bind_key");
    if (!is_given(key))
        return NULL;
    if ((allow & SUBSCRIPTION_PROOF) == 0)
        return SUBSCRIPTION_HAS_BIND_KEY;
    body->bind_key = json_string_value(key);
    body->bind_key_length = json_string_length(key);
    return body->bind_key != NULL ? NULL : "Invalid Bind Key";
}

static const char *read_token(struct subscription_body *body, unsigned allow)
{
    const json_t *token = json_object_get(body->json, "token");
    if (!is_given(token))
        return NULL;
    if ((allow & SUBSCRIPTION_PROOF) == 0)
        return SUBSCRIPTION_HAS_TOKEN;
    body->token = json_string_value(token);
    body->token_length = json_string_length(token);
    return body->token != NULL ? NULL : "Invalid access token";
}

void subscription_body_read_former_self(struct subscription_body *body, const json_t *json)
{
    const json_t *connid = json_object_get(json, "connid");
    const json_t *secret = json_object_get(json, "secret");
    if (json_is_integer(connid) && json_integer_value(connid) > 0 && json_is_string(secret) &&
        !has_nul(secret)) {
        body->connid = (uint64_t)json_integer_value(connid);
        body->secret = json_string_value(secret);
    }
    body->says_had = json_is_true(json_object_get(json, "report"));
}

/* ---- what it wants ---- */

static const char *read_past(struct subscription_body *body)
{
    const json_t *last_id = json_object_get(body->json, "last_id");
    if (!is_given(last_id))
        return NULL;
    if (!json_is_string(last_id))
        return "Last id should be a string";
    if (has_nul(last_id))
        return "Last id must not contain NUL";
    body->last_id = json_string_value(last_id);
    return NULL;
}

static const char *read_wait(struct subscription_body *body)
{
    const json_t *wait = json_object_get(body->json, "wait");
    body->has_wait = is_given(wait);
    if (!body->has_wait)
        return NULL;
    if (!json_is_integer(wait) || json_integer_value(wait) < 0)
        return "wait should be a number of milliseconds";
    body->wait_ms = (uint64_t)json_integer_value(wait);
    return NULL;
}

static bool is_proven(const struct subscription_body *body, unsigned allow)
{
    return body->bind_key != NULL || body->token != NULL || (allow & SUBSCRIPTION_PROVEN) != 0;
}

/* ---- the whole ---- */

const char *subscription_body_read_json(struct subscription_body *body, json_t *json,
                                        unsigned allow, const struct config *config)
{
    *body = (struct subscription_body){.json = json};
    if (body->json == NULL || json_is_null(body->json))
        return "Invalid JSON in body";
    if (!json_is_object(body->json))
        return "Event Points should be an array";
    subscription_body_read_former_self(body, body->json);
    const char *fault = read_bind_key(body, allow);
    if (fault == NULL)
        fault = read_token(body, allow);
    if (fault == NULL)
        fault = read_clid(body, config);
    if (fault == NULL)
        fault = read_past(body);
    if (fault == NULL)
        fault = read_wait(body);
    if (fault == NULL)
        fault = requested_topics_read(&body->topics, json_object_get(body->json, "ep"),
                                      is_proven(body, allow) ? WITH_PROOF : 0, config);
    return fault;
}

bool subscription_body_is_too_heavy(const char *text, size_t length, const struct config *config)
{
    return json_text_weight(text, length) > TOPIC_WEIGHT * config->max_topics + OTHER_WEIGHT;
}

const char *subscription_body_read(struct subscription_body *body, const char *text, size_t length,
                                   unsigned allow, const struct config *config)
{
    utf8_skip_mark(&text, &length);
    *body = (struct subscription_body){0};
    if (subscription_body_is_too_heavy(text, length, config))
        return SUBSCRIPTION_TOO_HEAVY;
    json_t *json = json_loadb(text, length, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
    return subscription_body_read_json(body, json, allow, config);
}

const char *subscription_body_read_query(struct subscription_body *body, const char *query,
                                         unsigned allow, const struct config *config)
{
    json_t *json = json_object();
    const char *fault = subscription_query_read(json, query);
    const char *fault_of_json = subscription_body_read_json(body, json, allow, config);
    if (fault != NULL || fault_of_json != NULL)
        return fault != NULL ? fault : fault_of_json;
    bool enough = body->topics.count > 0 || (allow & SUBSCRIPTION_TOPICS_LATER) != 0;
    return enough ? NULL : "Topic missing";
}

static void name_marked(struct bytes *out, const struct bytes *names, const struct bytes *places,
                        const struct requested_topics *topics)
{
    bytes_append(out, names->data, names->length);
    for (size_t i = 0; i < topics->count && i / 4 < places->length; i++) {
        if ((hex_value(places->data[i / 4]) >> i % 4 & 1) == 0)
            continue;
        bytes_append(out, topics->list[i].text, topics->list[i].length);
        bytes_append(out, "", 1);
    }
}

/* What a ticket says by place is said by name from here on. */
static const char *name_places(struct subscription_body *body)
{
    const struct past_rights *past = body->past;
    struct past_rights *placed = &body->placed;
    if (past == NULL || past->places.length + past->unregistered_places.length == 0)
        return NULL;
    placed->topics_known = past->topics_known;
    placed->inbox_known = past->inbox_known;
    bytes_append(&placed->inbox, past->inbox.data, past->inbox.length);
    name_marked(&placed->deaf, &past->deaf, &past->places, &body->topics);
    name_marked(&placed->unregistered, &past->unregistered, &past->unregistered_places,
                &body->topics);
    body->past = placed;
    bool failed = placed->deaf.failed || placed->unregistered.failed || placed->inbox.failed;
    return failed ? REQUESTED_TOPICS_NO_MEMORY : NULL;
}

static unsigned proven_by(const struct ticket *ticket)
{
    return ticket->user != NULL ? WITH_PROOF : 0;
}

const char *subscription_body_from_ticket(struct subscription_body *body,
                                          const struct ticket *ticket, const struct config *config)
{
    *body = (struct subscription_body){.user = ticket->user,
                                       .sid = ticket->sid,
                                       .until_ms = ticket->until_ms,
                                       .last_id = ticket->last_id,
                                       .past = ticket->past};
    const char *fault = take_clid(body, ticket->clid, config);
    if (fault == NULL)
        fault = requested_topics_check(&body->topics, ticket->topics, ticket->topic_count,
                                       proven_by(ticket), config);
    return fault != NULL ? fault : name_places(body);
}

const char *subscription_body_from_ticket_and_body(struct subscription_body *body,
                                                   const struct ticket *ticket, const char *text,
                                                   size_t length, const struct config *config)
{
    utf8_skip_mark(&text, &length);
    *body = (struct subscription_body){.json = json_loadb(text, length, JSON_ALLOW_NUL, NULL),
                                       .user = ticket->user,
                                       .sid = ticket->sid,
                                       .until_ms = ticket->until_ms,
                                       .last_id = ticket->last_id,
                                       .past = ticket->past};
    if (!json_is_object(body->json))
        return "Invalid JSON in body";
    subscription_body_read_former_self(body, body->json);
    const char *fault = read_wait(body);
    if (fault == NULL)
        fault = take_clid(body, ticket->clid, config);
    if (fault == NULL)
        fault = requested_topics_read(&body->topics, json_object_get(body->json, "ep"),
                                      proven_by(ticket), config);
    return fault != NULL ? fault : name_places(body);
}

struct ticket subscription_body_ticket(const struct subscription_body *body,
                                       const struct identity *identity)
{
    struct ticket ticket = {.topics = body->topics.list,
                            .topic_count = body->topics.count,
                            .clid = body->clid,
                            .last_id = body->last_id};
    if (identity == NULL)
        return ticket;
    ticket.user = identity->user;
    ticket.sid = identity->sid;
    ticket.since_ms = identity->since_ms;
    ticket.until_ms = identity->until_ms == UINT64_MAX ? 0 : identity->until_ms;
    if (identity->clid != NULL)
        ticket.clid = identity->clid;
    return ticket;
}

void subscription_body_free(struct subscription_body *body)
{
    requested_topics_free(&body->topics);
    past_rights_free(&body->placed);
    json_decref(body->json);
    *body = (struct subscription_body){0};
}
