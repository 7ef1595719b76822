#include "requests/client_message.h"
#include "topics/audience.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct config config = {
    .max_topics = 5, .max_topic_length = 20, .max_topic_levels = 4};

static const char *read_text(struct client_message *message, const char *text, size_t length)
{
    /* A copy without neighbours, so that reading past it is caught. */
    char *copy = malloc(length ? length : 1);

    assert_non_null(copy);
    memcpy(copy, text, length);
    const char *fault = client_message_read(message, copy, length, false, &config);
    free(copy);
    return fault;
}

static void must_read(struct client_message *message, const char *text)
{
    const char *fault = read_text(message, text, strlen(text));

    if (fault != NULL)
        fail_msg("%s: %s", fault, text);
}

static const struct refusal {
    const char *text;
    const char *reason;
} refusals[] = {
    {"{\"subscribe\":[],\"ticket\":7}", "Ticket should be a string"},
    {"{\"subscribe\":[{\"topic\":\"a\",\"private\":true}]}", "Private topics need a proof: a"},
    {"{\"subscribe\":[\"@USER@\"]}", "Topic @USER@ should be binded or private"},
    {"", "Invalid JSON in message"},
    {"{", "Invalid JSON in message"},
    {"subscribe", "Invalid JSON in message"},
    {"{\"ping\":1} {}", "Invalid JSON in message"},
    {"{\"ping\":\"\xff\"}", "Invalid JSON in message"},
    {"null", "Message should be an object"},
    {"5", "Message should be an object"},
    {"[\"subscribe\"]", "Message should be an object"},
    {"{}", "Message should be subscribe, unsubscribe, alive, had or ping"},
    {"{\"Subscribe\":[]}", "Message should be subscribe, unsubscribe, alive, had or ping"},
    {"{\"subscribe\":[],\"unsubscribe\":[]}", "Message asks for several things at once"},
    {"{\"ping\":1,\"alive\":\"x\"}", "Message asks for several things at once"},
    {"{\"subscribe\":\"a\"}", "Event Points should be an array"},
    {"{\"subscribe\":null}", "Event Points should be an array"},
    {"{\"subscribe\":[5]}", "Invalid Event Point"},
    {"{\"subscribe\":[{}]}", "Topic missing"},
    {"{\"subscribe\":[{\"topic\":5}]}", "Topic should be a string"},
    {"{\"subscribe\":[\"\"]}", "Topic is empty"},
    {"{\"subscribe\":[\"a\\u0000b\"]}", "Topic has a NUL character"},
    {"{\"subscribe\":[{\"topic\":\"a\",\"binded\":true}]}", "Bound topics need a bind key"},
    {"{\"subscribe\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\"]}", "Too many Event Points"},
    {"{\"subscribe\":[\"a\"],\"last_id\":5}", "Last id should be a string"},
    {"{\"unsubscribe\":{}}", "Event Points should be an array"},
    {"{\"unsubscribe\":[null]}", "Invalid Event Point"},
    {"{\"unsubscribe\":[\"123456789012345678901\"]}", "Topic is too long"},
    {"{\"alive\":5}", "Secret should be a string"},
    {"{\"alive\":null}", "Secret should be a string"},
};

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct client_message message;
        const char *fault = read_text(&message, refusals[i].text, strlen(refusals[i].text));
        if (fault == NULL || strcmp(fault, refusals[i].reason) != 0)
            fail_msg("%s, not %s: %s", fault != NULL ? fault : "taken", refusals[i].reason,
                     refusals[i].text);
        client_message_free(&message);
    }
}

static void subscribing_names_each_topic_once(void **state)
{
    struct client_message message;

    (void)state;
    must_read(&message, "{\"subscribe\":[\"b\",{\"topic\":\"a/+\"},\"b\"]}");
    assert_int_equal(message.kind, CLIENT_SUBSCRIBE);
    assert_int_equal(message.topics.count, 2);
    assert_string_equal(message.topics.list[0].text, "b");
    assert_string_equal(message.topics.list[1].text, "a/+");
    assert_int_equal(message.topics.list[1].length, 3);
    assert_int_equal(message.topics.list[1].bound, false);
    assert_null(message.last_id);
    client_message_free(&message);
    assert_null(message.topics.list);
}

static void subscribing_may_name_the_past(void **state)
{
    struct client_message message;

    (void)state;
    must_read(&message, "{\"subscribe\":[],\"last_id\":\"1-2\"}");
    assert_int_equal(message.topics.count, 0);
    assert_string_equal(message.last_id, "1-2");
    assert_int_equal(message.last_id_length, 3);
    client_message_free(&message);
    must_read(&message, "{\"subscribe\":[\"a\"],\"last_id\":null,\"other\":{}}");
    assert_null(message.last_id);
    client_message_free(&message);
}

static void subscribing_may_bring_a_ticket(void **state)
{
    struct client_message message;

    (void)state;
    must_read(&message, "{\"subscribe\":[\"a\"],\"ticket\":\"x.y.z\"}");
    assert_int_equal(message.topics.count, 1);
    assert_string_equal(message.ticket, "x.y.z");
    assert_int_equal(message.ticket_length, 5);
    client_message_free(&message);
    must_read(&message, "{\"subscribe\":[],\"ticket\":null}");
    assert_null(message.ticket);
    client_message_free(&message);
}

static void unsubscribing_may_name_bound_topics(void **state)
{
    struct client_message message;

    (void)state;
    must_read(&message,
              "{\"unsubscribe\":[{\"topic\":\"a\",\"binded\":true},\"a\","
              "{\"topic\":\"@USER@\",\"binded\":true},{\"topic\":\"@USER@\",\"private\":true},"
              "{\"topic\":\"a\",\"private\":true}]}");
    assert_int_equal(message.kind, CLIENT_UNSUBSCRIBE);
    assert_int_equal(message.topics.count, 4);
    assert_int_equal(audience_kind_of(&message.topics.list[3]), SUBSCRIPTION_PRIVATE);
    assert_int_equal(message.topics.list[0].bound, true);
    assert_int_equal(message.topics.list[1].bound, false);
    assert_int_equal(audience_kind_of(&message.topics.list[2]), SUBSCRIPTION_INBOX);
    client_message_free(&message);
}

static void the_rest_is_read(void **state)
{
    struct client_message message;

    (void)state;
    must_read(&message, "{\"alive\":\"00ff\"}");
    assert_int_equal(message.kind, CLIENT_ALIVE);
    assert_string_equal(message.secret, "00ff");
    assert_int_equal(message.secret_length, 4);
    client_message_free(&message);
    must_read(&message, " {\"ping\":null}\r");
    assert_int_equal(message.kind, CLIENT_PING);
    client_message_free(&message);
    client_message_free(&message); /* harmless */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(subscribing_names_each_topic_once),
        cmocka_unit_test(subscribing_may_name_the_past),
        cmocka_unit_test(subscribing_may_bring_a_ticket),
        cmocka_unit_test(unsubscribing_may_name_bound_topics),
        cmocka_unit_test(the_rest_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
