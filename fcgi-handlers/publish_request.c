#include "publish_request.h"

#include "json_text.h"
#include "point_members.h"
#include "topic.h"
#include "user_id.h"
#include "utf8.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_ID = 200, NAMES_MOST = 8 };

static const double beyond_integers = 9007199254740992.0; /* 2^53 */

static bool refuse(struct publish_fault *fault, int status, const char *reason, const char *detail)
{
    *fault = (struct publish_fault){.status = status, .reason = reason, .detail = detail};
    return false;
}

static bool bad(struct publish_fault *fault, const char *reason, const char *detail)
{
    return refuse(fault, 400, reason, detail);
}

static json_t *tree_of(struct json_span text)
{
    return json_loadb(text.start, text.length, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}

/* ---- the event ---- */

static bool read_event(struct publish_request *request, struct json_span event,
                       struct publish_fault *fault)
{
    if (event.start == NULL)
        return bad(fault, "Invalid object", "e is missing");
    if (json_text_kind(event) != '{')
        return bad(fault, "Invalid object", "e should be an object");
    enum { TYPE, DETAIL, MEMBERS };
    static const char *const keys[MEMBERS] = {[TYPE] = "type", [DETAIL] = "detail"};
    struct json_span members[MEMBERS];
    json_text_members(event, keys, members, MEMBERS);
    if (json_text_kind(members[TYPE]) != '"')
        return bad(fault, "Invalid object", "type of e should be a string");
    (void)bytes_reserve(&request->event, event.length + 1); /* more when not all is ASCII */
    bytes_append_text(&request->event, "{\"type\":");
    json_text_write_ascii(&request->event, members[TYPE]);
    if (members[DETAIL].start != NULL) {
        bytes_append_text(&request->event, ",\"detail\":");
        json_text_write_ascii(&request->event, members[DETAIL]);
        request->forgets = json_text_kind(members[DETAIL]) == 'n';
    }
    bytes_append_text(&request->event, "}");
    return !request->event.failed || refuse(fault, 500, "Out of memory", NULL);
}

/* ---- event points ---- */

/* JavaScript's idea of an integer: 5, 5.0 and 5e0 are one. */
static bool read_connection(struct publish_point *point, const json_t *connid)
{
    double number = json_is_number(connid) ? json_number_value(connid) : -1;
    if (number < 0 || number >= beyond_integers || (double)(uint64_t)number < number)
        return false;
    point->whisper = (uint64_t)number;
    return true;
}

/* For one stream alone, or for all but one. */
static bool read_connections(struct publish_point *point, const json_t *value,
                             struct publish_fault *fault)
{
    const json_t *whisper = json_object_get(value, "whisper"),
                 *except = json_object_get(value, "except");
    if (whisper != NULL && !read_connection(point, whisper))
        return bad(fault, "Invalid connection id in whisper", NULL);
    if (except != NULL && whisper != NULL)
        return bad(fault, "Invalid Event Point", "whisper and except exclude each other");
    if (except != NULL && !read_connection(point, except))
        return bad(fault, "Invalid connection id in except", NULL);
    point->whispered = whisper != NULL;
    point->excepts = except != NULL;
    return true;
}

static bool check_topic(struct publish_point *point, const struct publish_limits *limits,
                        struct publish_fault *fault)
{
    const char *wrong = topic_fault(point->topic, point->topic_length, limits->max_topic_length,
                                    limits->max_topic_levels);
    if (wrong != NULL)
        return bad(fault, wrong, NULL);
    if (topic_is_reserved(point->topic, point->topic_length))
        return refuse(fault, 403, "Reserved topic", NULL);
    point->wildcard = topic_has_wildcard(point->topic, point->topic_length);
    return true;
}

static bool read_topic(struct publish_point *point, const json_t *topic,
                       const struct publish_limits *limits, struct publish_fault *fault)
{
    if (topic == NULL)
        return bad(fault, "Topic missing", NULL);
    if (!json_is_string(topic))
        return bad(fault, "Topic should be a string", NULL);
    point->topic = json_string_value(topic);
    point->topic_length = json_string_length(topic);
    return check_topic(point, limits, fault);
}

static bool read_bonds(struct publish_point *point, const json_t *value,
                       struct publish_fault *fault)
{
    const json_t *password = json_object_get(value, "password");
    if (!point_members_read_bound(value, &point->bound))
        return bad(fault, "Invalid Event Point", POINT_MEMBERS_BOUND_FAULT);
    if (!point_members_read_flag(&point->targeted, json_object_get(value, "targeted")))
        return bad(fault, "Invalid Event Point", "targeted should be true or false");
    if (point->targeted && !point->bound)
        return bad(fault, "Invalid Event Point", "targeted needs binded");
    if (password == NULL || json_is_null(password))
        return true;
    if (!json_is_string(password))
        return bad(fault, "Invalid Event Point", "password should be a string");
    point->password = json_string_value(password);
    point->password_length = json_string_length(password);
    return true;
}

static bool read_private(struct publish_point *point, const json_t *value,
                         struct publish_fault *fault)
{
    if (!point_members_read_flag(&point->granted, json_object_get(value, "private")))
        return bad(fault, "Invalid Event Point", "private should be true or false");
    if (point->granted && point->bound)
        return bad(fault, "Invalid Event Point", "binded and private exclude each other");
    return true;
}

/* ---- users ---- */

static int compare_users(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* In order, each once: nobody hears an event twice, and a post that is sent again says the same. */
static bool sort_users(struct bytes *users, size_t count)
{
    struct bytes sorted = BYTES_EMPTY;
    const char **list = malloc((count + 1) * sizeof *list), *at = users->data;
    if (list == NULL)
        return false;
    for (size_t i = 0; i < count; i++, at += strlen(at) + 1)
        list[i] = at;
    qsort(list, count, sizeof *list, compare_users);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || strcmp(list[i - 1], list[i]) != 0)
            bytes_append(&sorted, list[i], strlen(list[i]) + 1);
    free(list);
    bytes_free(users);
    *users = sorted;
    return !sorted.failed;
}

static bool read_users(struct publish_point *point, const json_t *list,
                       const struct publish_limits *limits, struct publish_fault *fault)
{
    char user[USER_ID_SIZE];
    if (list == NULL || json_is_null(list))
        return true;
    if (!json_is_array(list) || json_array_size(list) == 0)
        return bad(fault, "Invalid Event Point", "to should be an array of users");
    if (json_array_size(list) > limits->max_users)
        return bad(fault, "Too many users", "to is over [publish] max_users");
    if (point->bound || point->granted || point->whispered)
        return bad(fault, "Invalid Event Point",
                   "to goes with neither binded, private nor whisper");
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (user_id_from_json(user, json_array_get(list, i)) != USER_ID_USER)
            return bad(fault, "Invalid Event Point", "to has an entry that is no user id");
        bytes_append(&point->users, user, strlen(user) + 1);
    }
    point->addressed = true;
    return (!point->users.failed && sort_users(&point->users, json_array_size(list))) ||
           refuse(fault, 500, "Out of memory", NULL);
}

