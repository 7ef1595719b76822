#include "ticket.h"

#include "hex.h"
#include "identity/jws.h"
#include "identity/numeric_date.h"
#include "nodes/node_record.h"
#include "user_id.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

enum { RANDOM_SIZE = 16, DEAF_NAMES_MAX = 1024 /* bytes */ };

/* Behind a ticket that was read. */
struct ticket_storage {
    json_t *claims;
    char user[USER_ID_SIZE];
    struct past_rights past;
    struct requested_topic topics[];
};

struct ticket_rules ticket_rules_of(const struct config *config, const struct secret_list *secrets)
{
    return (struct ticket_rules){.secrets = secrets,
                                 .life_s = (unsigned)(config->ticket_life / 1000),
                                 .life_max_s = (unsigned)(config->ticket_life_max / 1000),
                                 .skew_s = (unsigned)(config->ticket_skew / 1000)};
}

const char *ticket_rules_fault(const struct ticket_rules *rules)
{
    if (rules->secrets == NULL || rules->secrets->count == 0)
        return "there is no ticket secret";
    for (size_t i = 0; i < rules->secrets->count; i++)
        if (strlen(rules->secrets->values[i]) < TICKET_SECRET_MIN)
            return "a ticket secret has fewer than 32 characters";
    return NULL;
}

/* ---- signing ---- */

static bool add_text(json_t *object, const char *name, const char *text)
{
    return text == NULL || json_object_set_new(object, name, json_string(text)) == 0;
}

