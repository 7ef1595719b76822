/* What of presence is known to whoever comes back. */
#include "streams/presence_past.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static void check_known(const struct presence_past *past, uint64_t sequence, uint64_t expected)
{
    uint64_t change = UINT64_MAX;

    assert_true(presence_past_find(past, sequence, &change));
    assert_int_equal(change, expected);
}

/* Whoever has an event has what was told before it, and may not have what came right after it. */
static void an_id_says_which_changes_are_news(void **state)
{
    struct presence_past past = {.most = 10};
    uint64_t change;

    (void)state;
    presence_past_begin(&past, 100);
    assert_false(presence_past_find(&past, 99, &change));
    check_known(&past, 100, 0);
    presence_past_note_told(&past, 100, 1);
    presence_past_note_told(&past, 100, 2);
    presence_past_note_told(&past, 103, 3);
    presence_past_note_told(&past, 107, 5);
    check_known(&past, 100, 0);
    check_known(&past, 101, 2);
    check_known(&past, 103, 2);
    check_known(&past, 104, 3);
    check_known(&past, 107, 3);
    check_known(&past, 108, 5);
    presence_past_free(&past);
}

static void what_is_too_long_ago_is_not_known(void **state)
{
    struct presence_past *past = calloc(1, sizeof *past);
    uint64_t change;

    (void)state;
    assert_non_null(past);
    past->most = 10;
    for (uint64_t i = 1; i <= PRESENCE_MARKS + 1; i++)
        presence_past_note_told(past, i, i);
    assert_false(presence_past_find(past, 1, &change));
    check_known(past, 2, 1);
    check_known(past, PRESENCE_MARKS + 1, PRESENCE_MARKS);
    for (uint64_t i = PRESENCE_MARKS + 2; i <= 2 * PRESENCE_MARKS + 7; i++)
        presence_past_note_told(past, i, i);
    assert_false(presence_past_find(past, PRESENCE_MARKS + 7, &change));
    for (uint64_t i = PRESENCE_MARKS + 8; i <= 2 * PRESENCE_MARKS + 7; i++)
        check_known(past, i, i - 1);
    check_known(past, 2 * PRESENCE_MARKS + 8, 2 * PRESENCE_MARKS + 7);
    presence_past_free(past);
    free(past);
}

static void note_gone(struct presence_past *past, uint64_t change, const char *clid)
{
    presence_past_note_gone(past, change, clid, strlen(clid));
}

static void who_has_gone_is_known_for_a_while(void **state)
{
    struct presence_past past = {.most = 2};
    char long_one[400] = {0};

    (void)state;
    assert_null(presence_past_first_gone(&past, 0));
    note_gone(&past, 3, "ana");
    note_gone(&past, 5, "bruno");
    const struct presence_gone *gone = presence_past_first_gone(&past, 3);
    assert_int_equal(gone->change, 5);
    assert_int_equal(gone->length, 5);
    assert_memory_equal(gone->clid, "bruno", 5);
    assert_int_equal(past.forgotten, 0);
    note_gone(&past, 7, "carla");
    assert_int_equal(past.forgotten, 3);
    assert_int_equal(presence_past_first_gone(&past, 0)->change, 5);
    /* Also by bytes, whatever names are chosen. */
    presence_past_note_gone(&past, 8, long_one, sizeof long_one);
    assert_int_equal(past.forgotten, 8);
    assert_int_equal(presence_past_bytes(&past), 0);
    past.most = 0;
    note_gone(&past, 9, "dario");
    assert_int_equal(past.forgotten, 9);
    presence_past_free(&past);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_says_which_changes_are_news),
        cmocka_unit_test(what_is_too_long_ago_is_not_known),
        cmocka_unit_test(who_has_gone_is_known_for_a_while),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