/* ---- last values ---- */

static bool read_keep(struct publish_point *point, const json_t *value,
                      const struct publish_request *request, const struct publish_limits *limits,
                      struct publish_fault *fault)
{
    if (!point_members_read_flag(&point->keeps, json_object_get(value, "keep")))
        return bad(fault, "Invalid Event Point", "keep should be true or false");
    if (!point->keeps)
        return true;
    if (point->whispered || point->targeted || point->addressed)
        return bad(fault, "Invalid Event Point", "keep goes with neither whisper, targeted nor to");
    if (point->wildcard)
        return bad(fault, "Invalid Event Point", "keep needs a topic without wildcards");
    if (limits->max_value == 0)
        return bad(fault, "Invalid Event Point", "keep: [log] max_kept is 0, nothing is kept");
    if (request->event.length > limits->max_value)
        return refuse(fault, 413, "Event too large to be kept",
                      "keep takes events of half of [log] max_kept");
    return true;
}

/* ---- one event point ---- */

static bool check_members(const json_t *value, struct publish_fault *fault)
{
    static const char *const known[] = {"topic", "whisper",  "except",   "binded",
                                        "bound", "targeted", "password", "private",
                                        "to",    "keep",     NULL};
    char unknown[POINT_MEMBER_SIZE];
    if (point_members_are_known(value, known, unknown))
        return true;
    bad(fault, "Invalid Event Point", fault->text);
    (void)snprintf(fault->text, sizeof fault->text, "unknown member: %s", unknown);
    return false;
}

