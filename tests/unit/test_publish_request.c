#include "publish_request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct publish_limits limits = {.max_depth = 10,
                                             .max_event_points = 5,
                                             .max_users = 3,
                                             .max_topic_length = 20,
                                             .max_topic_levels = 4};

#define EVENT "\"e\":{\"type\":\"t\"}"

static void parse(struct publish_request *request, const char *body)
{
    struct publish_fault fault = {0};
    if (!publish_request_parse(request, body, strlen(body), &limits, &fault))
        fail_msg("%s: %d %s (%s)", body, fault.status, fault.reason,
                 fault.detail != NULL ? fault.detail : "");
}

static void assert_event(const char *body, const char *expected)
{
    struct publish_request request;
    parse(&request, body);
    assert_string_equal(bytes_terminate(&request.event), expected);
    publish_request_free(&request);
}

static void makes_the_canonical_event(void **state)
{
    (void)state;
    assert_event("{\"ep\":[\"a\"],\"e\":{\"type\":\"t\"}}", "{\"type\":\"t\"}");
    assert_event("{\"e\":{\"detail\" : null , \"x\":1, \"type\":\"\"},\"ep\":[\"a\"]}",
                 "{\"type\":\"\",\"detail\":null}");
    assert_event(
        "{\"ep\":[\"a\"],\"e\":{\"type\":\"it's \xc3\xa9\\ud800\",\"detail\":{\"n\": 1e999, "
        "\"big\":123456789012345678901234567890,\"''9''\":[ 1 , 2 ]}}}",
        "{\"type\":\"it\\u0027s \\u00e9\\ud800\",\"detail\":{\"n\":1e999,\"big\":"
        "123456789012345678901234567890,\"\\u0027\\u00279\\u0027\\u0027\":[1,2]}}");
    assert_event("{\"e\":{\"type\":\"first\"},\"ep\":[\"a\"],\"\\u0065\":{\"type\":\"last\","
                 "\"type\":\"wins\"}}",
                 "{\"type\":\"wins\"}");
}

static void assert_topic(const struct publish_point *point, const char *topic)
{
    assert_int_equal(point->topic_length, strlen(topic));
    assert_memory_equal(point->topic, topic, strlen(topic));
}

static void reads_the_bind_key(void **state)
{
    (void)state;
    struct publish_request request;
    parse(&request, "{\"bind_key\":\"a\\u002fb\\u0000c\",\"ep\":[\"a\"]," EVENT "}");
    assert_int_equal(request.bind_key_length, 5);
    assert_memory_equal(request.bind_key, "a/b\0c", 5);
    publish_request_free(&request);
    parse(&request, "{\"bind_key\":null,\"ep\":[\"a\"]," EVENT "}");
    assert_null(request.bind_key);
    publish_request_free(&request);
}

static void reads_event_points(void **state)
{
    struct publish_request request;
    (void)state;
    parse(&request, "{\"ep\":[\"a/b\",{\"topic\":\"\\u00e9/+\",\"whisper\":9007199254740991},"
                    "{\"topic\":\"x\",\"binded\":true,\"password\":\"p\"},"
                    "{\"topic\":\"y/#\",\"bound\":true,\"targeted\":true,\"whisper\":7.0},"
                    "{\"topic\":\"a/#/b\",\"binded\":null,\"whisper\":0}]," EVENT "}");
    assert_int_equal(request.count, 5);
    const struct publish_point *points = request.points;
    assert_topic(&points[0], "a/b");
    assert_false(points[0].wildcard || points[0].whispered || points[0].bound ||
                 points[0].targeted);
    assert_topic(&points[1], "\xc3\xa9/+");
    assert_true(points[1].wildcard && points[1].whispered);
    assert_true(points[1].whisper == 9007199254740991ULL);
    assert_true(points[2].bound && !points[2].targeted && !points[2].wildcard);
    assert_int_equal(points[2].password_length, 1);
    assert_memory_equal(points[2].password, "p", 1);
    assert_null(points[3].password);
    assert_null(request.bind_key);
    assert_true(points[3].targeted && points[3].bound && points[3].wildcard && points[3].whispered);
    assert_int_equal(points[3].whisper, 7);
    assert_false(points[4].wildcard || points[4].bound);
    assert_true(points[4].whispered && points[4].whisper == 0);
    assert_false(request.has_id);
    publish_request_free(&request);
    assert_null(request.points);
    publish_request_free(&request);
}

