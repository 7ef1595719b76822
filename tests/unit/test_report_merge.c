/* Reports of several daemons become one. */
#include "report_merge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void expect(const char *said, const char *merged)
{
    struct bytes text = BYTES_EMPTY;
    bytes_append_text(&text, said);
    assert_int_equal(report_merge(&text), merged != NULL);
    assert_string_equal(bytes_terminate(&text), merged != NULL ? merged : said);
    bytes_free(&text);
}

static void one_stays_as_it_is(void **state)
{
    (void)state;
    expect("{\"id\":\"7-8\", \"sent\":2,\"had\":1,\"missing\":[{\"connid\":1}]}\n",
           "{\"id\":\"7-8\", \"sent\":2,\"had\":1,\"missing\":[{\"connid\":1}]}\n");
}

static void counts_are_added_and_streams_put_together(void **state)
{
    (void)state;
    expect("{\"id\":\"7-8\",\"sent\":2,\"had\":1,\"missing\":[{\"connid\":1,\"state\":\"open\","
           "\"ms\":4}]}\n"
           "\n{\"id\":\"7-8\",\"sent\":3,\"had\":3,\"missing\":[]}\n"
           "{\"id\":\"7-8\",\"sent\":2000,\"had\":0,\"missing\":[{\"connid\":2,\"state\":\"gone\","
           "\"ms\":5}],\"more\":5}\n",
           "{\"id\":\"7-8\",\"sent\":2005,\"had\":4,\"missing\":[{\"connid\":1,\"state\":\"open\","
           "\"ms\":4},"
           "{\"connid\":2,\"state\":\"gone\",\"ms\":5}],\"more\":5}\n");
}

static void a_stream_that_has_moved_is_named_once(void **state)
{
    (void)state;
    expect("{\"id\":\"7-8\",\"sent\":1,\"had\":0,\"missing\":[{\"connid\":1025,\"state\":\"gone\","
           "\"ms\":9}]}"
           "{\"id\":\"7-8\",\"sent\":1,\"had\":0,\"missing\":[{\"connid\":1025,\"state\":\"open\","
           "\"ms\":1}]}"
           "{\"id\":\"7-8\",\"sent\":1,\"had\":0,\"missing\":[{\"connid\":1025,\"state\":\"gone\","
           "\"ms\":5}]}",
           "{\"id\":\"7-8\",\"sent\":3,\"had\":0,\"missing\":[{\"connid\":1025,\"state\":\"open\","
           "\"ms\":1}]}\n");
}

static void what_is_no_report_is_let_alone(void **state)
{
    (void)state;
    expect("", NULL);
    expect("{\"id\":\"7-8\",\"sent\":1,\"had\":0}{\"id\":", NULL);
    expect("[1][2]", NULL);
    expect("{\"sent\":1}{\"sent\":2}", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_stays_as_it_is),
        cmocka_unit_test(counts_are_added_and_streams_put_together),
        cmocka_unit_test(a_stream_that_has_moved_is_named_once),
        cmocka_unit_test(what_is_no_report_is_let_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
