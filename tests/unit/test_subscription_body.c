#include "hex.h"
#include "subscription_body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"

static const struct config config = {
    .max_topics = 5, .max_topic_length = 20, .max_topic_levels = 4};

static const char *read_text(struct subscription_body *body, const char *text, size_t length)
{
    /* A copy without neighbours, so that reading past it is caught. */
    char *copy = malloc(length ? length : 1);

    assert_non_null(copy);
    memcpy(copy, text, length);
    const char *fault = subscription_body_read(body, copy, length, 0, &config);
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
    {"{\"ep\":[],\"last_id\":\"7\\u0000\"}", "Last id must not contain NUL"},
    {"{\"ep\":[],\"wait\":-1}", "wait should be a number of milliseconds"},
    {"{\"ep\":[{\"topic\":\"a\",\"bound\":true}]}", "Bound topics need a bind key"},
    {"{\"ep\":[{\"topic\":\"a\",\"private\":true}]}", "Private topics need a proof: a"},
    {"{\"ep\":[{\"topic\":\"a \\u00e9\\r\\n\",\"private\":true}]}",
     "Private topics need a proof: a?????"},
    {"{\"ep\":[{\"topic\":\"a\",\"private\":1}]}", "private should be true or false"},
    {"{\"ep\":[{\"topic\":\"a\",\"private\":true,\"binded\":true}]}",
     "A topic is binded or private, not both"},
    {"{\"ep\":[\"@USER@\"]}", "Topic @USER@ should be binded or private"},
    {"{\"ep\":[{\"topic\":\"@USER@\",\"private\":true}]}", "Bound topics need a bind key"},
    {"{\"ep\":[{\"topic\":\"a\",\"Bound\":true}]}", "Unknown member of a topic: Bound"},
    {"{\"ep\":[{\"topic\":\"a\",\"\\r\\n\\\"\\u00e9 x\":1}]}",
     "Unknown member of a topic: ??????x"},
    {"{\"ep\":[{\"topic\":\"a\",\"12345678901234567890123456789012345678901234567890\":1}]}",
     "Unknown member of a topic: 1234567890123456789012345678901234567890"},
    {"{\"ep\":[{\"topic\":\"a\",\"binded\":\"true\"}]}", "binded should be true or false"},
    {"{\"ep\":[{\"topic\":\"a\",\"bound\":1}]}", "binded should be true or false"},
    {"{\"ep\":[{\"topic\":\"a\",\"bound\":true,\"binded\":false}]}",
     "binded should be true or false"},
};

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct subscription_body body;
        const char *reason = read_text(&body, refusals[i].text, strlen(refusals[i].text));
        if (reason == NULL || strcmp(reason, refusals[i].reason) != 0)
            fail_msg("%s: %s, not %s", refusals[i].text, reason != NULL ? reason : "taken",
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

    bytes_append_format(&text, "{\"ep\":%s}", ep);
    const char *reason = read_text(&body, text.data, text.length);
    if (reason != NULL)
        fail_msg("%s: %s", ep, reason);
    for (size_t i = 0; i < body.topics.count; i++) {
        assert_false(body.topics.list[i].bound);
        bytes_append(&topics, body.topics.list[i].text, body.topics.list[i].length);
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
    check_topics("[{\"topic\":\"a\",\"binded\":false,\"bound\":null}]", "a ");
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
        assert_null(body.clid);
        subscription_body_free(&body);
    }
    assert_null(read_text(&body, named, sizeof named - 1));
    assert_string_equal(body.clid, "me/+");
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
    assert_string_equal(body.last_id, "7-9");
    subscription_body_free(&body);
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
        assert_null(read_text(&body, strangers[i], strlen(strangers[i])));
        assert_int_equal(body.connid, 0);
        assert_null(body.last_id);
        subscription_body_free(&body);
    }
}

/* Neither reading nor the tree of what was read may cost much, whatever was sent. */
static void depth_and_weight_are_bounded(void **state)
{
    enum { SIZE = 100000 };
    char *text = malloc(SIZE);
    struct subscription_body body;

    (void)state;
    assert_non_null(text);
    memset(text, '[', SIZE);
    for (size_t size = SIZE; size > 50; size /= 2) {
        bool heavy = subscription_body_is_too_heavy(text, size, &config);
        assert_string_equal(subscription_body_read(&body, text, size, 0, &config),
                            heavy ? "Too many values in JSON" : "Invalid JSON in body");
        assert_true(heavy || size < SIZE / 2);
        subscription_body_free(&body);
    }
    free(text);
}