/* They outlive the body, as many as there are. */
static void keeps_topics_that_are_all_there_is(void **state)
{
    static const char *const lists[] = {
        "\"a/b\"", "\"a/b\" , \"+/\xc3\xa9\"", "\"a/b\",\"+/\\u00e9\"",
        "\"a/b\",\"+/\xc3\xa9\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\"",
        "\"a/b\",\"+/\xc3\xa9\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\""};
    static const size_t counts[] = {1, 2, 2, 8, 9};
    struct publish_limits many = limits;
    struct publish_fault fault;
    (void)state;
    many.max_event_points = 9;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        struct publish_request request;
        struct bytes body = BYTES_EMPTY;
        bytes_append_format(&body, "{\"ep\":[%s]," EVENT "}", lists[i]);
        assert_false(body.failed);
        assert_true(publish_request_parse(&request, body.data, body.length, &many, &fault));
        memset(body.data, 'x', body.length);
        bytes_free(&body);
        assert_int_equal(request.count, counts[i]);
        assert_topic(&request.points[0], "a/b");
        assert_false(request.points[0].wildcard || request.points[0].bound);
        if (counts[i] > 1)
            assert_topic(&request.points[1], "+/\xc3\xa9");
        assert_int_equal(request.points[counts[i] - 1].wildcard, counts[i] == 2);
        for (size_t at = 2; at < counts[i]; at++)
            assert_int_equal(request.points[at].topic[0], '1' + at);
        publish_request_free(&request);
    }
}

struct refusal {
    const char *body;
    int status;
    const char *reason;
};

static void names_a_member_that_is_not_known(void **state)
{
    static const char *const bodies[] = {
        "{\"ep\":[\"a\",{\"topic\":\"a\",\"whsiper\":7}]," EVENT "}",
        "{\"ep\":[{\"topic\":\"a\",\"too\":[\"ana\"]}]," EVENT "}",
        "{\"ep\":[{\"topic\":\"a\",\"<\\\"\\u0000>\":null}]," EVENT "}",
    };
    static const char *const details[] = {"unknown member: whsiper", "unknown member: too", NULL};
    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct publish_request request;
        struct publish_fault fault;
        assert_false(
            publish_request_parse(&request, bodies[i], strlen(bodies[i]), &limits, &fault));
        assert_int_equal(fault.status, 400);
        assert_string_equal(fault.reason, "Invalid Event Point");
        if (details[i] != NULL)
            assert_string_equal(fault.detail, details[i]);
    }
}

/* Beside `ep` it would be passed over, and a value lost or a secret shouted. */
static void names_a_member_of_an_event_point_that_stands_beside_ep(void **state)
{
    static const char *const members[] = {"\"keep\":true", "\"except\":7", "\"private\":true",
                                          "\"to\":[\"ana\"]", "\"k\\u0065ep\":1"};
    static const char *const names[] = {"keep belongs", "except belongs", "private belongs",
                                        "to belongs", "keep belongs"};
    (void)state;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        struct publish_request request;
        struct publish_fault fault;
        char body[200];
        (void)snprintf(body, sizeof body, "{\"ep\":[\"a\"]," EVENT ",%s}", members[i]);
        assert_false(publish_request_parse(&request, body, strlen(body), &limits, &fault));
        assert_int_equal(fault.status, 400);
        assert_string_equal(fault.reason, "Invalid object");
        assert_memory_equal(fault.detail, names[i], strlen(names[i]));
    }
}

