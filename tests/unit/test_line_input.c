#include "transports/line_input.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LINE = 10 };

/* Feeds a copy without neighbours, so that reading past it is caught; notes each line in brackets.
 * False after the last verdict. */
static bool feed_piece(struct line_input *input, const struct line_limits *limits,
                       const char *bytes, size_t size, struct bytes *out)
{
    char *copy = malloc(size);
    enum line_verdict verdict = LINE_COMPLETE;
    size_t used = 0, consumed, length;

    assert_non_null(copy);
    memcpy(copy, bytes, size);
    while (used < size && (verdict == LINE_COMPLETE || verdict == LINE_NEED_MORE)) {
        verdict = line_input_feed(input, limits, copy + used, size - used, &consumed);
        used += consumed;
        assert_true(used <= size);
        assert_true(verdict != LINE_NEED_MORE || used == size);
        if (verdict == LINE_COMPLETE) {
            const char *line = line_input_text(input, &length);
            bytes_append_text(out, "[");
            bytes_append(out, line, length);
            bytes_append_text(out, "]");
        }
    }
    if (line_input_is_idle(input))
        line_input_clear(input, limits);
    free(copy);
    if (verdict == LINE_TOO_LONG)
        bytes_append_text(out, "too long");
    if (verdict == LINE_TOO_MANY)
        bytes_append_text(out, "too many");
    return verdict == LINE_COMPLETE || verdict == LINE_NEED_MORE;
}

static void check_cut(const char *text, size_t length, size_t first, size_t piece,
                      const char *expected)
{
    struct input_budget budget = {.used = 0, .most = 1000};
    const struct line_limits limits = {MAX_LINE, &budget};
    struct line_input input = {0};
    struct bytes out = BYTES_EMPTY;
    size_t next = first;

    for (size_t used = 0; used < length; next = piece) {
        size_t size = next < length - used ? next : length - used;
        if (!feed_piece(&input, &limits, text + used, size, &out))
            break;
        used += size;
        assert_true(budget.used <= MAX_LINE + 1);
        assert_int_equal(budget.used, input.pending.length);
    }
    line_input_clear(&input, &limits);
    assert_int_equal(budget.used, 0);
    if (strcmp(bytes_terminate(&out), expected) != 0)
        fail_msg("%s, not %s, in pieces of %zu, then %zu: %s", out.data, expected, first, piece,
                 text);
    bytes_free(&out);
}

static void comes_to(const char *text, const char *expected)
{
    size_t length = strlen(text);

    for (size_t first = 1; first <= length; first++)
        for (size_t piece = 1; piece <= length; piece++)
            check_cut(text, length, first, piece, expected);
}

static void lines_are_read_however_they_are_cut(void **state)
{
    (void)state;
    comes_to("a\nbc\r\n\n\r\nd e\n", "[a][bc][][][d e]");
    comes_to("a\rb\r\r\n", "[a\rb\r]");
    comes_to("unfinished", "");
    comes_to("whole\nrest", "[whole]");
}

static void long_lines_are_refused(void **state)
{
    (void)state;
    comes_to("0123456789\n0123456789\r\n", "[0123456789][0123456789]");
    comes_to("0123456789a\n", "too long");
    comes_to("0123456789a\r\n", "too long");
    comes_to("0123456789\r\r\n", "too long");
    comes_to("a\n0123456789abcdef", "[a]too long");
}

static void a_full_budget_is_said(void **state)
{
    struct input_budget budget = {.used = 95, .most = 100};
    const struct line_limits limits = {MAX_LINE, &budget};
    struct line_input input = {0};
    struct bytes out = BYTES_EMPTY;

    (void)state;
    /* A line that is whole at once is not kept. */
    assert_true(feed_piece(&input, &limits, "12345678\n1234", 13, &out));
    assert_int_equal(budget.used, 99);
    assert_false(line_input_is_idle(&input));
    assert_false(feed_piece(&input, &limits, "56", 2, &out));
    assert_string_equal(bytes_terminate(&out), "[12345678]too many");
    line_input_clear(&input, &limits);
    assert_int_equal(budget.used, 95);
    assert_true(line_input_is_idle(&input));
    bytes_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_read_however_they_are_cut),
        cmocka_unit_test(long_lines_are_refused),
        cmocka_unit_test(a_full_budget_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
