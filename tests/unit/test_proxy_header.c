#include "net/proxy_header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

/* Also one byte after the other: it needs more until it is whole, or is refused at some byte. */
static enum proxy_header_verdict read_it(struct proxy_header *header, const char *bytes,
                                         size_t length)
{
    enum proxy_header_verdict verdict = PROXY_HEADER_NEED_MORE;

    for (size_t i = 0; i <= length && verdict == PROXY_HEADER_NEED_MORE; i++)
        verdict = proxy_header_read(header, bytes, i);
    assert_int_equal(proxy_header_read(header, bytes, length), verdict);
    return verdict;
}

static void expect_client(const char *bytes, size_t length, const char *address)
{
    struct proxy_header header;
    char text[IP_ADDRESS_TEXT_SIZE];

    assert_int_equal(read_it(&header, bytes, length), PROXY_HEADER_COMPLETE);
    assert_int_equal(header.length, length);
    assert_false(header.is_proxys);
    assert_int_equal(header.has_address, address != NULL);
    if (address != NULL)
        assert_string_equal(ip_address_write(&header.address, text), address);
}

static void expect_line(const char *line, const char *address)
{
    expect_client(line, strlen(line), address);
}

static void refuse(const char *bytes, size_t length)
{
    struct proxy_header header;

    if (read_it(&header, bytes, length) != PROXY_HEADER_REFUSED)
        fail_msg("not refused: %s", bytes);
}

static void refuse_line(const char *line)
{
    refuse(line, strlen(line));
}

static void a_line_says_whose_it_is(void **state)
{
    (void)state;
    expect_line("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n", "192.0.2.1");
    expect_line("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255");
    expect_line("PROXY TCP6 2001:db8::1 ::1 0 1\r\n", "2001:db8::1");
    expect_line("PROXY UNKNOWN\r\n", NULL);
    expect_line("PROXY UNKNOWN ffff:f...f:ffff anything at all\r\n", NULL);
}

static void a_line_that_is_none_is_refused(void **state)
{
    static const char *const lines[] = {
        "GET / HTTP/1.1\r\n",
        "proxy TCP4 192.0.2.1 198.51.100.1 1 2\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 1 2\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 1\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 1 2 \r\n",
        "PROXY TCP4  192.0.2.1 198.51.100.1 1 2\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 01 2\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 1 65536\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 -1 2\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 1 x\r\n",
        "PROXY TCP4 192.0.2.1 name 1 2\r\n",
        "PROXY TCP4 192.0.2.256 198.51.100.1 1 2\r\n",
        "PROXY TCP4 2001:db8::1 198.51.100.1 1 2\r\n",
        "PROXY TCP6 2001:db8::1 198.51.100.1 1 2\r\n",
        "PROXY TCP6 192.0.2.1 198.51.100.1 1 2\r\n",
        "PROXY UDP4 192.0.2.1 198.51.100.1 1 2\r\n",
        "PROXY UNKNOWNS\r\n",
        "PROXY \r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 1 2 "
        "111111111111111111111111111111111111111111111111111111"
        "1111111111111111111111\r\n",
    };
    static const char nul[] = "PROXY TCP4 192.0.2.1 198.51.100.1 1 2\0\r\n";

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        refuse_line(lines[i]);
    refuse(nul, sizeof nul - 1);
}

static void bytes_say_whose_it_is(void **state)
{
    static const char ipv4[] = SIGNATURE "\x21\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\1\xdc\4\1\xbb";
    static const char more[] =
        SIGNATURE "\x21\x11\0\x13\xc0\0\2\1\xc6\x33\x64\1\xdc\4\1\xbb\x03\0\4abcd";
    static const char ipv6[] = SIGNATURE "\x21\x21\0\x24\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
                                         "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2\xdc\4\1\xbb";
    static const char unspecified[] = SIGNATURE "\x21\0\0\0";

    (void)state;
    expect_client(ipv4, sizeof ipv4 - 1, "192.0.2.1");
    expect_client(more, sizeof more - 1, "192.0.2.1");
    expect_client(ipv6, sizeof ipv6 - 1, "2001:db8::1");
    expect_client(unspecified, sizeof unspecified - 1, NULL);
}

static void a_proxy_may_come_for_itself(void **state)
{
    static const char local[] = SIGNATURE "\x20\0\0\0";
    static const char with_address[] =
        SIGNATURE "\x20\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\1\xdc\4\1\xbb";
    struct proxy_header header;

    (void)state;
    assert_int_equal(read_it(&header, local, sizeof local - 1), PROXY_HEADER_COMPLETE);
    assert_true(header.is_proxys);
    assert_false(header.has_address);
    assert_int_equal(read_it(&header, with_address, sizeof with_address - 1),
                     PROXY_HEADER_COMPLETE);
    assert_true(header.is_proxys);
    assert_false(header.has_address);
}

static void bytes_that_are_none_are_refused(void **state)
{
    static const char version[] = SIGNATURE "\x11\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\1\xdc\4\1\xbb";
    static const char command[] = SIGNATURE "\x22\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\1\xdc\4\1\xbb";
    static const char family[] = SIGNATURE "\x21\x41\0\x0c\xc0\0\2\1\xc6\x33\x64\1\xdc\4\1\xbb";
    static const char protocol[] = SIGNATURE "\x21\x13\0\x0c\xc0\0\2\1\xc6\x33\x64\1\xdc\4\1\xbb";
    static const char short_ipv4[] = SIGNATURE "\x21\x11\0\x0b\xc0\0\2\1\xc6\x33\x64\1\xdc\4\1";
    static const char too_long[] = SIGNATURE "\x21\x11\xff\xff\xc0\0\2\1\xc6\x33\x64\1\xdc\4\1\xbb";
    static const char other[] = "\r\n\r\n\0\r\nQUIT\r";

    (void)state;
    refuse(version, sizeof version - 1);
    refuse(command, sizeof command - 1);
    refuse(family, sizeof family - 1);
    refuse(protocol, sizeof protocol - 1);
    refuse(short_ipv4, sizeof short_ipv4 - 1);
    refuse(too_long, sizeof too_long - 1);
    refuse(other, sizeof other - 1);
}

static void what_follows_is_the_clients(void **state)
{
    static const char line[] = "PROXY TCP4 192.0.2.1 198.51.100.1 1 2\r\nPROXY TCP4 no\r\n";
    struct proxy_header header;

    (void)state;
    assert_int_equal(proxy_header_read(&header, line, sizeof line - 1), PROXY_HEADER_COMPLETE);
    assert_int_equal(header.length, strchr(line, '\n') + 1 - line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_says_whose_it_is),
        cmocka_unit_test(a_line_that_is_none_is_refused),
        cmocka_unit_test(bytes_say_whose_it_is),
        cmocka_unit_test(a_proxy_may_come_for_itself),
        cmocka_unit_test(bytes_that_are_none_are_refused),
        cmocka_unit_test(what_follows_is_the_clients),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