/* Clients of before may say anything beside `ep`. */
static void passes_over_other_members_beside_ep(void **state)
{
    static const char *const members[] = {"\"keep\":false",    "\"to\":null",    "\"binded\":true",
                                          "\"whisper\":7",     "\"password\":1", "\"x\":[]",
                                          "\"Keep\":\"true\"", "\"topic\":\"b\""};
    (void)state;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        struct publish_request request;
        struct publish_fault fault;
        char body[200];
        (void)snprintf(body, sizeof body, "{%s,\"ep\":[\"a\"]," EVENT "}", members[i]);
        assert_true(publish_request_parse(&request, body, strlen(body), &limits, &fault));
        assert_false(request.points[0].keeps);
        publish_request_free(&request);
    }
}

static void passes_over_a_byte_order_mark(void **state)
{
    struct publish_request request;
    (void)state;
    parse(&request, "\xef\xbb\xbf{\"ep\":[\"a\"]," EVENT "}");
    publish_request_free(&request);
}

static const struct refusal refusals[] = {
    {"", 400, "Invalid JSON in body"},
    {"{", 400, "Invalid JSON in body"},
    {"{\"ep\":[\"a\"],\"e\":{\"type\":\"\xff\"}}", 400, "Invalid JSON in body"},
    {"{\"ep\":[\"a\"],\"e\":{\"type\":\"t\",\"detail\":[[[[[[[[[0]]]]]]]]]}}", 400,
     "Invalid JSON in body"},
    {"null", 400, "Invalid object"},
    {"[]", 400, "Invalid object"},
    {"\"e\"", 400, "Invalid object"},
    {"{}", 400, "Invalid object"},
    {"{\"ep\":[\"a\"]}", 400, "Invalid object"},
    {"{\"ep\":[\"a\"],\"e\":null}", 400, "Invalid object"},
    {"{\"ep\":[\"a\"],\"e\":[\"type\"]}", 400, "Invalid object"},
    {"{\"ep\":[\"a\"],\"e\":{}}", 400, "Invalid object"},
    {"{\"ep\":[\"a\"],\"e\":{\"type\":5}}", 400, "Invalid object"},
    {"{\"ep\":[\"a\"],\"e\":{\"type\":null}}", 400, "Invalid object"},
    {"{" EVENT "}", 400, "Event Points should be an array"},
    {"{\"ep\":\"a\"," EVENT "}", 400, "Event Points should be an array"},
    {"{\"ep\":{\"topic\":\"a\"}," EVENT "}", 400, "Event Points should be an array"},
    {"{\"ep\":[{\"topic\":\"a\",\"to\":[1,2,3,4]}]," EVENT "}", 400, "Too many users"},
    {"{\"ep\":[]," EVENT "}", 400, "Event Point missing"},
    {"{\"ep\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\"]," EVENT "}", 400, "Too many Event Points"},
    {"{\"ep\":[null]," EVENT "}", 400, "Event Point can't be null"},
    {"{\"ep\":[\"a\",null]," EVENT "}", 400, "Event Point can't be null"},
    {"{\"ep\":[1]," EVENT "}", 400, "Invalid Event Point"},
    {"{\"ep\":[[\"a\"]]," EVENT "}", 400, "Invalid Event Point"},
    {"{\"ep\":[{\"topic\":\"a\",\"binded\":1}]," EVENT "}", 400, "Invalid Event Point"},
    {"{\"ep\":[{\"topic\":\"a\",\"targeted\":\"yes\"}]," EVENT "}", 400, "Invalid Event Point"},
    {"{\"ep\":[{\"topic\":\"a\",\"targeted\":true}]," EVENT "}", 400, "Invalid Event Point"},
    {"{\"ep\":[{\"topic\":\"a\",\"binded\":true,\"password\":5}]," EVENT "}", 400,
     "Invalid Event Point"},
    {"{\"bind_key\":7,\"ep\":[\"a\"]," EVENT "}", 400, "Invalid Bind Key"},
    {"{\"bind_key\":[],\"ep\":[\"a\"]," EVENT "}", 400, "Invalid Bind Key"},
    {"{\"bind_key\":\"\\ud800\",\"ep\":[\"a\"]," EVENT "}", 400, "Invalid Bind Key"},
    {"{\"ep\":[\"\\ud800\"]," EVENT "}", 400, "Invalid Event Point"},
    {"{\"ep\":[{}]," EVENT "}", 400, "Topic missing"},
    {"{\"ep\":[{\"topic\":null}]," EVENT "}", 400, "Topic should be a string"},
    {"{\"ep\":[{\"topic\":[\"a\"]}]," EVENT "}", 400, "Topic should be a string"},
    {"{\"ep\":[\"\"]," EVENT "}", 400, "Topic is empty"},
    {"{\"ep\":[{\"topic\":\"\"}]," EVENT "}", 400, "Topic is empty"},
    {"{\"ep\":[\"a\\u0000b\"]," EVENT "}", 400, "Topic has a NUL character"},
    {"{\"ep\":[\"aaaaaaaaaaaaaaaaaaaaa\"]," EVENT "}", 400, "Topic is too long"},
    {"{\"ep\":[\"a/b/c/d/e\"]," EVENT "}", 400, "Topic has too many levels"},
    {"{\"ep\":[{\"topic\":\"a\",\"whisper\":\"1\"}]," EVENT "}", 400,
     "Invalid connection id in whisper"},
    {"{\"ep\":[{\"topic\":\"a\",\"whisper\":null}]," EVENT "}", 400,
     "Invalid connection id in whisper"},
    {"{\"ep\":[{\"topic\":\"a\",\"whisper\":1.5}]," EVENT "}", 400,
     "Invalid connection id in whisper"},
    {"{\"ep\":[{\"topic\":\"a\",\"whisper\":-1}]," EVENT "}", 400,
     "Invalid connection id in whisper"},
    {"{\"ep\":[{\"topic\":\"a\",\"whisper\":9007199254740992}]," EVENT "}", 400,
     "Invalid connection id in whisper"},
    {"{\"ep\":[{\"topic\":\"a\",\"whisper\":1e300}]," EVENT "}", 400,
     "Invalid connection id in whisper"},
    {"{\"ep\":[{\"topic\":\"a\",\"except\":\"1\"}]," EVENT "}", 400,
     "Invalid connection id in except"},
    {"{\"ep\":[{\"topic\":\"a\",\"except\":null}]," EVENT "}", 400,
     "Invalid connection id in except"},
    {"{\"ep\":[{\"topic\":\"a\",\"except\":1,\"whisper\":1}]," EVENT "}", 400,
     "Invalid Event Point"},
    {"{\"ep\":[\"@USER@\"]," EVENT "}", 403, "Reserved topic"},
    {"{\"ep\":[\"a\",{\"topic\":\"@SERVER@/x\"}]," EVENT "}", 403, "Reserved topic"},
    {"{\"ep\":[\"a\"],\"id\":\"\"," EVENT "}", 400, "Invalid id"},
    {"{\"ep\":[\"a\"],\"id\":null," EVENT "}", 400, "Invalid id"},
    {"{\"ep\":[\"a\"],\"id\":1.5," EVENT "}", 400, "Invalid id"},
    {"{\"ep\":[\"a\"],\"id\":{}," EVENT "}", 400, "Invalid id"},
    {"{\"ep\":[\"a\"],\"id\":\"a\\u0000b\"," EVENT "}", 400, "Invalid id"},
};