static bool read_point(struct publish_point *point, const json_t *value,
                       const struct publish_request *request, const struct publish_limits *limits,
                       struct publish_fault *fault)
{
    if (json_is_null(value))
        return bad(fault, "Event Point can't be null", NULL);
    if (json_is_string(value))
        return read_topic(point, value, limits, fault);
    if (!json_is_object(value))
        return bad(fault, "Invalid Event Point", "it should be a string or an object");
    if (!check_members(value, fault) ||
        !read_topic(point, json_object_get(value, "topic"), limits, fault))
        return false;
    return read_connections(point, value, fault) && read_bonds(point, value, fault) &&
           read_private(point, value, fault) &&
           read_users(point, json_object_get(value, "to"), limits, fault) &&
           read_keep(point, value, request, limits, fault);
}

/* text_size: bytes of room behind the points. */
static bool make_points(struct publish_request *request, size_t count, size_t text_size,
                        const struct publish_limits *limits, struct publish_fault *fault)
{
    if (count > limits->max_event_points)
        return bad(fault, "Too many Event Points", NULL);
    request->points = calloc(1, count * sizeof *request->points + text_size);
    request->count = request->points != NULL ? count : 0;
    return request->points != NULL || refuse(fault, 500, "Out of memory", NULL);
}

/* A few topics and no more, as most posts have them: they are copied behind the points, and no tree is built. */
static bool take_names(struct publish_request *request, const struct json_span *names, size_t count,
                       const struct publish_limits *limits, struct publish_fault *fault)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += names[i].length + 1;
    if (!make_points(request, count, size, limits, fault))
        return false;
    char *text = (char *)(request->points + count);
    for (size_t i = 0; i < count; i++) {
        struct publish_point *point = &request->points[i];
        memcpy(text, names[i].start, names[i].length);
        point->topic = text;
        point->topic_length = names[i].length;
        if (!check_topic(point, limits, fault))
            return false;
        text += names[i].length + 1;
    }
    return true;
}

static bool read_points(struct publish_request *request, struct json_span list,
                        const struct publish_limits *limits, struct publish_fault *fault)
{
    struct json_span names[NAMES_MOST];
    if (json_text_kind(list) != '[')
        return bad(fault, "Event Points should be an array", NULL);
    size_t named = json_text_plain_strings(list, names, NAMES_MOST);
    if (named > 0)
        return take_names(request, names, named, limits, fault);
    json_t *tree = tree_of(list);
    request->tree = tree;
    if (tree == NULL)
        return bad(fault, "Invalid Event Point",
                   "a lone surrogate, a key with NUL or a number out of range");
    size_t count = json_array_size(tree);
    if (count == 0)
        return bad(fault, "Event Point missing", "the array is empty");
    if (!make_points(request, count, 0, limits, fault))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!read_point(&request->points[i], json_array_get(tree, i), request, limits, fault))
            return false;
    }
    return true;
}

/* ---- the publisher's own id ---- */

/* Appends the id as text; false when it is none. */
static bool append_id(struct bytes *text, const json_t *id)
{
    if (json_is_integer(id)) {
        bytes_append_format(text, "%lld", (long long)json_integer_value(id));
        return true;
    }
    size_t length = json_is_string(id) ? json_string_length(id) : 0;
    if (length == 0 || length > LONGEST_ID || memchr(json_string_value(id), '\0', length) != NULL)
        return false;
    bytes_append(text, json_string_value(id), length);
    return true;
}

enum key_kind {
    KEY_BOUND = 1,
    KEY_TARGETED = 2,
    KEY_WHISPER = 4,
    KEY_PRIVATE = 8,
    KEY_ADDRESSED = 16
};

