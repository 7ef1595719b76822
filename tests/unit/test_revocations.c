/* What was signed before a drop is refused for as long as was said, bounded, and no longer. */
#include "streams/revocations.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct revocations revocations;

static int set_up(void **state)
{
    (void)state;
    revocations = (struct revocations){.most = 3};
    revocations_open(&revocations, 5);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    revocations_free(&revocations);
    return 0;
}

static const struct revocation *revoke(enum drop_kind kind, const char *name, uint64_t at,
                                       uint64_t until, uint64_t now)
{
    return revocations_add(&revocations, kind, name, strlen(name), at, until, now);
}

static void what_was_signed_up_to_the_drop_is_refused_until_then(void **state)
{
    (void)state;
    assert_non_null(revoke(DROP_USER, "ana", 1000, 2000, 1000));
    assert_true(revocations_refuse(&revocations, "ana", NULL, 0, 1000));
    assert_true(revocations_refuse(&revocations, "ana", "s", 1000, 1999));
    assert_false(revocations_refuse(&revocations, "ana", NULL, 1001, 1500));
    assert_false(revocations_refuse(&revocations, "ana", NULL, 0, 2000));
    assert_false(revocations_refuse(&revocations, "an", NULL, 0, 1500));
    assert_false(revocations_refuse(&revocations, NULL, NULL, 0, 1500));
}

static void users_and_sessions_of_one_name_are_two(void **state)
{
    (void)state;
    assert_non_null(revoke(DROP_SESSION, "7", 1000, 2000, 1000));
    assert_false(revocations_refuse(&revocations, "7", "8", 0, 1500));
    assert_true(revocations_refuse(&revocations, "8", "7", 0, 1500));
}

static void a_second_drop_widens_and_never_narrows(void **state)
{
    (void)state;
    assert_non_null(revoke(DROP_USER, "ana", 1000, 5000, 1000));
    const struct revocation *both = revoke(DROP_USER, "ana", 2000, 3000, 2000);
    assert_non_null(both);
    assert_int_equal(both->at_ms, 2000);
    assert_int_equal(both->until_ms, 5000);
    assert_int_equal(revocations.by_name.count, 1);
}

static void no_more_are_kept_than_there_is_room_for(void **state)
{
    (void)state;
    assert_non_null(revoke(DROP_USER, "a", 1000, 2000, 1000));
    assert_non_null(revoke(DROP_USER, "b", 1000, 9000, 1000));
    assert_non_null(revoke(DROP_USER, "c", 1000, 9000, 1000));
    assert_null(revoke(DROP_USER, "d", 1000, 9000, 1000));
    assert_non_null(revoke(DROP_USER, "b", 1500, 9000, 1500));
    /* What is over makes room. */
    assert_non_null(revoke(DROP_USER, "d", 2000, 9000, 2000));
    assert_true(revocations_refuse(&revocations, "d", NULL, 0, 2000));
    assert_int_equal(revocations.by_name.count, 3);
}

static void all_are_forgotten_in_the_end(void **state)
{
    char name[16];

    (void)state;
    revocations.most = 1000;
    for (unsigned i = 0; i < 1000; i++) {
        (void)snprintf(name, sizeof name, "%u", i);
        assert_non_null(revoke(DROP_SESSION, name, 1000, 2000 + i % 2 * 5000, 1000));
    }
    for (int i = 0; i < 1000; i++)
        revocations_expire(&revocations, 3000);
    assert_int_equal(revocations.by_name.count, 500);
    for (int i = 0; i < 1000; i++)
        revocations_expire(&revocations, 7000);
    assert_int_equal(revocations.by_name.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_signed_up_to_the_drop_is_refused_until_then,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(users_and_sessions_of_one_name_are_two, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_second_drop_widens_and_never_narrows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_more_are_kept_than_there_is_room_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(all_are_forgotten_in_the_end, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
