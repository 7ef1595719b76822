#include "http/forwarded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static const char *client_of(const char *list, enum forwarded_form form)
{
    static char text[IP_ADDRESS_TEXT_SIZE];
    struct address_range proxies[2];
    struct ip_address client;

    assert_true(address_range_read(&proxies[0], "10.0.0.0/8"));
    assert_true(address_range_read(&proxies[1], "2001:db8:ffff::/48"));
    return forwarded_find_client(&client, list, form, proxies, 2) ? ip_address_write(&client, text)
                                                                  : "none";
}

static void the_last_that_is_no_proxy_counts(void **state)
{
    static const char *const cases[][2] = {
        {"192.0.2.1", "192.0.2.1"},
        {"192.0.2.1, 198.51.100.7", "198.51.100.7"},
        {"192.0.2.1,198.51.100.7 , 10.0.0.3\t", "198.51.100.7"},
        {"192.0.2.1, 10.1.1.1, 10.0.0.3", "192.0.2.1"},
        {"10.1.1.1, 10.0.0.3", "10.1.1.1"},
        {"192.0.2.1:4711", "192.0.2.1"},
        {"2001:db8::7", "2001:db8::7"},
        {"[2001:db8::7]", "2001:db8::7"},
        {"[2001:db8::7]:4711", "2001:db8::7"},
        {"192.0.2.1, [2001:db8:ffff::1]:80", "192.0.2.1"},
        {"::ffff:192.0.2.9", "192.0.2.9"},
        {"192.0.2.1, ,", "192.0.2.1"},
        {"\", 192.0.2.1", "192.0.2.1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(client_of(cases[i][0], FORWARDED_X_FORWARDED_FOR), cases[i][1]);
}

static void what_is_no_address_ends_what_is_known(void **state)
{
    static const char *const cases[][2] = {
        {"", "none"},
        {",", "none"},
        {"unknown", "none"},
        {"192.0.2.1, unknown", "none"},
        {"192.0.2.1, unknown, 10.0.0.3", "10.0.0.3"},
        {"192.0.2.1, 256.1.1.1", "none"},
        {"[2001:db8::7", "none"},
        {"[2001:db8::7]x", "none"},
        {"[]", "none"},
        {"192.0.2.1 192.0.2.2", "none"},
        {"00000000000000000000000000000000000000000000000000000000192.0.2.1", "none"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(client_of(cases[i][0], FORWARDED_X_FORWARDED_FOR), cases[i][1]);
}

static void the_standard_header_is_read_likewise(void **state)
{
    static const char *const cases[][2] = {
        {"for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60"},
        {"proto=http;For=192.0.2.60", "192.0.2.60"},
        {"for=192.0.2.43, for=198.51.100.17", "198.51.100.17"},
        {"for=192.0.2.43, for=10.0.0.1;by=\"_a;b,c\"", "192.0.2.43"},
        {"for=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"},
        {"for=\"192.0.2.43:47011\"", "192.0.2.43"},
        {"for=\"_gazonk\"", "none"},
        {"for=unknown", "none"},
        {"proto=https", "none"},
        {"192.0.2.1", "none"},
        /* Somebody in front left quotes open. */
        {"for=\", for=192.0.2.43", "192.0.2.43"},
        {"for=\"192.0.2.1, for=192.0.2.43;proto=http", "192.0.2.43"},
        {"for=\"192.0.2.12;proto=http", "none"},
        {"for=\"", "none"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(client_of(cases[i][0], FORWARDED_RFC_7239), cases[i][1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_that_is_no_proxy_counts),
        cmocka_unit_test(what_is_no_address_ends_what_is_known),
        cmocka_unit_test(the_standard_header_is_read_likewise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
