#include "message_limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

enum { BURST = 5, PER_MINUTE = 60 };

static const char refused[] = "ticket refused", other[] = "something else";

static bool admit(struct message_limits *limits, const char *text, uint64_t now_ms)
{
    uint64_t left_out;

    return message_limits_admit(limits, text, now_ms, &left_out);
}

static void a_kind_has_its_burst_and_then_its_pace(void **state)
{
    struct message_limits limits = {.burst = BURST, .per_minute = PER_MINUTE};
    uint64_t left_out, now = 123456;

    (void)state;
    for (int i = 0; i < BURST; i++)
        assert_true(admit(&limits, refused, now));
    for (int i = 0; i < 1000; i++)
        assert_false(admit(&limits, refused, now + (uint64_t)i % 900));
    assert_true(admit(&limits, other, now));
    assert_true(message_limits_admit(&limits, refused, now + 1000, &left_out));
    assert_int_equal(left_out, 1000);
    assert_false(admit(&limits, refused, now + 1000));
    for (int i = 0; i < BURST; i++)
        assert_true(admit(&limits, refused, now + 60000));
    assert_false(admit(&limits, refused, now + 60000));
}

static void without_a_burst_there_is_no_limit(void **state)
{
    struct message_limits limits = {0};

    (void)state;
    for (int i = 0; i < 10000; i++)
        assert_true(admit(&limits, refused, 1));
}

static void what_was_left_out_is_told_once(void **state)
{
    struct message_limits limits = {.burst = 1, .per_minute = 1};
    uint64_t left_out = 0;

    (void)state;
    assert_true(admit(&limits, refused, 0));
    for (int i = 0; i < 7; i++)
        assert_false(admit(&limits, refused, 10));
    assert_null(message_limits_take_left_out(&limits, 1009, 1000, &left_out));
    assert_ptr_equal(message_limits_take_left_out(&limits, 1010, 1000, &left_out), refused);
    assert_int_equal(left_out, 7);
    assert_null(message_limits_take_left_out(&limits, 99999, 1000, &left_out));
}

/* More of them than there are places: some share one, none is unlimited. */
static void there_may_be_many_kinds(void **state)
{
    enum { KINDS = 3 * MESSAGE_KINDS };
    struct message_limits limits = {.burst = 2, .per_minute = 1};
    static char kinds[KINDS][16];
    unsigned admitted = 0;

    (void)state;
    for (int round = 0; round < 10; round++)
        for (int i = 0; i < KINDS; i++)
            admitted += admit(&limits, kinds[i], 0);
    assert_in_range(admitted, 2 * MESSAGE_KINDS, 2 * KINDS);
}

static void a_pace_is_kept_for_each_by_itself(void **state)
{
    struct message_pace one = {0}, another = {0};

    (void)state;
    for (int i = 0; i < BURST; i++)
        assert_true(message_pace_admit(&one, BURST, PER_MINUTE, 5000));
    assert_false(message_pace_admit(&one, BURST, PER_MINUTE, 5999));
    assert_true(message_pace_admit(&another, BURST, PER_MINUTE, 5999));
    assert_true(message_pace_admit(&one, BURST, PER_MINUTE, 6000));
    assert_false(message_pace_admit(&one, BURST, PER_MINUTE, 6000));
}

/* One after the other for a minute, more and less than one a millisecond, and none that divides a minute. */
static void any_pace_is_the_one_that_was_asked_for(void **state)
{
    static const uint64_t paces[] = {1, 7, 999, 29999, 30001, 45000, 59999, 60000};

    (void)state;
    for (size_t i = 0; i < sizeof paces / sizeof *paces; i++) {
        struct message_pace pace = {0};
        uint64_t admitted = 0;
        for (uint64_t now = 1; now <= 60000; now++)
            for (int tries = 0; tries < 2; tries++)
                admitted += message_pace_admit(&pace, 10, paces[i], now);
        assert_in_range(admitted, paces[i], paces[i] + paces[i] / 1000 + 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kind_has_its_burst_and_then_its_pace),
        cmocka_unit_test(without_a_burst_there_is_no_limit),
        cmocka_unit_test(what_was_left_out_is_told_once),
        cmocka_unit_test(there_may_be_many_kinds),
        cmocka_unit_test(a_pace_is_kept_for_each_by_itself),
        cmocka_unit_test(any_pace_is_the_one_that_was_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
