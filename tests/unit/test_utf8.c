#include "utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

/* Every run of up to three bytes has a number: its bytes, behind a 1. */
enum { RUNS = 2 << 24 };

static size_t encode(uint32_t code_point, char out[4])
{
    if (code_point < 0x80) {
        out[0] = (char)code_point;
        return 1;
    }
    if (code_point < 0x800) {
        out[0] = (char)(0xc0 | code_point >> 6);
        out[1] = (char)(0x80 | (code_point & 0x3f));
        return 2;
    }
    if (code_point < 0x10000) {
        out[0] = (char)(0xe0 | code_point >> 12);
        out[1] = (char)(0x80 | (code_point >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code_point & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code_point >> 18);
    out[1] = (char)(0x80 | (code_point >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code_point >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code_point & 0x3f));
    return 4;
}

static uint32_t number_of(const char *run, size_t length)
{
    uint32_t number = 1;

    for (size_t i = 0; i < length; i++)
        number = number << 8 | (unsigned char)run[i];
    return number;
}

static void every_beginning_of_a_character_is_one_and_nothing_else(void **state)
{
    char *expected = calloc(RUNS, 1), character[4];
    uint32_t decoded;

    (void)state;
    assert_non_null(expected);
    for (uint32_t code_point = 0; code_point <= 0x10ffff; code_point++) {
        size_t size = encode(code_point, character);
        if (code_point >= 0xd800 && code_point <= 0xdfff)
            continue;
        if (utf8_decode(character, size, &decoded) != size || decoded != code_point)
            fail_msg("U+%04X is not read", (unsigned)code_point);
        for (size_t length = 1; length < size; length++)
            expected[number_of(character, length)] = 1;
    }
    for (size_t length = 1; length <= 3; length++) {
        for (uint32_t bits = 0; bits < 1U << 8 * length; bits++) {
            const char run[3] = {(char)(bits >> 8 * (length - 1)),
                                 (char)(length > 1 ? bits >> 8 * (length - 2) : 0), (char)bits};
            bool is_one = expected[number_of(run, length)];
            if (utf8_is_beginning(run, length) != is_one)
                fail_msg("%zu bytes %06x", length, (unsigned)bits);
        }
    }
    assert_false(utf8_is_beginning("", 0));
    assert_false(utf8_is_beginning("\xf0\x9f\x98\x80", 4));
    free(expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_beginning_of_a_character_is_one_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
