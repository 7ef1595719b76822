#include "requests/subscription_body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "streams/presence.h"

static const struct config config = {
    .max_topics = 5, .max_topic_length = 20, .max_topic_levels = 4};

static const char *read_text(struct subscription_body *body, const char *text, size_t length)
{
    /* A copy without neighbours, so that reading past it is caught. */
    char *copy = malloc(length ? length : 1);
    const char *fault;

    assert_non_null(copy);
    memcpy(copy, text, length);
    fault = subscription_body_read(body, copy, length, &config);
    free(copy);
    return fault;
}

struct refusal {
    const char *text;
    const char *reason;
};

static const struct refusal refusals[] = {
    {"", "Invalid JSON in body"},
    {"{", "Invalid JSON in body"},
    {"null", "Invalid JSON in body"},
    {"{\"ep\":[]} x", "Invalid JSON in body"},
    {"{'ep':[]}", "Invalid JSON in body"},
    {"{\"ep\":[\"\xff\"]}", "Invalid JSON in body"},
    {"{\"ep\":[\"\xc0\xaf\"]}", "Invalid JSON in body"},
    {"{\"ep\":[\"\xed\xa0\x80\"]}", "Invalid JSON in body"},
    {"[]", "Event Points should be an array"},
    {"5", "Event Points should be an array"},
    {"\"ep\"", "Event Points should be an array"},
    {"{}", "Event Points should be an array"},
    {"{\"ep\":null}", "Event Points should be an array"},
    {"{\"ep\":\"a\"}", "Event Points should be an array"},
    {"{\"ep\":{\"0\":\"a\"}}", "Event Points should be an array"},
    {"{\"ep\":[5]}", "Invalid Event Point"},
    {"{\"ep\":[null]}", "Invalid Event Point"},
    {"{\"ep\":[true]}", "Invalid Event Point"},
    {"{\"ep\":[\"a\",[\"b\"]]}", "Invalid Event Point"},
    {"{\"ep\":[{}]}", "Topic missing"},
    {"{\"ep\":[{\"Topic\":\"a\"}]}", "Topic missing"},
    {"{\"ep\":[{\"topic\":5}]}", "Topic should be a string"},
    {"{\"ep\":[{\"topic\":null}]}", "Topic should be a string"},
    {"{\"ep\":[{\"topic\":[\"a\"]}]}", "Topic should be a string"},
    {"{\"ep\":[{\"topic\":\"a\",\"binded\":true}]}", "Bound topics need a bind key"},
    {"{\"ep\":[\"\"]}", "Topic is empty"},
    {"{\"ep\":[\"a\\u0000b\"]}", "Topic has a NUL character"},
    {"{\"ep\":[\"a/b/c/d/e\"]}", "Topic has too many levels"},
    {"{\"ep\":[\"123456789012345678901\"]}", "Topic is too long"},
    {"{\"ep\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\"]}", "Too many Event Points"},
    {"{\"ep\":[],\"clid\":5}", "Client id should be a string"},
    {"{\"ep\":[],\"clid\":{}}", "Client id should be a string"},
    {"{\"ep\":[],\"clid\":\"a\\u0000\"}", "Client id must not contain NUL"},
    {"{\"ep\":[],\"clid\":\"123456789012345678901\"}", "Client id is too long"},
    {"{\"ep\":[],\"clid\":\"@TOTAL@\"}", "Reserved client id"},
    {"{\"ep\":[],\"last_id\":5}", "Last id should be a string"},
};

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct subscription_body body;
        const char *reason = read_text(&body, refusals[i].text, strlen(refusals[i].text));
        if (reason == NULL || strcmp(reason, refusals[i].reason) != 0)
            fail_msg("%s: %s, not %s", refusals[i].text, reason ? reason : "taken",
                     refusals[i].reason);
        subscription_body_free(&body);
        assert_null(body.json);
    }
}

static void a_bind_key_is_told_apart(void **state)
{
    static const char with[] = "{\"bind_key\":\"x\",\"ep\":[]}";
    static const char without[] = "{\"bind_key\":null,\"ep\":[]}";
    struct subscription_body body;

    (void)state;
    assert_ptr_equal(read_text(&body, with, sizeof with - 1), SUBSCRIPTION_HAS_BIND_KEY);
    subscription_body_free(&body);
    assert_null(read_text(&body, without, sizeof without - 1));
    subscription_body_free(&body);
}