static json_t *write_topics(const struct ticket *ticket)
{
    json_t *list = json_array();
    for (size_t i = 0; i < ticket->topic_count; i++) {
        const struct requested_topic *topic = &ticket->topics[i];
        json_t *entry = json_stringn(topic->text, topic->length);
        if (topic->bound || topic->granted)
            entry = json_pack("{so sb}", "topic", entry, topic->bound ? "binded" : "private", 1);
        if (json_array_append_new(list, entry) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

bool ticket_digest(char digest[TICKET_DIGEST_SIZE], const void *body, size_t length)
{
    unsigned char bytes[SHA256_DIGEST_LENGTH];
    if (EVP_Digest(body, length, bytes, NULL, EVP_sha256(), NULL) != 1)
        return false;
    hex_write(digest, bytes, sizeof bytes);
    return true;
}

bool ticket_is_of_body(const struct ticket *ticket, const void *body, size_t length)
{
    char digest[TICKET_DIGEST_SIZE];
    return ticket->body != NULL && ticket_digest(digest, body, length) &&
           strcmp(ticket->body, digest) == 0;
}

/* What is subscribed to: the topics, or what stands for the body that has them. */
static bool add_topics(json_t *claims, const struct ticket *ticket)
{
    return ticket->body != NULL ? add_text(claims, "body", ticket->body)
                                : json_object_set_new(claims, "ep", write_topics(ticket)) == 0;
}

static json_t *date_of(uint64_t time_ms)
{
    return time_ms % 1000 == 0 ? json_integer((json_int_t)(time_ms / 1000))
                               : json_real((double)time_ms / 1000);
}

static bool add_date(json_t *claims, const char *name, uint64_t time_ms)
{
    return time_ms == 0 || json_object_set_new(claims, name, date_of(time_ms)) == 0;
}

static bool add_node(json_t *claims, const struct ticket *ticket)
{
    return !ticket->names_node ||
           json_object_set_new(claims, "node", json_integer((json_int_t)ticket->node)) == 0;
}

static bool add_names(json_t *claims, const char *name, bool known, const struct bytes *names)
{
    json_t *list = known ? json_array() : NULL;
    bool added = !known || list != NULL;
    for (size_t at = 0; known && added && at < names->length; at += strlen(names->data + at) + 1)
        added = json_array_append_new(list, json_string(names->data + at)) == 0;
    if (known && added)
        return json_object_set_new(claims, name, list) == 0;
    json_decref(list);
    return added;
}

/* By their names, or, where these are long, by their places. */
static bool add_deaf(json_t *claims, const struct past_rights *past)
{
    if (!past->topics_known || past->deaf.length <= DEAF_NAMES_MAX)
        return add_names(claims, "deaf", past->topics_known, &past->deaf);
    return json_object_set_new(claims, "deaf",
                               json_stringn(past->places.data, past->places.length)) == 0;
}

/* Places are the shorter ones, so that what is heard of the past still fits. */
static bool add_unregistered(json_t *claims, const struct past_rights *past)
{
    const struct bytes *places = &past->unregistered_places;
    if (places->length == 0)
        return add_names(claims, "unregistered", past->unregistered.length > 0,
                         &past->unregistered);
    return json_object_set_new(claims, "unregistered",
                               json_stringn(places->data, places->length)) == 0;
}

static bool add_past(json_t *claims, const struct past_rights *past)
{
    return past == NULL || (add_deaf(claims, past) && add_unregistered(claims, past) &&
                            add_names(claims, "inbox", past->inbox_known, &past->inbox));
}

/* NULL without memory or random numbers. The caller frees. */
static char *write_claims(const struct ticket_rules *rules, const struct ticket *ticket,
                          uint64_t now_s)
{
    unsigned char random[RANDOM_SIZE];
    char id[2 * RANDOM_SIZE + 1];
    if (!secret_random(random, sizeof random))
        return NULL;
    hex_write(id, random, sizeof random);
    uint64_t issued_ms = ticket->issued_ms != 0 ? ticket->issued_ms : now_s * 1000;
    json_t *claims = json_pack("{ss so sI ss}", "aud", TICKET_AUDIENCE, "iat", date_of(issued_ms),
                               "exp", (json_int_t)(now_s + rules->life_s), "jti", id);
    char *text = NULL;
    if (claims != NULL && add_topics(claims, ticket) && add_text(claims, "uid", ticket->user) &&
        add_text(claims, "clid", ticket->clid) && add_text(claims, "last_id", ticket->last_id) &&
        add_text(claims, "sid", ticket->sid) && add_date(claims, "until", ticket->until_ms) &&
        add_date(claims, "since", ticket->since_ms) && add_node(claims, ticket) &&
        add_past(claims, ticket->past))
        text = json_dumps(claims, JSON_COMPACT);
    json_decref(claims);
    return text;
}

enum ticket_result ticket_sign(struct bytes *out, const struct ticket_rules *rules,
                               const struct ticket *ticket, uint64_t now_s)
{
    char *claims = write_claims(rules, ticket, now_s);
    if (claims == NULL)
        return TICKET_NO_RESOURCES;
    /* Signing makes it longer by a third and more: what is too long now need not be signed. */
    bool large = strlen(claims) > TICKET_SIZE_MAX;
    char *text = large ? NULL : jws_sign(rules->secrets->values[0], claims);
    large = large || (text != NULL && strlen(text) > TICKET_SIZE_MAX);
    enum ticket_result result = large ? TICKET_TOO_LARGE : TICKET_NO_RESOURCES;
    if (text != NULL && !large) {
        bytes_append_text(out, text);
        result = out->failed ? TICKET_NO_RESOURCES : TICKET_OK;
    }
    free(text);
    free(claims);
    return result;
}

/* ---- reading ---- */

static bool is_audience(const json_t *value)
{
    const char *text = json_string_value(value);
    if (text != NULL)
        return strcmp(text, TICKET_AUDIENCE) == 0;
    bool found = false;
    for (size_t i = 0; i < json_array_size(value); i++)
        found |= is_audience(json_array_get(value, i));
    return found;
}

static bool is_missing(const json_t *value)
{
    return value == NULL || json_is_null(value);
}

/* False when it is no list of texts, or memory fails. */
static bool take_names(struct bytes *names, bool *known, const json_t *list)
{
    *known = !is_missing(list);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *name = json_array_get(list, i);
        const char *text = json_string_value(name);
        if (text == NULL || strlen(text) != json_string_length(name))
            return false;
        bytes_append(names, text, strlen(text) + 1);
    }
    return (!*known || json_is_array(list)) && !names->failed;
}

static bool take_marked(struct bytes *names, struct bytes *places, bool *known, const json_t *list)
{
    const char *text = json_string_value(list);
    if (text == NULL)
        return take_names(names, known, list);
    *known = true;
    bytes_append(places, text, json_string_length(list));
    return !places->failed && strspn(text, "0123456789abcdef") == json_string_length(list);
}

static bool take_past(struct past_rights *past, const json_t *claims)
{
    bool says_unregistered;
    return take_marked(&past->deaf, &past->places, &past->topics_known,
                       json_object_get(claims, "deaf")) &&
           take_marked(&past->unregistered, &past->unregistered_places, &says_unregistered,
                       json_object_get(claims, "unregistered")) &&
           take_names(&past->inbox, &past->inbox_known, json_object_get(claims, "inbox"));
}

static const char *check_times(const json_t *claims, const struct ticket_rules *rules,
                               uint64_t now_s, uint64_t *expires)
{
    uint64_t now = now_s * 1000, skew = rules->skew_s * 1000ULL, issued, begins;
    if (!numeric_date_read(expires, json_object_get(claims, "exp"), 0) || *expires == 0)
        return "exp missing or no date";
    if (!numeric_date_read(&issued, json_object_get(claims, "iat"), 0) ||
        !numeric_date_read(&begins, json_object_get(claims, "nbf"), 0))
        return "iat or nbf no date";
    if (*expires + skew <= now)
        return "expired";
    if (*expires > now + skew + rules->life_max_s * 1000ULL)
        return "lives too long";
    if (issued / 1000 > (now + skew) / 1000 || begins > now + skew) /* `now` is in whole seconds */
        return "from the future";
    return NULL;
}

static bool is_text_or_absent(const json_t *claims, const char *name)
{
    const json_t *value = json_object_get(claims, name);
    return is_missing(value) || json_is_string(value);
}

static const char *check_shape(const json_t *claims)
{
    size_t id_length = json_string_length(json_object_get(claims, "jti"));
    if (!is_audience(json_object_get(claims, "aud")))
        return "for another audience";
    if (id_length == 0 || id_length > TICKET_ID_MAX)
        return "jti missing or too long";
    const json_t *body = json_object_get(claims, "body"), *topics = json_object_get(claims, "ep");
    if (body != NULL && json_string_length(body) != TICKET_DIGEST_SIZE - 1)
        return "body is no digest";
    if (body != NULL ? topics != NULL : !json_is_array(topics))
        return "not one of ep and body";
    if (!is_text_or_absent(claims, "clid") || !is_text_or_absent(claims, "last_id") ||
        !is_text_or_absent(claims, "sid"))
        return "clid, last_id or sid no text";
    return NULL;
}

/* False when it is no number of a node. */
static bool take_node(struct ticket *ticket, const json_t *claims)
{
    const json_t *node = json_object_get(claims, "node");
    if (is_missing(node))
        return true;
    json_int_t number = json_integer_value(node);
    if (!json_is_integer(node) || number < 0 || number >= NODE_NUMBERS)
        return false;
    ticket->names_node = true;
    ticket->node = (unsigned)number;
    return true;
}

static const char *take_topics(struct ticket *ticket, struct ticket_storage *storage,
                               const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        char fault[REQUESTED_TOPICS_FAULT_SIZE];
        if (requested_topic_read(&storage->topics[i], json_array_get(list, i), fault) != NULL)
            return "an entry of ep is no topic, or has a member that is not known";
        if ((storage->topics[i].bound || storage->topics[i].granted) && ticket->user == NULL)
            return "a bound or private topic without uid";
    }
    ticket->topics = storage->topics;
    ticket->topic_count = json_array_size(list);
    return NULL;
}

/* Takes over the claims in any case. NULL when all is well, else why not. */
static const char *fill(struct ticket *ticket, json_t *claims, uint64_t forget_after_s)
{
    const json_t *list = json_object_get(claims, "ep"), *user = json_object_get(claims, "uid");
    struct ticket_storage *storage =
        calloc(1, sizeof *storage + json_array_size(list) * sizeof *storage->topics);
    if (storage == NULL) {
        json_decref(claims);
        return "no memory";
    }
    storage->claims = claims;
    *ticket = (struct ticket){.clid = json_string_value(json_object_get(claims, "clid")),
                              .last_id = json_string_value(json_object_get(claims, "last_id")),
                              .sid = json_string_value(json_object_get(claims, "sid")),
                              .body = json_string_value(json_object_get(claims, "body")),
                              .id = json_string_value(json_object_get(claims, "jti")),
                              .forget_after_s = forget_after_s,
                              .storage = storage};
    (void)numeric_date_read(&ticket->issued_ms, json_object_get(claims, "iat"), 0);
    if (!numeric_date_read(&ticket->until_ms, json_object_get(claims, "until"), 0) ||
        !numeric_date_read(&ticket->since_ms, json_object_get(claims, "since"), 0))
        return "until or since no date";
    if (!take_node(ticket, claims))
        return "node is no number of a daemon";
    struct past_rights *past = &storage->past;
    ticket->past = past;
    if (!take_past(past, claims))
        return "deaf, unregistered or inbox no list of texts";
    if (!is_missing(user) && user_id_from_json(storage->user, user) == USER_ID_INVALID)
        return "uid is no user id";
    if (!is_missing(user))
        ticket->user = storage->user;
    return take_topics(ticket, storage, list);
}

enum ticket_result ticket_read(struct ticket *ticket, const struct ticket_rules *rules,
                               const char *text, size_t length, uint64_t now_s, const char **why)
{
    *ticket = (struct ticket){0};
    const char *fault = NULL;
    json_t *claims = NULL;
    uint64_t expires_ms = 0;
    enum jws_result signature = JWS_NO_JWS;
    if (length > TICKET_SIZE_MAX)
        fault = "too large";
    else if ((signature = jws_verify_hs256(rules->secrets->values, rules->secrets->count, text,
                                           length, &claims)) != JWS_OK)
        fault = signature == JWS_NO_JWS      ? "no JWT"
                : signature == JWS_NO_MEMORY ? "no memory"
                                             : "not signed by us with HS256";
    if (claims != NULL && (fault = check_shape(claims)) == NULL)
        fault = check_times(claims, rules, now_s, &expires_ms);
    if (claims != NULL && fault != NULL)
        json_decref(claims);
    if (fault == NULL &&
        (fault = fill(ticket, claims, (expires_ms + 999) / 1000 + rules->skew_s)) != NULL)
        ticket_free(ticket);
    if (why != NULL)
        *why = fault;
    return fault == NULL ? TICKET_OK : TICKET_REFUSED;
}

void ticket_free(struct ticket *ticket)
{
    if (ticket->storage != NULL) {
        json_decref(ticket->storage->claims);
        past_rights_free(&ticket->storage->past);
    }
    free(ticket->storage);
    *ticket = (struct ticket){0};
}