static void read_well(struct subscription_body *subscription, const char *text)
{
    const char *fault =
        subscription_body_read(subscription, text, strlen(text), SUBSCRIPTION_PROOF, &config);
    if (fault != NULL)
        fail_msg("%s: %s", text, fault);
}

static void everything_is_read(void **state)
{
    (void)state;
    struct subscription_body subscription;
    read_well(&subscription,
              "{\"bind_key\":\"k\\u0000y\",\"clid\":\"page\",\"last_id\":\"7-12\",\"connid\":5,"
              "\"secret\":\"s\",\"more\":[1],"
              "\"ep\":[\"a/+\",{\"topic\":\"@USER@\",\"bound\":true},{\"topic\":\"b\"}]}");
    assert_int_equal(subscription.topics.count, 3);
    assert_string_equal(subscription.topics.list[0].text, "a/+");
    assert_int_equal(subscription.topics.list[0].length, 3);
    assert_false(subscription.topics.list[0].bound || subscription.topics.list[2].bound);
    assert_true(subscription.topics.list[1].bound);
    assert_string_equal(subscription.clid, "page");
    assert_string_equal(subscription.last_id, "7-12");
    assert_int_equal(subscription.bind_key_length, 3);
    assert_memory_equal(subscription.bind_key, "k\0y", 3);
    assert_int_equal(subscription.connid, 5);
    assert_string_equal(subscription.secret, "s");

    const struct identity ana = {.user = "ana", .until_ms = UINT64_MAX};
    const struct ticket ticket = subscription_body_ticket(&subscription, &ana);
    assert_string_equal(ticket.user, "ana");
    assert_ptr_equal(ticket.topics, subscription.topics.list);
    assert_int_equal(ticket.topic_count, 3);
    assert_string_equal(ticket.clid, "page");
    assert_string_equal(ticket.last_id, "7-12");
    subscription_body_free(&subscription);
    assert_null(subscription.topics.list);
    subscription_body_free(&subscription);
}

/* Names that are too long for a ticket go by their places, and come out as the same names. */
static void topics_that_are_not_heard_pass_a_ticket(void **state)
{
    (void)state;
    static char secret[] = "0123456789abcdef0123456789abcdef";
    char *secrets[] = {secret};
    const struct secret_list list = {secrets, 1};
    const struct ticket_rules rules = {&list, 10, 60, 0};
    enum { TOPICS = 90 };
    const struct config roomy = {
        .max_topics = TOPICS, .max_topic_length = 40, .max_topic_levels = 8};
    for (size_t step = 1; step <= 30; step += 7) {
        char names[TOPICS][40];
        struct requested_topic topics[TOPICS];
        struct past_rights past = {.topics_known = true};
        for (size_t i = 0; i < TOPICS; i++) {
            int length = snprintf(names[i], sizeof names[i], "a/topic/of/some/length/%zu", i);
            topics[i] = (struct requested_topic){names[i], (size_t)length, true, false};
            if (i % step == 0)
                bytes_append(&past.deaf, names[i], (size_t)length + 1);
            static const char digits[] = "0123456789abcdef";
            if (i % 4 == 0)
                bytes_append(&past.places, "0", 1);
            if (i % step == 0)
                past.places.data[i / 4] = digits[hex_value(past.places.data[i / 4]) | 1 << i % 4];
        }
        const struct ticket ticket = {
            .user = "ana", .topics = topics, .topic_count = TOPICS, .past = &past};
        struct bytes text = BYTES_EMPTY;
        struct ticket got;
        struct subscription_body body;
        assert_int_equal(ticket_sign(&text, &rules, &ticket, 1700000000), TICKET_OK);
        assert_int_equal(ticket_read(&got, &rules, text.data, text.length, 1700000000, NULL),
                         TICKET_OK);
        assert_null(subscription_body_from_ticket(&body, &got, &roomy));
        assert_true(body.past->topics_known);
        assert_int_equal(body.past->deaf.length, past.deaf.length);
        assert_memory_equal(body.past->deaf.data, past.deaf.data, past.deaf.length);
        subscription_body_free(&body);
        ticket_free(&got);
        bytes_free(&text);
        past_rights_free(&past);
    }
}

