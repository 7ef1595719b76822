#include "streams/departed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const unsigned char key[STREAM_SECRETS_KEY_SIZE] = "a key of sixteen";
static struct stream_secrets secrets;

/* A first secret of a stream. */
static const unsigned char *secret_of(uint64_t connid)
{
    static unsigned char secret[STREAM_SECRET_SIZE];

    assert_true(stream_secrets_make(&secrets, connid, NULL, secret));
    return secret;
}

static int open_secrets(void **state)
{
    (void)state;
    return stream_secrets_open(&secrets, key, 1, 0) ? 0 : -1;
}

static int close_secrets(void **state)
{
    (void)state;
    stream_secrets_close(&secrets);
    return 0;
}

static void one_comes_back_once_with_its_secret(void **state)
{
    struct departed departed = {.max_count = 10, .max_age_ms = 1000};
    departed_open(&departed);

    (void)state;
    departed_add(&departed, 7, secret_of(7), NULL, 0);
    departed_add(&departed, 8, secret_of(8), NULL, 0);
    assert_false(departed_take(&departed, &secrets, 7, secret_of(8), 0));
    assert_false(departed_take(&departed, &secrets, 9, secret_of(9), 0));
    assert_true(departed_take(&departed, &secrets, 7, secret_of(7), 0));
    assert_false(departed_take(&departed, &secrets, 7, secret_of(7), 0));
    assert_true(departed_take(&departed, &secrets, 8, secret_of(8), 1000));
    assert_true(TAILQ_EMPTY(&departed.by_age));
    departed_free(&departed);
}

static void the_oldest_are_forgotten_first(void **state)
{
    struct departed departed = {.max_count = 3, .max_age_ms = 1000};
    departed_open(&departed);

    (void)state;
    for (uint64_t connid = 1; connid <= 6; connid++)
        departed_add(&departed, connid, secret_of(connid), NULL, connid);
    assert_false(departed_take(&departed, &secrets, 2, secret_of(2), 6));
    assert_true(departed.by_connid.count <= 3);
    assert_true(departed_take(&departed, &secrets, 5, secret_of(5), 6)); /* out of the middle */
    assert_false(departed_take(&departed, &secrets, 4, secret_of(4), 1005));
    assert_true(departed_take(&departed, &secrets, 6, secret_of(6), 1006));
    assert_int_equal(departed.by_connid.count, 0);
    departed_free(&departed);
}

static void nothing_is_kept_when_nothing_may_be(void **state)
{
    struct departed none = {.max_count = 0, .max_age_ms = 1000}, never = {.max_count = 5};

    (void)state;
    departed_add(&none, 1, secret_of(1), NULL, 0);
    departed_add(&never, 1, secret_of(1), NULL, 0);
    assert_false(departed_take(&none, &secrets, 1, secret_of(1), 0));
    assert_false(departed_take(&never, &secrets, 1, secret_of(1), 0));
    departed_free(&none);
    departed_free(&never);
}

static void lowering_the_limit_forgets_at_once(void **state)
{
    struct departed departed = {.max_count = 100, .max_age_ms = 1000};
    departed_open(&departed);

    (void)state;
    for (uint64_t connid = 1; connid <= 50; connid++)
        departed_add(&departed, connid, secret_of(connid), NULL, 0);
    departed.max_count = 2;
    assert_false(departed_take(&departed, &secrets, 48, secret_of(48), 0));
    assert_int_equal(departed.by_connid.count, 2);
    departed_free(&departed);
}

/* After a crowd and a silence: none of them counts, and no one that comes pays for all of them. */
static void many_that_are_over_go_a_few_at_a_time(void **state)
{
    enum { CROWD = 5000 };
    struct departed departed = {.max_count = 2 * CROWD, .max_age_ms = 1000};
    uint64_t connid = 1;

    (void)state;
    departed_open(&departed);
    for (; connid <= CROWD; connid++)
        departed_add(&departed, connid, secret_of(connid), NULL, 0);
    assert_false(departed_take(&departed, &secrets, CROWD, secret_of(CROWD), 1001));
    size_t before;
    do {
        before = departed.by_connid.count;
        departed_add(&departed, connid, secret_of(connid), NULL, 1002);
        connid++;
        assert_true(departed.by_connid.count + 100 >= before);
    } while (departed.by_connid.count < before);
    assert_true(departed.by_connid.count <= 100);
    departed_free(&departed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_comes_back_once_with_its_secret),
        cmocka_unit_test(the_oldest_are_forgotten_first),
        cmocka_unit_test(nothing_is_kept_when_nothing_may_be),
        cmocka_unit_test(lowering_the_limit_forgets_at_once),
        cmocka_unit_test(many_that_are_over_go_a_few_at_a_time),
    };
    return cmocka_run_group_tests(tests, open_secrets, close_secrets);
}