static void refuses_with_the_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const struct refusal *refusal = &refusals[i];
        struct publish_request request;
        struct publish_fault fault = {0};
        if (publish_request_parse(&request, refusal->body, strlen(refusal->body), &limits, &fault))
            fail_msg("was taken: %s", refusal->body);
        if (fault.status != refusal->status || strcmp(fault.reason, refusal->reason) != 0)
            fail_msg("%s: %d %s", refusal->body, fault.status, fault.reason);
        assert_null(request.points);
        assert_null(request.tree);
        assert_null(request.event.data);
    }
    struct publish_request request;
    struct publish_fault fault;
    assert_false(publish_request_parse(&request, NULL, 0, &limits, &fault));
}

/* Of one whose limits say so: after so long no report is left; several daemons do not tell each other in time. */
static void within_is_refused_where_nobody_would_tell(void **state)
{
    static const char body[] =
        "{\"ep\":[{\"topic\":\"a\",\"to\":[\"ana\"]}],\"report\":{\"within\":5}," EVENT "}";
    struct publish_limits own = limits;
    struct publish_request request;
    struct publish_fault fault = {0};

    (void)state;
    own.max_within_ms = 60000;
    assert_true(publish_request_parse(&request, body, sizeof body - 1, &own, &fault));
    assert_int_equal(request.within_ms, 5000);
    publish_request_free(&request);
    own.max_within_ms = 4999;
    assert_false(publish_request_parse(&request, body, sizeof body - 1, &own, &fault));
    assert_non_null(strstr(fault.detail, "report_time"));
    publish_request_free(&request);
    own.without_within = true;
    assert_false(publish_request_parse(&request, body, sizeof body - 1, &own, &fault));
    assert_int_equal(fault.status, 400);
    assert_non_null(strstr(fault.detail, "engine = redis"));
    publish_request_free(&request);
}

