#include "identity/access_token.h"

#include "bytes.h"
#include "identity/jws.h"
#include "identity/numeric_date.h"
#include "point_members.h"
#include "topic.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { PATTERN_MAX = 4096, PATTERN_LEVELS_MAX = 256 };

const char IDENTITY_IS_OVER[] = "until is over";

void identity_free(struct identity *identity)
{
    json_decref(identity->json);
    free(identity->info);
    *identity = (struct identity){0};
}

bool identity_grants(const struct json_t *patterns, const char *topic, size_t length)
{
    for (size_t i = 0; i < json_array_size(patterns); i++) {
        const json_t *pattern = json_array_get(patterns, i);
        if (topic_covers(json_string_value(pattern), json_string_length(pattern), topic, length))
            return true;
    }
    return false;
}

/* ---- what a token and an answer have in common ---- */

/* A member that is missing and one that is null are the same (lcobucci/jwt and others write null).
 */
static const json_t *member(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return json_is_null(value) ? NULL : value;
}

static const char *take_text(const char **out, const json_t *value, size_t most, const char *fault)
{
    *out = json_string_value(value);
    if (value == NULL)
        return NULL;
    size_t length = json_string_length(value);
    return *out == NULL || length == 0 || length > most || strlen(*out) != length ? fault : NULL;
}

static const char *take_patterns(const json_t **out, const json_t *list, const char *fault)
{
    *out = list;
    if (list != NULL && (!json_is_array(list) || json_array_size(list) > ACCESS_TOKEN_PATTERNS_MAX))
        return fault;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *pattern = json_array_get(list, i);
        const char *text = json_string_value(pattern);
        size_t length = json_string_length(pattern);
        if (text == NULL || topic_fault(text, length, PATTERN_MAX, PATTERN_LEVELS_MAX) != NULL ||
            topic_is_reserved(text, length))
            return fault;
    }
    return NULL;
}

static const char *take_info(struct identity *identity, const json_t *info)
{
    if (info == NULL)
        return NULL;
    identity->info = json_dumps(info, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_ENCODE_ANY);
    if (identity->info == NULL)
        return "no memory";
    return strlen(identity->info) > ACCESS_TOKEN_INFO_MAX ? "info longer than 1 KiB" : NULL;
}

static const char *take_grants(struct identity *identity, const json_t *from)
{
    const char *fault = take_patterns(&identity->sub, member(from, "sub"), "sub no topics");
    if (fault == NULL)
        fault = take_patterns(&identity->pub, member(from, "pub"), "pub no topics");
    return fault != NULL ? fault : take_info(identity, member(from, "info"));
}

static const char *take_user(struct identity *identity, const json_t *user)
{
    if (user == NULL)
        memcpy(identity->user, USER_ID_NO_USER, sizeof USER_ID_NO_USER);
    else if (user_id_from_json(identity->user, user) == USER_ID_INVALID)
        return "no user id";
    return NULL;
}

/* ---- access tokens ---- */

static bool names(const json_t *value, const char *wanted)
{
    const char *text = json_string_value(value);
    if (text != NULL)
        return strcmp(text, wanted) == 0;
    bool found = false;
    for (size_t i = 0; i < json_array_size(value) && !found; i++) {
        text = json_string_value(json_array_get(value, i));
        found = text != NULL && strcmp(text, wanted) == 0;
    }
    return found;
}

static const char *check_times(struct identity *identity, const json_t *claims, uint64_t skew_ms,
                               uint64_t now_ms)
{
    uint64_t begins = 0;
    if (!numeric_date_read(&identity->until_ms, member(claims, "exp"), 0) ||
        identity->until_ms == 0)
        return "exp missing or no date";
    if (!numeric_date_read(&begins, member(claims, "nbf"), 0) ||
        !numeric_date_read(&identity->since_ms, member(claims, "iat"), 0))
        return "nbf or iat no date";
    if (identity->until_ms + skew_ms <= now_ms)
        return "expired";
    if (begins > now_ms + skew_ms || identity->since_ms > now_ms + skew_ms)
        return "from the future";
    return NULL;
}