static void little_is_enough(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"ep\":[]}",
        "{\"ep\":[],\"bind_key\":null,\"clid\":null,\"last_id\":null,\"connid\":null}",
        "{\"ep\":[],\"clid\":\"\",\"connid\":5}",
        "{\"ep\":[],\"secret\":\"s\",\"connid\":-1}",
        "{\"ep\":[],\"secret\":\"s\",\"connid\":\"5\"}",
        "{\"ep\":[],\"secret\":\"s\\u0000\",\"connid\":5}",
        "{\"ep\":[],\"secret\":\"s\",\"connid\":5.0}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct subscription_body subscription;
        read_well(&subscription, texts[i]);
        assert_int_equal(subscription.topics.count, 0);
        assert_null(subscription.bind_key);
        assert_null(subscription.clid);
        assert_null(subscription.last_id);
        assert_null(subscription.secret);
        assert_int_equal(subscription.connid, 0);
        assert_null(subscription_body_ticket(&subscription, NULL).user);
        subscription_body_free(&subscription);
    }
}

static void bind_keys_are_checked_where_they_are_taken(void **state)
{
    static const struct refusal wrong[] = {
        {"{\"ep\":[],\"bind_key\":7}", "Invalid Bind Key"},
        {"{\"ep\":[],\"bind_key\":{}}", "Invalid Bind Key"},
        {"{\"ep\":[{\"topic\":\"a\",\"binded\":true}],\"bind_key\":null}",
         "Bound topics need a bind key"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct subscription_body body;
        assert_string_equal(subscription_body_read(&body, wrong[i].text, strlen(wrong[i].text),
                                                   SUBSCRIPTION_PROOF, &config),
                            wrong[i].reason);
        subscription_body_free(&body);
    }
}

/* As some editors and libraries put it before a text. */
static void a_byte_order_mark_is_passed_over(void **state)
{
    struct subscription_body body;

    (void)state;
    read_well(&body, "\xef\xbb\xbf{\"ep\":[\"a\"]}");
    assert_int_equal(body.topics.count, 1);
    subscription_body_free(&body);
}

static void a_query_says_the_same(void **state)
{
    struct subscription_body body;

    (void)state;
    assert_null(subscription_body_read_query(&body, "ep=a/+&binded=b&bound=%40USER%40&bind_key=k",
                                             SUBSCRIPTION_PROOF, &config));
    assert_int_equal(body.topics.count, 3);
    assert_true(!body.topics.list[0].bound && body.topics.list[1].bound &&
                body.topics.list[2].bound);
    subscription_body_free(&body);
    /* Of one name, and yet two. */
    assert_null(subscription_body_read_query(&body, "ep=a&bound=a&ep=a&bound=a&bind_key=k",
                                             SUBSCRIPTION_PROOF, &config));
    assert_int_equal(body.topics.count, 2);
    assert_int_not_equal(body.topics.list[0].bound, body.topics.list[1].bound);
    subscription_body_free(&body);
    assert_string_equal(subscription_body_read_query(&body, "clid=x", 0, &config), "Topic missing");
    subscription_body_free(&body);
    assert_null(subscription_body_read_query(&body, "clid=x", SUBSCRIPTION_TOPICS_LATER, &config));
    subscription_body_free(&body);
    assert_ptr_equal(subscription_body_read_query(&body, "ep=a&bind_key=k", 0, &config),
                     SUBSCRIPTION_HAS_BIND_KEY);
    subscription_body_free(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(a_bind_key_is_told_apart),
        cmocka_unit_test(topics_come_once_in_the_order_asked_for),
        cmocka_unit_test(the_client_id_may_be_left_out),
        cmocka_unit_test(who_comes_back_says_who_it_was),
        cmocka_unit_test(depth_and_weight_are_bounded),
        cmocka_unit_test(everything_is_read),
        cmocka_unit_test(little_is_enough),
        cmocka_unit_test(bind_keys_are_checked_where_they_are_taken),
        cmocka_unit_test(topics_that_are_not_heard_pass_a_ticket),
        cmocka_unit_test(a_byte_order_mark_is_passed_over),
        cmocka_unit_test(a_query_says_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
