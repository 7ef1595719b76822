#include "near_topic.h"
#include "refusal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static enum near_topic near(const char *requested, const char *emitted)
{
    return near_topic_is(requested, strlen(requested), emitted, strlen(emitted));
}

static void the_usual_slips_are_named(void **state)
{
    static const struct {
        const char *requested, *emitted;
        enum near_topic near;
    } cases[] = {
        {"Orders/47", "orders/47", NEAR_CASE},
        {"orders/47/", "orders/47", NEAR_SLASH},
        {"/orders/47", "orders/47", NEAR_SLASH},
        {"orders//47", "orders/47", NEAR_SLASH},
        {"/orders/+", "orders/47", NEAR_SLASH},
        {"orders", "orders/47", NEAR_LEVELS},
        {"orders/+", "orders/4/paid", NEAR_LEVELS},
        {"orders/47/paid", "orders/47", NEAR_LEVELS},
        {"order/47", "orders/47", NEAR_LETTERS},
        {"odrers/47", "orders/47", NEAR_LETTERS},
        {"orders.47", "orders/47", NEAR_LETTERS},
        {"nwes", "news", NEAR_LETTERS},
        {"orders/47", "orders/48", NEAR_NOT},
        {"orders/47", "orders/471", NEAR_NOT},
        {"weather", "orders/47", NEAR_NOT},
        {"xorders", "orders", NEAR_LETTERS},
        {"xyzorders", "ordersab", NEAR_NOT},
        {"a", "b", NEAR_NOT},
        {"", "a", NEAR_NOT},
        {"news", "mews/1", NEAR_NOT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (near(cases[i].requested, cases[i].emitted) != cases[i].near)
            fail_msg("%s and %s: %s", cases[i].requested, cases[i].emitted,
                     near_topic_words(near(cases[i].requested, cases[i].emitted)));
}

static void a_name_ends_where_its_length_says(void **state)
{
    static const char name[] = "orders/17x";
    const size_t whole = strlen(name);
    (void)state;
    assert_int_equal(near_topic_is(name, whole, name, whole - 1), NEAR_LETTERS);
    assert_int_equal(near_topic_is(name, whole - 1, name, whole), NEAR_LETTERS);
}

static void long_names_are_compared_within_bounds(void **state)
{
    char one[4096], other[4096];
    (void)state;
    memset(one, 'a', sizeof one);
    memset(other, 'a', sizeof other);
    one[0] = 'b';
    assert_int_equal(near_topic_is(one, sizeof one, other, sizeof other), NEAR_NOT);
    assert_int_equal(near_topic_is(one, 255, other, 255), NEAR_LETTERS);
    memset(one, 'A', sizeof one);
    assert_int_equal(near_topic_is(one, sizeof one, other, sizeof other), NEAR_CASE);
}

static void expect_read_as_written(const struct refusal *wrote)
{
    struct bytes record = BYTES_EMPTY;
    struct refusal read;
    refusal_write(&record, wrote);
    assert_false(record.failed);
    assert_true(refusal_read(&read, record.data, record.length));
    assert_string_equal(read.reason, wrote->reason);
    assert_string_equal(read.by, wrote->by);
    assert_string_equal(read.user, wrote->user);
    assert_string_equal(read.topic, wrote->topic);
    assert_true(read.first == wrote->first);
    for (size_t length = 0; length < record.length; length++) /* the sequence is there or not */
        assert_true(!refusal_read(&read, record.data, length) ||
                    (wrote->first != 0 && read.first == 0));
    bytes_append(&record, "", 1);
    assert_false(refusal_read(&read, record.data, record.length));
    bytes_free(&record);
}

static void a_refusal_is_read_as_it_was_written(void **state)
{
    struct refusal wrote = {"forbidden", "shop", "ana", "orders/47", 0};
    (void)state;
    expect_read_as_written(&wrote);
    wrote.first = 18446744073709551615u;
    expect_read_as_written(&wrote);
}

static void other_refusals_are_refused(void **state)
{
    char much[REFUSAL_TEXT_MAX + 8];
    struct refusal read;
    (void)state;
    assert_false(refusal_read(&read, "\0by\0user\0topic", 15)); /* without a reason */
    assert_false(refusal_read(&read, "\xff\0by\0user\0topic", 16));
    assert_false(refusal_read(&read,
                              "double\0by\0user\0topic\0"
                              "x7",
                              25));
    assert_false(refusal_read(&read,
                              "double\0by\0user\0topic\0"
                              "7x",
                              25));
    memset(much, 'a', sizeof much);
    memcpy(much + sizeof much - 6, "\0b\0c\0", 6);
    assert_false(refusal_read(&read, much, sizeof much));
    assert_true(refusal_read(&read, much + 2, sizeof much - 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_usual_slips_are_named),
        cmocka_unit_test(a_name_ends_where_its_length_says),
        cmocka_unit_test(long_names_are_compared_within_bounds),
        cmocka_unit_test(a_refusal_is_read_as_it_was_written),
        cmocka_unit_test(other_refusals_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
