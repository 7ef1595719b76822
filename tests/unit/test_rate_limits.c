#include "events/rate_limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "random.h"

enum { ANA = 1, BEN = 2 };

static void a_burst_is_taken_then_the_rate(void **state)
{
    struct rate_limits limits = {0};
    rate_limits_open(&limits, 3);
    uint64_t now = 1000;

    (void)state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(rate_limits_take(&limits, ANA, 10, 5, now), 0);
    assert_int_equal(rate_limits_take(&limits, ANA, 10, 5, now), 100);
    assert_int_equal(rate_limits_take(&limits, ANA, 10, 5, now + 40), 60);
    assert_int_equal(rate_limits_take(&limits, ANA, 10, 5, now + 99), 1);
    assert_int_equal(rate_limits_take(&limits, ANA, 10, 5, now + 100), 0);
    assert_int_equal(rate_limits_take(&limits, ANA, 10, 5, now + 100), 100);
    rate_limits_free(&limits);
}

static void each_token_has_its_own(void **state)
{
    struct rate_limits limits = {0};
    rate_limits_open(&limits, 3);

    (void)state;
    assert_int_equal(rate_limits_take(&limits, ANA, 1, 0, 0), 0);
    assert_int_equal(rate_limits_take(&limits, ANA, 1, 0, 0), 1000);
    assert_int_equal(rate_limits_take(&limits, BEN, 1, 0, 0), 0);
    rate_limits_free(&limits);
}

static void no_more_than_a_burst_is_saved_up(void **state)
{
    struct rate_limits limits = {0};
    rate_limits_open(&limits, 3);
    const uint64_t later = UINT64_MAX / 2;

    (void)state;
    assert_int_equal(rate_limits_take(&limits, ANA, 1000000, 3, 0), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(rate_limits_take(&limits, ANA, 1000000, 3, later), 0);
    assert_int_equal(rate_limits_take(&limits, ANA, 1000000, 3, later), 1);
    rate_limits_free(&limits);
}

static void limits_may_change_meanwhile(void **state)
{
    struct rate_limits limits = {0};
    rate_limits_open(&limits, 3);

    (void)state;
    assert_int_equal(rate_limits_take(&limits, ANA, 100, 100, 0), 0);
    assert_int_equal(rate_limits_take(&limits, ANA, 2, 1, 0), 0);
    assert_int_equal(rate_limits_take(&limits, ANA, 2, 1, 0), 500);
    assert_int_equal(rate_limits_take(&limits, ANA, 1000, 1, 1), 0);
    rate_limits_free(&limits);
}

/* Whatever the times of asking: never more than burst + rate * time, and never less than could be.
 */
static void any_times_keep_the_rate(void **state)
{
    enum { RATE = 7, BURST = 4, STEPS = 20000 };
    struct rate_limits limits = {0};
    rate_limits_open(&limits, 3);
    uint64_t random = 9, now = 0, taken = 0, due = 0;

    (void)state;
    for (int i = 0; i < STEPS; i++) {
        uint64_t wait = rate_limits_take(&limits, ANA, RATE, BURST, now);
        if (wait == 0) {
            taken++;
            assert_true(now >= due);
            due = 0;
        } else {
            due = now + wait;
        }
        now += random_below(&random, 60);
        assert_true(taken * 1000 <= BURST * 1000 + RATE * now);
    }
    assert_true(taken * 1000 + 2000 > RATE * now);
    rate_limits_free(&limits);
}

static void made_up_tokens_are_forgotten(void **state)
{
    struct rate_limits limits = {0};
    rate_limits_open(&limits, 3);

    (void)state;
    for (uint64_t token = 1; token <= 3 * RATE_LIMITS_MOST_TOKENS; token++) {
        assert_int_equal(rate_limits_take(&limits, token, 1, 1, 0), 0);
        /* In use all the time: one that is forgotten would have its burst anew. */
        assert_int_equal(rate_limits_take(&limits, UINT64_MAX, 1, 1, 0), token == 1 ? 0 : 1000);
    }
    assert_int_equal(limits.by_token.count, RATE_LIMITS_MOST_TOKENS);
    assert_int_equal(rate_limits_take(&limits, UINT64_MAX, 1, 1, 0), 1000);
    assert_int_equal(rate_limits_take(&limits, 3 * RATE_LIMITS_MOST_TOKENS, 1, 1, 0), 1000);
    assert_int_equal(rate_limits_take(&limits, 1, 1, 1, 0), 0);
    rate_limits_free(&limits);
    assert_int_equal(limits.by_token.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_is_taken_then_the_rate),
        cmocka_unit_test(each_token_has_its_own),
        cmocka_unit_test(no_more_than_a_burst_is_saved_up),
        cmocka_unit_test(limits_may_change_meanwhile),
        cmocka_unit_test(any_times_keep_the_rate),
        cmocka_unit_test(made_up_tokens_are_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