static const char *check_claims(struct identity *identity, const struct access_token_rules *rules,
                                uint64_t now_ms)
{
    const json_t *claims = identity->json, *ours = member(claims, "esn");
    if (rules->issuer != NULL && !names(member(claims, "iss"), rules->issuer))
        return "from another issuer";
    if (rules->audience != NULL && !names(member(claims, "aud"), rules->audience))
        return "for another audience";
    if (ours != NULL && !json_is_object(ours))
        return "esn no object";
    const char *fault = check_times(identity, claims, rules->skew_ms, now_ms);
    if (fault == NULL)
        fault = take_user(identity, member(claims, "sub"));
    if (fault == NULL)
        fault = take_text(&identity->sid, member(claims, "sid"), ACCESS_TOKEN_SID_MAX,
                          "sid no text, or too long");
    if (fault == NULL)
        fault = take_text(&identity->clid, member(ours, "clid"), SIZE_MAX, "clid no text");
    return fault != NULL ? fault : take_grants(identity, ours);
}

static enum jws_result verify_by_any(const struct jose_keys *const *sets, size_t count,
                                     const char *text, size_t length, json_t **claims)
{
    enum jws_result result = JWS_REFUSED;
    for (size_t i = 0; i < count; i++) {
        result = jws_verify(sets[i], text, length, claims);
        if (result != JWS_REFUSED && result != JWS_UNKNOWN_KEY)
            break;
    }
    return result;
}

enum access_token_result access_token_read(struct identity *identity,
                                           const struct access_token_rules *rules,
                                           const struct jose_keys *keys, const char *text,
                                           size_t length, uint64_t now_ms, const char **why)
{
    return access_token_read_by_any(identity, rules, &keys, 1, text, length, now_ms, why);
}

enum access_token_result access_token_read_by_any(struct identity *identity,
                                                  const struct access_token_rules *rules,
                                                  const struct jose_keys *const *sets, size_t count,
                                                  const char *text, size_t length, uint64_t now_ms,
                                                  const char **why)
{
    static const char *const faults[] = {[JWS_NO_JWS] = "no JWT of ours",
                                         [JWS_UNKNOWN_KEY] = "its kid is not known",
                                         [JWS_REFUSED] = "not signed by a key of ours",
                                         [JWS_NO_MEMORY] = "no memory"};
    *identity = (struct identity){0};
    enum jws_result result = verify_by_any(sets, count, text, length, &identity->json);
    *why = result == JWS_OK ? check_claims(identity, rules, now_ms) : faults[result];
    if (*why == NULL)
        return ACCESS_TOKEN_OK;
    identity_free(identity);
    if (result == JWS_UNKNOWN_KEY)
        return ACCESS_TOKEN_UNKNOWN_KEY;
    return result == JWS_NO_MEMORY ? ACCESS_TOKEN_NO_MEMORY : ACCESS_TOKEN_REFUSED;
}

/* ---- binding servers ---- */

const char *identity_from_answer(struct identity *identity, struct json_t *answer, uint64_t now_ms)
{
    *identity = (struct identity){.json = answer};
    static const char *const known[] = {"uid", "until", "sid", "info", "sub", "pub", NULL};
    char unknown[POINT_MEMBER_SIZE];
    const char *fault = NULL;
    /* A slip in a name must not make a session without user, or without end, of somebody's. */
    if (!point_members_are_known(answer, known, unknown))
        fault = "it has a member that is not known";
    else if (json_object_get(answer, "uid") == NULL)
        fault = "uid missing";
    else if (!numeric_date_read(&identity->until_ms, member(answer, "until"), UINT64_MAX))
        fault = "until no date";
    else if (identity->until_ms <= now_ms)
        fault = IDENTITY_IS_OVER;
    if (fault == NULL)
        fault = take_user(identity, member(answer, "uid"));
    if (fault == NULL)
        fault = take_text(&identity->sid, member(answer, "sid"), ACCESS_TOKEN_SID_MAX,
                          "sid no text, or too long");
    if (fault == NULL)
        fault = take_grants(identity, answer);
    if (fault != NULL)
        identity_free(identity);
    return fault;
}