static unsigned kind_of(const struct publish_point *point)
{
    return (point->bound ? KEY_BOUND : 0U) | (point->targeted ? KEY_TARGETED : 0U) |
           (point->whispered ? KEY_WHISPER : 0U) | (point->granted ? KEY_PRIVATE : 0U) |
           (point->addressed ? KEY_ADDRESSED : 0U);
}

static bool make_post_key(struct publish_point *point, struct bytes *text, size_t common,
                          size_t index)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    text->length = common;
    bytes_append_number(text, kind_of(point));
    bytes_append(text, "", 1);
    bytes_append_number(text, index);
    bytes_append(text, "", 1);
    bytes_append(text, point->topic, point->topic_length);
    if (text->failed || EVP_Digest(text->data, text->length, digest, NULL, EVP_sha256(), NULL) != 1)
        return false;
    memcpy(point->post_key, digest, sizeof point->post_key);
    return true;
}

/* Each event point of a post is an event of its own: the same post again gives the same keys,
 * whichever handler it reaches. No part but the topic, which is last, has a NUL inside. */
bool publish_request_make_keys(struct publish_request *request, const char *user)
{
    struct bytes text = BYTES_EMPTY;
    bytes_append_number(&text, request->token);
    bytes_append(&text, "", 1);
    bytes_append(&text, user != NULL ? user : "", user != NULL ? strlen(user) : 0);
    bytes_append(&text, "", 1);
    bytes_append(&text, request->id.data, request->id.length);
    bytes_append(&text, "", 1);
    size_t common = text.length;
    bool made = !text.failed;
    for (size_t i = 0; i < request->count && made; i++)
        made = make_post_key(&request->points[i], &text, common, i);
    bytes_free(&text);
    return made;
}

bool publish_request_give_id(struct publish_request *request, const char *id, size_t length)
{
    bytes_clear(&request->id);
    bytes_append(&request->id, id, length);
    request->has_id = !request->id.failed;
    return request->has_id;
}

static bool read_id(struct publish_request *request, struct json_span id,
                    struct publish_fault *fault)
{
    if (id.start == NULL)
        return true;
    json_t *tree = tree_of(id);
    bool valid = append_id(&request->id, tree);
    json_decref(tree);
    if (!valid)
        return bad(fault, "Invalid id", "it should be an integer or a string of 1 to 200 bytes");
    request->has_id = !request->id.failed;
    return request->has_id || refuse(fault, 500, "Out of memory", NULL);
}

/* ---- who had it ---- */

static const char report_fault[] = "report should be true, false or {\"within\": seconds}";

/* Told of users: whom the publisher names is known, also when no stream of theirs is there. */
static bool all_are_addressed(const struct publish_request *request)
{
    for (size_t i = 0; i < request->count; i++)
        if (!request->points[i].addressed)
            return false;
    return true;
}

static bool read_within(struct publish_request *request, const json_t *report,
                        const struct publish_limits *limits, struct publish_fault *fault)
{
    const json_t *within = json_object_get(report, "within");
    double ms = json_is_number(within) ? json_number_value(within) * 1000 : 0;
    if (within == NULL || json_object_size(report) != 1)
        return bad(fault, "Invalid report", report_fault);
    if (limits->without_within)
        return bad(fault, "Invalid report",
                   "within is not to be had with [bus] engine = redis: ask GET /event/ID instead");
    if (!(ms >= 1000) || ms > (double)limits->max_within_ms)
        return bad(fault, "Invalid report",
                   "within should be a number of seconds, from 1 to [log] report_time");
    if (!all_are_addressed(request))
        return bad(fault, "Invalid report", "within needs users: `to` in each event point");
    request->within_ms = (uint32_t)ms;
    return true;
}

static bool read_report(struct publish_request *request, struct json_span text,
                        const struct publish_limits *limits, struct publish_fault *fault)
{
    bool read = true;
    if (text.start == NULL)
        return true;
    json_t *report = tree_of(text);
    request->reported = json_is_true(report) || json_is_object(report);
    if (json_is_object(report))
        read = read_within(request, report, limits, fault);
    else if (!json_is_boolean(report) && !json_is_null(report))
        read = bad(fault, "Invalid report", report_fault);
    json_decref(report);
    return read;
}

