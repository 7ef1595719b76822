#include "bytes.h"
#include "utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include <cmocka.h>

static void assert_text(struct bytes *bytes, const char *expected)
{
    assert_false(bytes->failed);
    assert_int_equal(bytes->length, strlen(expected));
    assert_string_equal(bytes_terminate(bytes), expected);
    bytes_free(bytes);
}

static void appends_what_it_is_given(void **state)
{
    (void)state;
    struct bytes bytes = BYTES_EMPTY;
    bytes_append(&bytes, "ab\0c", 4);
    bytes_append(&bytes, NULL, 0);
    assert_int_equal(bytes.length, 4);
    assert_memory_equal(bytes.data, "ab\0c", 4);
    bytes_clear(&bytes);
    bytes_append_text(&bytes, "x=");
    bytes_append_number(&bytes, 0);
    bytes_append_text(&bytes, ",");
    bytes_append_number(&bytes, UINT64_MAX);
    bytes_append_format(&bytes, ";%s-%d", "y", -7);
    assert_text(&bytes, "x=0,18446744073709551615;y--7");
}

static void grows_and_keeps_its_content(void **state)
{
    (void)state;
    struct bytes bytes = BYTES_EMPTY;
    for (unsigned i = 0; i < 100000; i++) {
        char byte = (char)(i % 251);
        bytes_append(&bytes, &byte, 1);
    }
    assert_false(bytes.failed);
    assert_int_equal(bytes.length, 100000);
    for (unsigned i = 0; i < 100000; i++)
        assert_int_equal((unsigned char)bytes.data[i], i % 251);
    bytes_free(&bytes);
    assert_null(bytes.data);
    bytes_append_text(&bytes, "again");
    assert_text(&bytes, "again");
}

static void remembers_that_memory_ran_out(void **state)
{
    (void)state;
    struct bytes bytes = BYTES_EMPTY;
    bytes_append_text(&bytes, "a");
    assert_false(bytes_reserve(&bytes, SIZE_MAX));
    assert_true(bytes.failed);
    bytes_append_text(&bytes, "b");
    bytes_append_number(&bytes, 1);
    assert_int_equal(bytes.length, 1);
    assert_null(bytes_terminate(&bytes));
    assert_false(bytes_reserve(&bytes, SIZE_MAX / 2 + 2));
    bytes_clear(&bytes);
    assert_false(bytes.failed);
    bytes_append_text(&bytes, "c");
    assert_text(&bytes, "c");
}

/* In the C locale there is no euro sign. */
static void what_cannot_be_formatted_is_not_appended(void **state)
{
    (void)state;
    struct bytes bytes = BYTES_EMPTY;
    bytes_append_text(&bytes, "a");
    bytes_append_format(&bytes, "b%lc", (wint_t)0x20ac);
    assert_true(bytes.failed);
    assert_int_equal(bytes.length, 1);
    bytes_free(&bytes);
}

static void writes_json_strings_in_ascii(void **state)
{
    static const struct {
        const char *text;
        const char *json;
    } cases[] = {
        {"", "\"\""},
        {"plain text, long enough for whole words", "\"plain text, long enough for whole words\""},
        {"it's", "\"it\\u0027s\""},
        {"\"\\/", "\"\\\"\\\\/\""},
        {"\n\t\x01\x1f\x7f", "\"\\u000a\\u0009\\u0001\\u001f\x7f\""},
        {"\xc3\xa9\xe2\x80\xa8\xf0\x9f\x98\x80", "\"\\u00e9\\u2028\\ud83d\\ude00\""},
        {"\xef\xbf\xbf\xf4\x8f\xbf\xbf", "\"\\uffff\\udbff\\udfff\""},
        {"12345678'1234567\xc3\xa9", "\"12345678\\u00271234567\\u00e9\""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes bytes = BYTES_EMPTY;
        bytes_append_json_string(&bytes, cases[i].text, strlen(cases[i].text));
        assert_text(&bytes, cases[i].json);
    }
    struct bytes bytes = BYTES_EMPTY;
    bytes_append_json_string(&bytes, "a\0b", 3);
    assert_text(&bytes, "\"a\\u0000b\"");
}

/* Every code point, against an encoder written the other way round. */
static void decodes_every_code_point(void **state)
{
    (void)state;
    for (uint32_t code_point = 0; code_point <= 0x10ffff; code_point++) {
        unsigned char text[4];
        size_t size = code_point < 0x80 ? 1 : code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
        static const unsigned char leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
        uint32_t rest = code_point;
        for (size_t i = size - 1; i > 0; i--, rest >>= 6)
            text[i] = (unsigned char)(0x80 | (rest & 0x3f));
        text[0] = (unsigned char)(leads[size] | rest);
        uint32_t decoded = UINT32_MAX;
        bool surrogate = code_point >= 0xd800 && code_point < 0xe000;
        assert_int_equal(utf8_decode((const char *)text, size, &decoded), surrogate ? 0 : size);
        if (!surrogate)
            assert_int_equal(decoded, code_point);
        assert_int_equal(utf8_decode((const char *)text, size - 1, &decoded), 0);
    }
}

static void refuses_what_is_no_utf8(void **state)
{
    static const char *const cases[] = {"\x80",
                                        "\xc0\x80",
                                        "\xc1\xbf",
                                        "\xe0\x9f\xbf",
                                        "\xf0\x8f\xbf\xbf",
                                        "\xf4\x90\x80\x80",
                                        "\xf8\x88\x80\x80\x80",
                                        "\xff",
                                        "\xe2\x82",
                                        "\xe2\x28\xa1",
                                        "a\xc3(",
                                        "\xed\xbf\xbf"};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_false(utf8_is_valid(cases[i], strlen(cases[i])));
    assert_true(utf8_is_valid("", 0));
    assert_true(utf8_is_valid("a\0\xc3\xa9", 4));
}

/* One odd byte at every place of texts around the size of the words that are looked at. */
static void finds_the_end_of_a_plain_run(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        bool plain = byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\'' && byte != '\\';
        for (size_t length = 1; length < 34; length++) {
            for (size_t at = 0; at < length; at++) {
                char text[34];
                memset(text, '~', sizeof text);
                text[at] = (char)byte;
                assert_int_equal(utf8_plain_run(text, length), plain ? length : at);
            }
        }
    }
    assert_int_equal(utf8_plain_run("", 0), 0);
}

/* Any two bytes beside each other, in the words and behind them. */
static void finds_the_first_of_two_that_end_a_plain_run(void **state)
{
    static const size_t places[] = {0, 5, 14, 15, 18, 21};
    (void)state;
    for (unsigned pair = 0; pair < 65536; pair++) {
        for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
            char text[23], alone;
            size_t at = places[i];
            memset(text, '~', sizeof text);
            text[at] = (char)(pair >> 8);
            text[at + 1] = alone = (char)pair;
            size_t run = utf8_plain_run(text + at, 1) == 0 ? at
                         : utf8_plain_run(&alone, 1) == 0  ? at + 1
                                                           : sizeof text;
            assert_int_equal(utf8_plain_run(text, sizeof text), run);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_what_it_is_given),
        cmocka_unit_test(grows_and_keeps_its_content),
        cmocka_unit_test(remembers_that_memory_ran_out),
        cmocka_unit_test(what_cannot_be_formatted_is_not_appended),
        cmocka_unit_test(writes_json_strings_in_ascii),
        cmocka_unit_test(decodes_every_code_point),
        cmocka_unit_test(refuses_what_is_no_utf8),
        cmocka_unit_test(finds_the_end_of_a_plain_run),
        cmocka_unit_test(finds_the_first_of_two_that_end_a_plain_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