static void keep_is_refused_where_there_is_no_room_for_it(void **state)
{
    static const char body[] = "{\"ep\":[{\"topic\":\"a\",\"keep\":true}]," EVENT "}";
    struct publish_limits own = limits;
    struct publish_request request;
    struct publish_fault fault = {0};

    (void)state;
    assert_false(publish_request_parse(&request, body, sizeof body - 1, &own, &fault));
    assert_int_equal(fault.status, 400);
    assert_string_equal(fault.detail, "keep: [log] max_kept is 0, nothing is kept");
    own.max_value = strlen("{\"type\":\"t\"}") - 1;
    assert_false(publish_request_parse(&request, body, sizeof body - 1, &own, &fault));
    assert_int_equal(fault.status, 413);
    own.max_value++;
    assert_true(publish_request_parse(&request, body, sizeof body - 1, &own, &fault));
    assert_true(request.points[0].keeps);
    publish_request_free(&request);
}

static void allows_what_is_just_within_bounds(void **state)
{
    struct publish_request request;
    (void)state;
    parse(&request, "{\"ep\":[\"a/b/c/d\",\"aaaaaaaaaaaaaaaaaaaa\",\"@user@\",\"a/@USER@\",\"+\"],"
                    "\"e\":{\"type\":\"t\",\"detail\":[[[[[[[[0]]]]]]]]}}");
    assert_int_equal(request.count, 5);
    publish_request_free(&request);
}

/* ---- post keys ---- */

struct asked_as {
    const char *id, *topics;
    uint64_t token;
    const char *user;
};

static void keys_of(unsigned char keys[2][ENVELOPE_POST_KEY_SIZE], const struct asked_as *as)
{
    struct publish_request request;
    struct bytes body = BYTES_EMPTY;
    bytes_append_format(&body, "{\"id\":%s,\"ep\":%s," EVENT "}", as->id, as->topics);
    assert_non_null(bytes_terminate(&body));
    parse(&request, body.data);
    request.token = as->token;
    assert_true(request.has_id);
    assert_true(publish_request_make_keys(&request, as->user));
    assert_int_equal(request.count, 2);
    for (int i = 0; i < 2; i++)
        memcpy(keys[i], request.points[i].post_key, ENVELOPE_POST_KEY_SIZE);
    publish_request_free(&request);
    bytes_free(&body);
}

static bool same_key(const struct asked_as *as, const struct asked_as *other)
{
    unsigned char one[2][ENVELOPE_POST_KEY_SIZE], two[2][ENVELOPE_POST_KEY_SIZE];
    keys_of(one, as);
    keys_of(two, other);
    /* Every event point has a key of its own, also when the topic is the same. */
    assert_memory_not_equal(one[0], one[1], ENVELOPE_POST_KEY_SIZE);
    return memcmp(one[0], two[0], ENVELOPE_POST_KEY_SIZE) == 0;
}

