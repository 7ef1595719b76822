/* Whose pages may read answers: the header lines, byte for byte. */
#include "cors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static char any[] = "*", shop[] = "https://shop.example", local[] = "http://localhost:8080";
static char *const everybody[] = {any, NULL};
static char *const listed[] = {shop, local, NULL};

#define NO_ORIGIN "Vary: Origin\r\n"

static void assert_lines(char *const *origins, const char *origin, const char *expected)
{
    struct bytes out = BYTES_EMPTY;

    cors_append_allow(&out, origins, origin);
    assert_string_equal(bytes_terminate(&out), expected);
    bytes_free(&out);
}

static void anybody_may_without_a_list(void **state)
{
    (void)state;
    assert_lines(everybody, NULL, "Access-Control-Allow-Origin: *\r\n");
    assert_lines(NULL, "https://other.example", "Access-Control-Allow-Origin: *\r\n");
    assert_true(cors_allows(everybody, "null"));
}

static void with_a_list_those_alone(void **state)
{
    static const char *const others[] = {"https://shop.example.evil.example",
                                         "https://shop.exampl",
                                         "HTTPS://shop.example",
                                         "https://shop.example/",
                                         "null",
                                         "http://localhost",
                                         "*",
                                         ""};

    (void)state;
    assert_lines(listed, "http://localhost:8080",
                 NO_ORIGIN "Access-Control-Allow-Origin: http://localhost:8080\r\n"
                           "Access-Control-Allow-Credentials: true\r\n");
    assert_lines(listed, NULL, NO_ORIGIN);
    assert_true(cors_allows(listed, NULL));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_lines(listed, others[i], NO_ORIGIN);
        assert_false(cors_allows(listed, others[i]));
    }
}

static void a_list_has_what_browsers_send(void **state)
{
    static const char *const good[] = {"https://shop.example", "http://localhost:8080",
                                       "http://[::1]:3000", "https://xn--bcher-kva.example:8443"};
    static const char *const bad[] = {"shop.example",
                                      "https://",
                                      "https://Shop.example",
                                      "https://shop.example/",
                                      "https://shop.example:443",
                                      "http://shop.example:80",
                                      "https://shop.example:",
                                      "https://*.example",
                                      "null"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!cors_is_origin(good[i]))
            fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (cors_is_origin(bad[i]))
            fail_msg("taken: %s", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(anybody_may_without_a_list),
        cmocka_unit_test(with_a_list_those_alone),
        cmocka_unit_test(a_list_has_what_browsers_send),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
