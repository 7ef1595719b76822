#include "credentials.h"
#include "query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static void expect(const char **at, const char *name, const char *wanted)
{
    struct bytes value = BYTES_EMPTY;

    assert_int_equal(query_next(at, name, QUERY_PLUS_IS_BLANK, &value), QUERY_FOUND);
    assert_string_equal(bytes_terminate(&value), wanted);
    bytes_free(&value);
}

static void expect_end(const char *at, const char *name)
{
    struct bytes value = BYTES_EMPTY;

    assert_int_equal(query_next(&at, name, QUERY_PLUS_IS_BLANK, &value), QUERY_END);
    assert_int_equal(value.length, 0);
    bytes_free(&value);
}

static void values_come_in_order_and_decoded(void **state)
{
    const char *at = "a=1&b=x%20y+z&a=%C3%BC&ab=3&a&a=";

    (void)state;
    expect(&at, "a", "1");
    expect(&at, "a", "\xc3\xbc");
    expect(&at, "a", "");
    expect(&at, "a", "");
    expect_end(at, "a");
    at = "a=1&b=x%20y+z";
    expect(&at, "b", "x y z");
    expect_end("", "a");
    expect_end("&&&", "a");
    expect_end("aa=1", "a");
}

static void broken_encoding_is_told_from_nothing(void **state)
{
    static const char *const broken[] = {"a=%", "a=%4", "a=%zz", "a=1%", "a=%4&a=2"};
    struct bytes value = BYTES_EMPTY;

    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        const char *at = broken[i];
        assert_int_equal(query_next(&at, "a", QUERY_PLUS_IS_BLANK, &value), QUERY_BROKEN);
    }
    bytes_free(&value);
}

static void a_plus_alone_in_a_level_is_a_wildcard(void **state)
{
    static const char *const pairs[][2] = {
        {"ep=+", "+"},       {"ep=a/+", "a/+"},     {"ep=+/b", "+/b"},   {"ep=a/+/b", "a/+/b"},
        {"ep=a+b", "a b"},   {"ep=a/++", "a/  "},   {"ep=+a/b", " a/b"}, {"ep=a/%2B/b", "a/+/b"},
        {"ep=c/%23", "c/#"}, {"ep=+/+/+", "+/+/+"}, {"ep=%20/x", " /x"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct bytes topic = BYTES_EMPTY;
        const char *at = pairs[i][0];
        assert_int_equal(query_next(&at, "ep", QUERY_PLUS_IS_LEVEL, &topic), QUERY_FOUND);
        assert_string_equal(bytes_terminate(&topic), pairs[i][1]);
        bytes_free(&topic);
    }
}

static void a_plus_in_a_secret_is_itself(void **state)
{
    struct bytes secret = BYTES_EMPTY;

    (void)state;
    assert_true(query_find_secret("a=1&token=abc+d%2Bef==&token=x", "token", &secret));
    assert_string_equal(bytes_terminate(&secret), "abc+d+ef==");
    assert_false(query_find_secret("token=abc%2", "token", &secret));
    assert_true(query_has("token=abc%2", "token") && query_has("a&token", "token"));
    assert_false(query_has("tokens=1&atoken=1", "token"));
    bytes_free(&secret);
}

/* A header of a gateway's own must not hide the right token. */
static void a_token_counts_wherever_it_stands(void **state)
{
    static char first[] = "abc+def", second[] = "second";
    static char *values[] = {first, second};
    static const struct secret_list tokens = {values, 2};

    (void)state;
    assert_int_equal(credentials_find(&tokens, "token=abc+def", NULL), 0);
    assert_int_equal(credentials_find(&tokens, "token=abc%2Bdef", "Bearer foreign"), 0);
    assert_int_equal(credentials_find(&tokens, "token=wrong", "bearer  second"), 1);
    assert_int_equal(credentials_find(&tokens, "", "Basic second"), 2);
    assert_int_equal(credentials_find(&tokens, "token=", "Bearer "), 2);
    assert_int_equal(credentials_find(&tokens, "token=%zz", NULL), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_come_in_order_and_decoded),
        cmocka_unit_test(broken_encoding_is_told_from_nothing),
        cmocka_unit_test(a_plus_alone_in_a_level_is_a_wildcard),
        cmocka_unit_test(a_plus_in_a_secret_is_itself),
        cmocka_unit_test(a_token_counts_wherever_it_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
