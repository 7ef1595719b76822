/* Ranges of addresses: what is read, what is refused, what is in them. */
#include "address_range.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static bool is_in(const char *text, const char *address)
{
    struct address_range range;
    if (!address_range_read(&range, text))
        fail_msg("%s", text);
    return address_range_contains(&range, 1, address);
}

static void test_what_is_in_a_range(void **state)
{
    (void)state;
    assert_true(is_in("10.0.0.0/8", "10.255.0.1"));
    assert_false(is_in("10.0.0.0/8", "11.0.0.0"));
    assert_true(is_in("192.168.4.0/22", "192.168.7.255"));
    assert_false(is_in("192.168.4.0/22", "192.168.8.0"));
    assert_true(is_in("127.0.0.1", "127.0.0.1"));
    assert_false(is_in("127.0.0.1", "127.0.0.2"));
    assert_true(is_in("0.0.0.0/0", "203.0.113.9"));
    assert_false(is_in("0.0.0.0/0", "2001:db8::1"));
    assert_true(is_in("::/0", "203.0.113.9"));
    assert_true(is_in("2001:db8::/33", "2001:db8:7fff::1"));
    assert_false(is_in("2001:db8::/33", "2001:db8:8000::1"));
    assert_true(is_in("10.0.0.0/8", "::ffff:10.1.2.3")); /* the same, as IPv6 has it */
    assert_true(is_in("::1", "0:0:0:0:0:0:0:1"));
    assert_true(is_in("192.0.2.7/32", "192.0.2.7")); /* one alone, said in full */
    assert_false(is_in("192.0.2.7/32", "192.0.2.6"));
    assert_true(is_in("2001:db8::7/128", "2001:db8::7"));
    assert_false(is_in("2001:db8::7/128", "2001:db8::6"));
}

static void test_what_is_no_address_is_nowhere(void **state)
{
    (void)state;
    static const char *const no[] = {"", "localhost", "10.1", "10.0.0.1:80", "unix:", "[::1]"};
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        assert_false(is_in("::/0", no[i]));
    assert_false(address_range_contains(NULL, 0, "127.0.0.1"));
}

static void test_what_is_no_range_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "/8",
                                      "10.0.0.0/",
                                      "10.0.0.0/33",
                                      "10.0.0.0/a",
                                      "10.0.0.0/8a",
                                      "10.0.0.0/08888",
                                      "10.0.0.1/8",
                                      "::1/64",
                                      "::/129",
                                      "10.0.0/8",
                                      "localhost",
                                      "10.0.0.0/-1",
                                      "1.2.3.4/8/8"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct address_range range;
        if (address_range_read(&range, bad[i]))
            fail_msg("%s", bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_in_a_range),
        cmocka_unit_test(test_what_is_no_address_is_nowhere),
        cmocka_unit_test(test_what_is_no_range_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
