#include "drop_request.h"

#include "identity/access_token.h"
#include "json_text.h"
#include "point_members.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum { WEIGHT_MOST = 100, FOR_MOST_S = 30 * 86400 };

static bool refuse_drop(struct publish_fault *fault, const char *reason)
{
    *fault = (struct publish_fault){.status = 400, .reason = reason};
    return false;
}

/* ---- whose ---- */

static bool take_user(struct drop_request *request, const json_t *value,
                      struct publish_fault *fault)
{
    if (user_id_from_json(request->user, value) == USER_ID_INVALID)
        return refuse_drop(fault, "uid should be a user id");
    request->drop.name = request->user;
    request->drop.name_length = strlen(request->user);
    return true;
}

static bool take_text(struct drop_request *request, const json_t *value, size_t most)
{
    request->drop.name = json_string_value(value);
    request->drop.name_length = json_string_length(value);
    return request->drop.name != NULL && request->drop.name_length > 0 &&
           request->drop.name_length <= most &&
           strlen(request->drop.name) == request->drop.name_length;
}

static bool take_connid(struct drop_request *request, const json_t *value,
                        struct publish_fault *fault)
{
    if (!json_is_integer(value) || json_integer_value(value) <= 0)
        return refuse_drop(fault, "connid should be a number");
    request->drop.connid = (uint64_t)json_integer_value(value);
    return true;
}

static bool take_whose(struct drop_request *request, const json_t *value,
                       const struct config *config, struct publish_fault *fault)
{
    switch (request->drop.kind) {
    case DROP_USER:
        return take_user(request, value, fault);
    case DROP_SESSION:
        return take_text(request, value, ACCESS_TOKEN_SID_MAX) ||
               refuse_drop(fault, "sid should be a text of 1 to 255 bytes");
    case DROP_CLIENT:
        return take_text(request, value, (size_t)config->max_topic_length) ||
               refuse_drop(fault, "clid should be a client id");
    default:
        return take_connid(request, value, fault);
    }
}

static bool read_whose(struct drop_request *request, const struct config *config,
                       struct publish_fault *fault)
{
    const json_t *found = NULL;

    for (int kind = DROP_USER; kind <= DROP_CLIENT; kind++) {
        const json_t *value = json_object_get(request->json, drop_kind_name((enum drop_kind)kind));
        if (value == NULL || json_is_null(value))
            continue;
        if (found != NULL)
            return refuse_drop(fault, "Only one of uid, sid, connid and clid");
        found = value;
        request->drop.kind = (enum drop_kind)kind;
    }
    if (found == NULL)
        return refuse_drop(fault, "One of uid, sid, connid and clid is missing");
    return take_whose(request, found, config, fault);
}

/* ---- for how long ---- */

/* As long as a ticket of before may be used. */
static uint64_t shortest_for(const struct config *config)
{
    return config->ticket_life_max + config->ticket_skew;
}

static bool read_for(struct drop_request *request, const struct config *config,
                     struct publish_fault *fault)
{
    const json_t *value = json_object_get(request->json, "for");
    bool has_proofs = request->drop.kind == DROP_USER || request->drop.kind == DROP_SESSION;

    if (value == NULL || json_is_null(value)) {
        request->drop.for_ms = has_proofs ? shortest_for(config) : 0;
        return true;
    }
    if (!has_proofs)
        return refuse_drop(fault, "for goes with uid and sid alone");
    double seconds = json_is_number(value) ? json_number_value(value) : -1;
    if (!(seconds >= 0 && seconds <= FOR_MOST_S))
        return refuse_drop(fault, "for should be a number of seconds, up to 2592000");
    request->drop.for_ms = (uint64_t)(seconds * 1000);
    return true;
}

/* ---- the whole ---- */

static bool check_members(const json_t *json, struct publish_fault *fault)
{
    static const char *const known[] = {"uid", "sid", "connid", "clid", "for", NULL};
    char unknown[POINT_MEMBER_SIZE];

    if (!json_is_object(json))
        return refuse_drop(fault, json == NULL ? "Invalid JSON in body" : "Invalid object");
    if (point_members_are_known(json, known, unknown))
        return true;
    (void)refuse_drop(fault, "Invalid object");
    (void)snprintf(fault->text, sizeof fault->text, "unknown member: %s", unknown);
    fault->detail = fault->text;
    return false;
}

bool drop_request_parse(struct drop_request *request, const char *body, size_t length,
                        const struct config *config, struct publish_fault *fault)
{
    bool light = json_text_weight(body, length) <= WEIGHT_MOST;

    *request = (struct drop_request){0};
    request->json = light ? json_loadb(body, length, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL) : NULL;
    return check_members(request->json, fault) && read_whose(request, config, fault) &&
           read_for(request, config, fault);
}

void drop_request_free(struct drop_request *request)
{
    json_decref(request->json);
    request->json = NULL;
}
