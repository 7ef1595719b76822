#include "streams/presence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "random.h"

enum { NAMES = 300, STREAMS = 1000, OPERATIONS = 50000 };

static void counts_are_exact_through_any_coming_and_going(void **state)
{
    static struct presence_entry *entries[STREAMS];
    static uint32_t expected[NAMES], names[STREAMS];
    struct presence presence = {.seed = 4};
    uint64_t random = 8;
    char name[16];

    (void)state;
    for (int i = 0; i < OPERATIONS; i++) {
        unsigned stream = random_below(&random, STREAMS);
        unsigned asked = random_below(&random, NAMES);
        if (entries[stream] != NULL) {
            presence_leave(&presence, entries[stream]);
            entries[stream] = NULL;
            expected[names[stream]]--;
        } else {
            names[stream] = random_below(&random, NAMES);
            (void)snprintf(name, sizeof name, "n%u", names[stream]);
            entries[stream] = presence_enter(&presence, name, strlen(name));
            assert_non_null(entries[stream]);
            expected[names[stream]]++;
            assert_int_equal(entries[stream]->instances, expected[names[stream]]);
        }
        (void)snprintf(name, sizeof name, "n%u", asked);
        assert_int_equal(presence_count(&presence, name, strlen(name)), expected[asked]);
        assert_int_equal(presence_find(&presence, name, strlen(name)) != NULL, expected[asked] > 0);
    }
    for (int i = 0; i < STREAMS; i++)
        if (entries[i] != NULL)
            presence_leave(&presence, entries[i]);
    assert_int_equal(presence.bytes, 0);
    assert_int_equal(presence.by_clid.count, 0);
    presence_free(&presence);
}

static void names_are_bytes(void **state)
{
    struct presence presence = {.seed = 4};
    struct presence_entry *plus = presence_enter(&presence, "+", 1);
    struct presence_entry *nothing = presence_enter(&presence, "", 0);
    struct presence_entry *longer = presence_enter(&presence, "+x", 2);

    (void)state;
    assert_int_equal(presence_count(&presence, "+", 1), 1);
    assert_int_equal(presence_count(&presence, "", 0), 1);
    assert_int_equal(presence_count(&presence, "+xy", 2), 1);
    assert_int_equal(presence_count(&presence, "x", 1), 0);
    assert_ptr_equal(presence_entry_of(&plus->by_clid), plus);
    presence_leave(&presence, longer);
    presence_leave(&presence, nothing);
    presence_leave(&presence, plus);
    assert_int_equal(presence.by_clid.count, 0);
    presence_free(&presence);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_exact_through_any_coming_and_going),
        cmocka_unit_test(names_are_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
