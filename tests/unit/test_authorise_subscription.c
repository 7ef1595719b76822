#include "authorise_subscription.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct config config = {
    .max_topics = 3, .max_topic_length = 10, .max_topic_levels = 3};

static void read_well(struct subscription *subscription, const char *text)
{
    const char *fault = authorise_subscription_read(subscription, text, strlen(text), &config);
    if (fault != NULL)
        fail_msg("%s: %s", text, fault);
}

static void everything_is_read(void **state)
{
    (void)state;
    struct subscription subscription;
    read_well(&subscription,
              "{\"bind_key\":\"k\\u0000y\",\"clid\":\"page\",\"last_id\":\"7-12\",\"connid\":5,"
              "\"secret\":\"s\",\"more\":[1],"
              "\"ep\":[\"a/+\",{\"topic\":\"@USER@\",\"binded\":true},{\"topic\":\"b\",\"x\":1}]}");
    assert_int_equal(subscription.topic_count, 3);
    assert_string_equal(subscription.topics[0].topic, "a/+");
    assert_int_equal(subscription.topics[0].length, 3);
    assert_false(subscription.topics[0].bound || subscription.topics[2].bound);
    assert_true(subscription.topics[1].bound && subscription.bound);
    assert_string_equal(subscription.clid, "page");
    assert_string_equal(subscription.last_id, "7-12");
    assert_int_equal(subscription.bind_key_length, 3);
    assert_memory_equal(subscription.bind_key, "k\0y", 3);
    assert_int_equal(subscription.connid, 5);
    assert_string_equal(subscription.secret, "s");

    const struct ticket ticket = authorise_subscription_ticket(&subscription, "ana");
    assert_string_equal(ticket.user, "ana");
    assert_ptr_equal(ticket.topics, subscription.topics);
    assert_int_equal(ticket.topic_count, 3);
    assert_string_equal(ticket.clid, "page");
    assert_string_equal(ticket.last_id, "7-12");
    authorise_subscription_free(&subscription);
    assert_null(subscription.topics);
    authorise_subscription_free(&subscription);
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
        struct subscription subscription;
        read_well(&subscription, texts[i]);
        assert_int_equal(subscription.topic_count, 0);
        assert_null(subscription.bind_key);
        assert_null(subscription.clid);
        assert_null(subscription.last_id);
        assert_null(subscription.secret);
        assert_int_equal(subscription.connid, 0);
        assert_false(subscription.bound);
        assert_null(authorise_subscription_ticket(&subscription, NULL).user);
        authorise_subscription_free(&subscription);
    }
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *fault;
    } cases[] = {
        {"", "Invalid JSON in body"},
        {"{\"ep\":[]", "Invalid JSON in body"},
        {"{\"ep\":[]}x", "Invalid JSON in body"},
        {"{\"ep\":[\"\xff\"]}", "Invalid JSON in body"},
        {"null", "Invalid JSON in body"},
        {"[]", "Event Points should be an array"},
        {"\"a\"", "Event Points should be an array"},
        {"{}", "Event Points should be an array"},
        {"{\"ep\":{}}", "Event Points should be an array"},
        {"{\"ep\":[1]}", "Invalid Event Point"},
        {"{\"ep\":[[\"a\"]]}", "Invalid Event Point"},
        {"{\"ep\":[{\"binded\":true}]}", "Topic missing"},
        {"{\"ep\":[{\"topic\":null}]}", "Topic should be a string"},
        {"{\"ep\":[\"a\",\"b\",\"c\",\"d\"]}", "Too many Event Points"},
        {"{\"ep\":[\"\"]}", "Topic is empty"},
        {"{\"ep\":[\"12345678901\"]}", "Topic is too long"},
        {"{\"ep\":[\"a/b/c/d\"]}", "Topic has too many levels"},
        {"{\"ep\":[\"a\\u0000\"]}", "Topic has a NUL character"},
        {"{\"ep\":[],\"clid\":[]}", "Client id should be a string"},
        {"{\"ep\":[],\"clid\":\"a\\u0000\"}", "Client id must not contain NUL"},
        {"{\"ep\":[],\"clid\":\"12345678901\"}", "Client id is too long"},
        {"{\"ep\":[],\"clid\":\"@TOTAL@\"}", "Reserved client id"},
        {"{\"ep\":[],\"last_id\":7}", "Last id should be a string"},
        {"{\"ep\":[],\"last_id\":\"7\\u0000\"}", "Last id must not contain NUL"},
        {"{\"ep\":[{\"topic\":\"a\",\"binded\":true}]}", "Bound topics need a bind key"},
        {"{\"ep\":[{\"topic\":\"a\",\"binded\":true}],\"bind_key\":null}",
         "Bound topics need a bind key"},
        {"{\"ep\":[],\"bind_key\":7}", "Invalid Bind Key"},
        {"{\"ep\":[],\"bind_key\":{}}", "Invalid Bind Key"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct subscription subscription;
        const char *fault = authorise_subscription_read(&subscription, cases[i].text,
                                                        strlen(cases[i].text), &config);
        if (fault == NULL || strcmp(fault, cases[i].fault) != 0)
            fail_msg("%s: %s", cases[i].text, fault != NULL ? fault : "accepted");
        authorise_subscription_free(&subscription);
    }
}

/* Only the JSON value true binds. */
static void what_binds(void **state)
{
    (void)state;
    static const char *const values[] = {"false", "null", "1", "\"true\"", "[]"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char text[80];
        struct subscription subscription;
        (void)snprintf(text, sizeof text, "{\"ep\":[{\"topic\":\"a\",\"binded\":%s}]}", values[i]);
        read_well(&subscription, text);
        assert_false(subscription.bound || subscription.topics[0].bound);
        authorise_subscription_free(&subscription);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_read),
        cmocka_unit_test(little_is_enough),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(what_binds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