/* ---- who publishes ---- */

/* Whether it is valid is another question; one that cannot be is told the same. */
static bool read_bind_key(struct publish_request *request, struct json_span key,
                          struct publish_fault *fault)
{
    if (key.start == NULL || json_text_kind(key) == 'n')
        return true;
    json_t *tree = tree_of(key);
    request->key_tree = tree;
    if (!json_is_string(tree))
        return bad(fault, "Invalid Bind Key", NULL);
    request->bind_key = json_string_value(tree);
    request->bind_key_length = json_string_length(tree);
    return true;
}

/* ---- the whole ---- */

enum { POINTS_KEEP, POINTS_EXCEPT, POINTS_PRIVATE, POINTS_TO, POINTS_OWN };

/* Beside `ep`, what belongs in an event point would be passed over without a word: a value that is not kept, or
 * an event that more hear than should. Other members that are not known stay harmless there, as they were
 * before there were these. */
static bool check_places(const struct json_span *found, struct publish_fault *fault)
{
    static const char *const details[POINTS_OWN] = {
        [POINTS_KEEP] = "keep belongs in an event point: {\"topic\": \"...\", \"keep\": true}",
        [POINTS_EXCEPT] = "except belongs in an event point: {\"topic\": \"...\", \"except\": 12}",
        [POINTS_PRIVATE] =
            "private belongs in an event point: {\"topic\": \"...\", \"private\": true}",
        [POINTS_TO] = "to belongs in an event point: {\"topic\": \"...\", \"to\": [\"ana\"]}"};
    for (size_t i = 0; i < POINTS_OWN; i++) {
        char kind = found[i].start != NULL ? json_text_kind(found[i]) : 'n';
        if (kind != 'n' && kind != 'f')
            return bad(fault, "Invalid object", details[i]);
    }
    return true;
}

static bool read_body(struct publish_request *request, struct json_span body,
                      const struct publish_limits *limits, struct publish_fault *fault)
{
    const char *wrong;
    if (!json_text_check(body.start, body.length, limits->max_depth, &wrong))
        return bad(fault, "Invalid JSON in body", wrong);
    if (json_text_kind(body) != '{')
        return bad(fault, "Invalid object", "the body should be an object");
    enum { EVENT, POINTS, BIND_KEY, ID, REPORT, MISPLACED, MEMBERS = MISPLACED + POINTS_OWN };
    static const char *const keys[MEMBERS] = {[EVENT] = "e",
                                              [POINTS] = "ep",
                                              [BIND_KEY] = "bind_key",
                                              [ID] = "id",
                                              [REPORT] = "report",
                                              [MISPLACED + POINTS_KEEP] = "keep",
                                              [MISPLACED + POINTS_EXCEPT] = "except",
                                              [MISPLACED + POINTS_PRIVATE] = "private",
                                              [MISPLACED + POINTS_TO] = "to"};
    struct json_span members[MEMBERS];
    json_text_members(body, keys, members, MEMBERS);
    return check_places(members + MISPLACED, fault) && read_event(request, members[EVENT], fault) &&
           read_points(request, members[POINTS], limits, fault) &&
           read_bind_key(request, members[BIND_KEY], fault) &&
           read_id(request, members[ID], fault) &&
           read_report(request, members[REPORT], limits, fault);
}

bool publish_request_parse(struct publish_request *request, const char *body, size_t length,
                           const struct publish_limits *limits, struct publish_fault *fault)
{
    *request = (struct publish_request){0};
    struct json_span text = {.start = body == NULL ? "" : body, .length = length};
    utf8_skip_mark(&text.start, &text.length);
    if (read_body(request, text, limits, fault))
        return true;
    publish_request_free(request);
    return false;
}

void publish_request_free(struct publish_request *request)
{
    json_decref(request->tree);
    json_decref(request->key_tree);
    for (size_t i = 0; i < request->count; i++)
        bytes_free(&request->points[i].users);
    free(request->points);
    bytes_free(&request->event);
    bytes_free(&request->id);
    *request = (struct publish_request){0};
}