static void makes_post_keys(void **state)
{
    /* sha256("7" NUL "ana" NUL "5" NUL "0" NUL "0" NUL "a") */
    static const unsigned char first[] = {0x07, 0x52, 0xa6, 0xdf, 0xc1, 0x5c, 0xb3, 0x1f,
                                          0x69, 0x32, 0x27, 0x7b, 0x6f, 0x39, 0x9f, 0x71};
    const struct asked_as as = {"5", "[\"a\",\"a\"]", 7, "ana"};
    unsigned char keys[2][ENVELOPE_POST_KEY_SIZE];
    (void)state;
    keys_of(keys, &as);
    assert_memory_equal(keys[0], first, sizeof first);
    assert_true(same_key(&as, &(struct asked_as){"\"5\"", "[{\"topic\":\"a\"},\"c\"]", 7, "ana"}));
    /* Whatever differs makes it another's, also where texts could run together. */
    static const struct asked_as others[] = {
        {"6", "[\"a\",\"a\"]", 7, "ana"},
        {"5", "[\"b\",\"a\"]", 7, "ana"},
        {"5", "[\"a\",\"a\"]", 8, "ana"},
        {"5", "[\"a\",\"a\"]", 7, "eva"},
        {"5", "[\"a\",\"a\"]", 7, NULL},
        {"\"ana5\"", "[\"a\",\"a\"]", 7, NULL},
        {"50", "[\"a\",\"a\"]", 7, "ana"},
        {"5", "[{\"topic\":\"a\",\"binded\":true},\"a\"]", 7, "ana"},
        {"5", "[{\"topic\":\"a\",\"binded\":true,\"targeted\":true},\"a\"]", 7, "ana"},
        {"5", "[{\"topic\":\"a\",\"whisper\":1},\"a\"]", 7, "ana"},
    };
    enum { OTHERS = sizeof others / sizeof *others };
    for (size_t i = 0; i < OTHERS; i++) {
        assert_false(same_key(&as, &others[i]));
        for (size_t j = 0; j < i; j++)
            assert_false(same_key(&others[j], &others[i]));
    }
}

static void bounds_ids(void **state)
{
    char id[203];
    unsigned char keys[2][ENVELOPE_POST_KEY_SIZE];
    struct publish_request request;
    struct publish_fault fault;
    (void)state;
    memset(id, 'x', sizeof id);
    id[0] = id[201] = '"';
    id[202] = '\0';
    keys_of(keys, &(struct asked_as){id, "[\"a\",\"b\"]", 1, NULL});
    struct bytes body = BYTES_EMPTY;
    bytes_append_format(&body, "{\"id\":\"y%.*s,\"ep\":[\"a\"]," EVENT "}", 201, id + 1);
    assert_false(publish_request_parse(&request, body.data, body.length, &limits, &fault));
    assert_string_equal(fault.reason, "Invalid id");
    bytes_free(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_the_canonical_event),
        cmocka_unit_test(reads_event_points),
        cmocka_unit_test(keeps_topics_that_are_all_there_is),
        cmocka_unit_test(names_a_member_that_is_not_known),
        cmocka_unit_test(names_a_member_of_an_event_point_that_stands_beside_ep),
        cmocka_unit_test(passes_over_other_members_beside_ep),
        cmocka_unit_test(passes_over_a_byte_order_mark),
        cmocka_unit_test(reads_the_bind_key),
        cmocka_unit_test(refuses_with_the_reason),
        cmocka_unit_test(allows_what_is_just_within_bounds),
        cmocka_unit_test(within_is_refused_where_nobody_would_tell),
        cmocka_unit_test(keep_is_refused_where_there_is_no_room_for_it),
        cmocka_unit_test(makes_post_keys),
        cmocka_unit_test(bounds_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
