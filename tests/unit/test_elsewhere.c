/* Where a request stands at another of several daemons. */
#include "requests/elsewhere.h"

#include "bytes.h"
#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void expect(const char *own, const char *way, const char *path, const char *query,
                   const char *location)
{
    struct bytes out = BYTES_EMPTY;

    elsewhere_write_location(&out, own, way, path, query);
    assert_string_equal(bytes_terminate(&out), location);
    bytes_free(&out);
}

static void a_path_is_relative_to_where_the_request_came(void **state)
{
    (void)state;
    expect("node/1/", "node/3/", "/alive", "", "node/3/alive?sent_on=1");
    expect("node/1/", "node/3/", "/node/1/alive", "", "../../node/3/alive?sent_on=1");
    expect("a/", "b/c/", "/a/poll", "connid=7", "../b/c/poll?connid=7&sent_on=1");
    expect(NULL, "node/3/", "/poll", "a=b&c", "node/3/poll?a=b&c&sent_on=1");
    /* Another's way is no part of it that would be left out. */
    expect("node/1/", "node/3/", "/node/11/alive", "", "node/3/node/11/alive?sent_on=1");
}

static void an_address_is_one(void **state)
{
    (void)state;
    expect("node/1/", "https://three.example/n/", "/node/1/alive", "",
           "https://three.example/n/alive?sent_on=1");
    expect("https://one.example/", "https://three.example/", "/alive", "",
           "https://three.example/alive?sent_on=1");
}

static void its_own_way_is_left_out_of_a_path(void **state)
{
    (void)state;
    char way[] = "node/1/";
    struct config config = {.node_url = way};

    assert_string_equal(elsewhere_plain_path(&config, "/node/1/alive"), "/alive");
    assert_string_equal(elsewhere_plain_path(&config, "/node/1/"), "/");
    assert_string_equal(elsewhere_plain_path(&config, "/node/1"), "/node/1");
    assert_string_equal(elsewhere_plain_path(&config, "/node/2/alive"), "/node/2/alive");
    assert_string_equal(elsewhere_plain_path(&config, "/alive"), "/alive");
    config.node_url = NULL;
    assert_string_equal(elsewhere_plain_path(&config, "/node/1/alive"), "/node/1/alive");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_is_relative_to_where_the_request_came),
        cmocka_unit_test(an_address_is_one),
        cmocka_unit_test(its_own_way_is_left_out_of_a_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