/* The topics that come out of `ep`, each followed by a blank. */
static void check_topics(const char *ep, const char *expected)
{
    struct bytes text = BYTES_EMPTY, topics = BYTES_EMPTY;
    struct subscription_body body;
    const char *reason;

    bytes_append_format(&text, "{\"ep\":%s}", ep);
    reason = read_text(&body, text.data, text.length);
    if (reason != NULL)
        fail_msg("%s: %s", ep, reason);
    for (size_t i = 0; i < body.topic_count; i++) {
        assert_int_equal(body.topics[i].kind, SUBSCRIPTION_OPEN);
        bytes_append(&topics, body.topics[i].text, body.topics[i].length);
        bytes_append_text(&topics, " ");
    }
    assert_string_equal(bytes_terminate(&topics), expected);
    subscription_body_free(&body);
    bytes_free(&text);
    bytes_free(&topics);
}

static void topics_come_once_in_the_order_asked_for(void **state)
{
    (void)state;
    check_topics("[]", "");
    check_topics("[\"a\"]", "a ");
    check_topics("[\"b\",\"a\",\"b\",\"b\",\"a\"]", "b a ");
    check_topics("[\"b\",{\"topic\":\"a\"},{\"topic\":\"b\"},\"a\"]", "b a ");
    check_topics("[\"a/b\",\"a\",\"a/\",\"A\",\"/a\"]", "a/b a a/ A /a ");
    check_topics("[{\"topic\":\"a\",\"binded\":false,\"more\":{}}]", "a ");
    check_topics("[{\"topic\":\"a\",\"binded\":\"true\"}]", "a ");
    check_topics("[\"\\u00e9/\\ud83d\\ude00\"]", "\xc3\xa9/\xf0\x9f\x98\x80 ");
    check_topics("[\"#\",\"+\",\"@SERVER@\",\"@CONNECTION@/x\"]", "# + @SERVER@ @CONNECTION@/x ");
    check_topics("[\"12345678901234567890\"]", "12345678901234567890 ");
}

static void the_client_id_may_be_left_out(void **state)
{
    static const char *const anonymous[] = {"{\"ep\":[]}", "{\"ep\":[],\"clid\":null}",
                                            "{\"ep\":[],\"clid\":\"\"}"};
    static const char named[] = "{\"ep\":[],\"clid\":\"me/+\"}";
    struct subscription_body body;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_null(read_text(&body, anonymous[i], strlen(anonymous[i])));
        assert_string_equal(body.clid, PRESENCE_ANONYMOUS);
        assert_int_equal(body.clid_length, strlen(PRESENCE_ANONYMOUS));
        subscription_body_free(&body);
    }
    assert_null(read_text(&body, named, sizeof named - 1));
    assert_string_equal(body.clid, "me/+");
    assert_int_equal(body.clid_length, 4);
    subscription_body_free(&body);
}

static void who_comes_back_says_who_it_was(void **state)
{
    static const char back[] = "{\"ep\":[],\"last_id\":\"7-9\",\"connid\":12,\"secret\":\"x\"}";
    static const char *const strangers[] = {"{\"ep\":[],\"connid\":0,\"secret\":\"x\"}",
                                            "{\"ep\":[],\"connid\":-1,\"secret\":\"x\"}",
                                            "{\"ep\":[],\"connid\":\"12\",\"secret\":\"x\"}",
                                            "{\"ep\":[],\"connid\":12.0,\"secret\":\"x\"}",
                                            "{\"ep\":[],\"connid\":12}",
                                            "{\"ep\":[],\"connid\":12,\"secret\":5}",
                                            "{\"ep\":[],\"secret\":\"x\",\"last_id\":null}"};
    struct subscription_body body;

    (void)state;
    assert_null(read_text(&body, back, sizeof back - 1));
    assert_int_equal(body.connid, 12);
    assert_string_equal(body.secret, "x");
    assert_int_equal(body.last_id_length, 3);
    assert_memory_equal(body.last_id, "7-9", 3);
    subscription_body_free(&body);
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
        assert_null(read_text(&body, strangers[i], strlen(strangers[i])));
        assert_int_equal(body.connid, 0);
        assert_null(body.last_id);
        subscription_body_free(&body);
    }
}

static void depth_is_bounded(void **state)
{
    enum { DEPTH = 100000 };
    char *text = malloc(DEPTH);
    struct subscription_body body;

    (void)state;
    memset(text, '[', DEPTH);
    assert_string_equal(subscription_body_read(&body, text, DEPTH, &config),
                        "Invalid JSON in body");
    subscription_body_free(&body);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(a_bind_key_is_told_apart),
        cmocka_unit_test(topics_come_once_in_the_order_asked_for),
        cmocka_unit_test(the_client_id_may_be_left_out),
        cmocka_unit_test(who_comes_back_says_who_it_was),
        cmocka_unit_test(depth_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
