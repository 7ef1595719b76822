#include "subscription_query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void expect_body(const char *query, const char *wanted)
{
    json_t *body = json_object();

    assert_null(subscription_query_read(body, query));
    char *text = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(text, wanted);
    free(text);
    json_decref(body);
}

static void expect_fault(const char *query, const char *wanted)
{
    json_t *body = json_object();
    const char *fault = subscription_query_read(body, query);

    assert_non_null(fault);
    assert_string_equal(fault, wanted);
    json_decref(body);
}

static void a_query_says_what_a_body_would(void **state)
{
    (void)state;
    expect_body("", "{\"ep\":[]}");
    expect_body("ep=a/b&ep=c/%23&clid=x", "{\"clid\":\"x\",\"ep\":[\"a/b\",\"c/#\"]}");
    expect_body("ep=a/+/b", "{\"ep\":[\"a/+/b\"]}");
    expect_body("last_id=12-3&connid=77&secret=ab&ep=a",
                "{\"connid\":77,\"ep\":[\"a\"],\"last_id\":\"12-3\",\"secret\":\"ab\"}");
    expect_body("binded=x&ep=y&bind_key=a%2Bb%3D",
                "{\"bind_key\":\"a+b=\",\"ep\":[\"y\",{\"binded\":true,\"topic\":\"x\"}]}");
    expect_body(
        "private=x&bound=x&ep=x&private=a/%2B",
        "{\"ep\":[\"x\",{\"binded\":true,\"topic\":\"x\"},{\"private\":true,\"topic\":\"x\"},"
        "{\"private\":true,\"topic\":\"a/+\"}]}");
    expect_body("ep=a&wait=0&something=else", "{\"ep\":[\"a\"],\"wait\":0}");
    expect_body("ep", "{\"ep\":[\"\"]}"); /* refused later, as an empty topic */
}

static void what_was_had_last_has_many_names(void **state)
{
    (void)state;
    static const char *const names[] = {"lastEventId",   "lastEventID",   "last-event-id",
                                        "Last-Event-ID", "last_event_id", "Last-Event-Id"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char query[80];
        (void)snprintf(query, sizeof query, "ep=a&last_id=7-1&%s=7-2", names[i]);
        expect_body(query, "{\"ep\":[\"a\"],\"last_id\":\"7-2\"}");
        (void)snprintf(query, sizeof query, "%s=7-2&ep=a&last_id=7-1", names[i]);
        expect_body(query, "{\"ep\":[\"a\"],\"last_id\":\"7-2\"}");
        (void)snprintf(query, sizeof query, "ep=a&last_id=7-1&%s=", names[i]);
        expect_body(query, "{\"ep\":[\"a\"],\"last_id\":\"7-1\"}");
    }
    expect_fault("ep=a&lastEventId=%ff", "The query is not UTF-8");
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    expect_fault("ep=%zz", "Invalid percent-encoding in the query");
    expect_fault("ep=a&clid=%", "Invalid percent-encoding in the query");
    expect_fault("ep=%ff", "The query is not UTF-8");
    expect_fault("ep=a&clid=%c3", "The query is not UTF-8");
    expect_fault("ep=a&connid=x", "connid should be a number");
    expect_fault("ep=a&connid=", "connid should be a number");
    expect_fault("ep=a&connid=99999999999999999999", "connid should be a number");
    expect_fault("ep=a&wait=-1", "wait should be a number of milliseconds");
    expect_fault("ep=a&wait=1s", "wait should be a number of milliseconds");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_query_says_what_a_body_would),
        cmocka_unit_test(what_was_had_last_has_many_names),
        cmocka_unit_test(what_is_wrong_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
