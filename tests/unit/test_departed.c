#include "streams/departed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static const unsigned char secret[DEPARTED_SECRET_SIZE] = "0123456789abcde";
static const unsigned char other[DEPARTED_SECRET_SIZE] = "0123456789abcdX";

static void one_comes_back_once_with_its_secret(void **state)
{
    struct departed departed = {.max_count = 10, .max_age_ms = 1000};

    (void)state;
    departed_add(&departed, 7, secret, 0);
    departed_add(&departed, 8, other, 0);
    assert_false(departed_take(&departed, 7, other, 0));
    assert_false(departed_take(&departed, 9, secret, 0));
    assert_true(departed_take(&departed, 7, secret, 0));
    assert_false(departed_take(&departed, 7, secret, 0));
    assert_true(departed_take(&departed, 8, other, 1000));
    assert_null(departed.oldest);
    assert_null(departed.newest);
    departed_free(&departed);
}

static void the_oldest_are_forgotten_first(void **state)
{
    struct departed departed = {.max_count = 3, .max_age_ms = 1000};

    (void)state;
    for (uint64_t connid = 1; connid <= 6; connid++)
        departed_add(&departed, connid, secret, connid);
    assert_false(departed_take(&departed, 2, secret, 6));
    assert_true(departed.by_connid.count <= 3);
    assert_true(departed_take(&departed, 5, secret, 6)); /* out of the middle */
    assert_false(departed_take(&departed, 4, secret, 1005));
    assert_true(departed_take(&departed, 6, secret, 1006));
    assert_int_equal(departed.by_connid.count, 0);
    departed_free(&departed);
}

static void nothing_is_kept_when_nothing_may_be(void **state)
{
    struct departed none = {.max_count = 0, .max_age_ms = 1000}, never = {.max_count = 5};

    (void)state;
    departed_add(&none, 1, secret, 0);
    departed_add(&never, 1, secret, 0);
    assert_false(departed_take(&none, 1, secret, 0));
    assert_false(departed_take(&never, 1, secret, 0));
    departed_free(&none);
    departed_free(&never);
}

static void lowering_the_limit_forgets_at_once(void **state)
{
    struct departed departed = {.max_count = 100, .max_age_ms = 1000};

    (void)state;
    for (uint64_t connid = 1; connid <= 50; connid++)
        departed_add(&departed, connid, secret, 0);
    departed.max_count = 2;
    assert_false(departed_take(&departed, 48, secret, 0));
    assert_int_equal(departed.by_connid.count, 2);
    departed_free(&departed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_comes_back_once_with_its_secret),
        cmocka_unit_test(the_oldest_are_forgotten_first),
        cmocka_unit_test(nothing_is_kept_when_nothing_may_be),
        cmocka_unit_test(lowering_the_limit_forgets_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
