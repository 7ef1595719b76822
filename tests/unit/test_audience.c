/* Who may hear an event, asked for many receivers: its list is read once for all, and without
 * memory for that one by one, with the same answers. */
#include "envelope.h"
#include "failing_memory.h"
#include "topics/audience.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char allowed[] = "ana\0luis\0"
                              "7";
static const struct event named = {
    .flags = ENVELOPE_BOUND, .allowed = allowed, .allowed_length = sizeof allowed};

static void ask_all(struct audience *audience)
{
    for (int i = 0; i < 2; i++) {
        assert_true(audience_has(audience, SUBSCRIPTION_BOUND, "ana"));
        assert_true(audience_has(audience, SUBSCRIPTION_BOUND, "luis"));
        assert_true(audience_has(audience, SUBSCRIPTION_BOUND, "7"));
        assert_false(audience_has(audience, SUBSCRIPTION_BOUND, "an"));
        assert_false(audience_has(audience, SUBSCRIPTION_BOUND, "eva"));
        assert_false(audience_has(audience, SUBSCRIPTION_BOUND, NULL));
        assert_false(audience_has(audience, SUBSCRIPTION_OPEN, "ana"));
        assert_false(audience_has(audience, SUBSCRIPTION_INBOX, "ana"));
        assert_false(audience_has(audience, SUBSCRIPTION_PRIVATE, "ana"));
    }
}

static void the_list_is_read_once_for_all(void **state)
{
    struct audience audience = {.event = &named};

    (void)state;
    assert_true(audience_has(&audience, SUBSCRIPTION_BOUND, "ana"));
    assert_true(audience.filled);
    failing_memory_at(1); /* a second reading would take some */
    ask_all(&audience);
    assert_false(failing_memory_stop());
    audience_free(&audience);
    assert_false(audience.filled);
}

static void without_memory_it_is_asked_one_by_one(void **state)
{
    struct audience audience = {.event = &named};

    (void)state;
    failing_memory_at(1);
    ask_all(&audience);
    assert_true(failing_memory_stop());
    assert_true(audience.failed);
    assert_false(audience.filled);
    audience_free(&audience);
}

/* Nothing is read where the kinds alone decide. */
static void what_the_kind_says_needs_no_list(void **state)
{
    static const struct event everyone = {.flags = ENVELOPE_BOUND | ENVELOPE_EVERYONE,
                                          .allowed = allowed,
                                          .allowed_length = sizeof allowed};
    struct audience audience = {.event = &everyone};

    (void)state;
    failing_memory_at(1);
    assert_true(audience_has(&audience, SUBSCRIPTION_BOUND, "eva"));
    assert_true(audience_has(&audience, SUBSCRIPTION_OPEN, NULL));
    audience.event = &named;
    assert_false(audience_has(&audience, SUBSCRIPTION_OPEN, "ana"));
    assert_false(audience_has(&audience, SUBSCRIPTION_INBOX, "ana"));
    assert_false(failing_memory_stop());
    assert_false(audience.filled);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_list_is_read_once_for_all),
        cmocka_unit_test(without_memory_it_is_asked_one_by_one),
        cmocka_unit_test(what_the_kind_says_needs_no_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
