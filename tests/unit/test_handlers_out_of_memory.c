/* Every allocation of what the handlers read fails once: what they answer is whole, or says
 * that memory was wanting, and nothing is leaked (AddressSanitizer says so). */
#include "failing_memory.h"
#include "publish_request.h"
#include "subscription_body.h"
#include "user_list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

enum { NO_END = 5000 };

/* True when the attempt went well; it may not unless nothing fails. */
static void try_each(bool (*attempt)(void), unsigned least)
{
    uint64_t n = 0;
    bool failed = true;

    while (failed) {
        assert_true(++n < NO_END);
        failing_memory_at(n);
        bool good = attempt();
        failed = failing_memory_stop();
        assert_true(good || failed);
    }
    assert_true(n > least);
}

static bool read_post(void)
{
    static const char body[] =
        "{\"id\":\"once\",\"ep\":[\"a\",{\"topic\":\"b/c\",\"whisper\":7},\"d/+\"],"
        "\"bind_key\":\"k\",\"e\":{\"type\":\"t\",\"detail\":{\"x\":[1,\"\\u00e9\",1e400]}}}";
    static const struct publish_limits limits = {.max_depth = 10,
                                                 .max_event_points = 5,
                                                 .max_users = 5,
                                                 .max_topic_length = 20,
                                                 .max_topic_levels = 4,
                                                 .max_within_ms = 60000};
    struct publish_request request;
    struct publish_fault fault = {0};
    bool good = publish_request_parse(&request, body, sizeof body - 1, &limits, &fault);

    if (good) {
        assert_int_equal(request.count, 3);
        assert_string_equal(bytes_terminate(&request.event),
                            "{\"type\":\"t\",\"detail\":{\"x\":[1,\"\\u00e9\",1e400]}}");
    } else if (fault.status != 500) {
        fail_msg("%d %s", fault.status, fault.reason); /* it is not the publisher's fault */
    }
    publish_request_free(&request);
    return good;
}

static void a_post_is_read_whole_or_answered_500(void **state)
{
    (void)state;
    try_each(read_post, 3);
}

static bool read_subscription(void)
{
    static const char body[] = "{\"ep\":[\"a\",\"b\",{\"topic\":\"@USER@\",\"binded\":true}],"
                               "\"bind_key\":\"k\",\"clid\":\"c\",\"last_id\":\"1-2\"}";
    static const struct config config = {
        .max_topics = 3, .max_topic_length = 10, .max_topic_levels = 3};
    struct subscription_body subscription;
    const char *fault =
        subscription_body_read(&subscription, body, sizeof body - 1, SUBSCRIPTION_PROOF, &config);

    if (fault != NULL)
        assert_ptr_equal(fault, REQUESTED_TOPICS_NO_MEMORY);
    else
        assert_int_equal(subscription.topics.count, 3);
    subscription_body_free(&subscription);
    return fault == NULL;
}

static void a_subscription_is_read_whole_or_not_at_all(void **state)
{
    (void)state;
    try_each(read_subscription, 1);
}

static bool read_users(void)
{
    static const char text[] = "[\"ana\",\"*\",\"one whose name is too long for the first piece of "
                               "memory, so that there is a second\"]";
    struct user_list list = USER_LIST_EMPTY;
    enum user_list_result result = user_list_read(&list, text, sizeof text - 1);

    if (result == USER_LIST_OK) {
        assert_true(list.everyone && list.count == 2 && user_list_has(&list, "ana"));
    } else {
        assert_int_equal(result, USER_LIST_NO_MEMORY);
        assert_true(!list.everyone && list.count == 0 && !user_list_has(&list, "ana"));
    }
    user_list_free(&list);
    return result == USER_LIST_OK;
}

static void a_list_of_users_is_read_whole_or_empty(void **state)
{
    (void)state;
    try_each(read_users, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_post_is_read_whole_or_answered_500),
        cmocka_unit_test(a_subscription_is_read_whole_or_not_at_all),
        cmocka_unit_test(a_list_of_users_is_read_whole_or_empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
