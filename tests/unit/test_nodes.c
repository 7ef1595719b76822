/* Records of daemons that share a Redis, and which of them live. */
#include "bus/bus_redis_message.h"
#include "nodes/node_lives.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { LEASE = 3000, LOOK = 1000 };

/* ---- records ---- */

static void test_record_comes_back_as_it_went(void **state)
{
    (void)state;
    static const char *const ways[] = {"", "node/3/", "https://node3.example:8443/notify/"};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        const struct redis_record record = {.boot = UINT64_MAX,
                                            .counter = 17,
                                            .notes = 3,
                                            .streams = UINT64_MAX,
                                            .renewed_ms = 1795381250409,
                                            .url = ways[i]};
        struct bytes text = BYTES_EMPTY;
        struct node_record read;
        redis_record_write(&text, &record);
        assert_true(node_record_read(&read, bytes_terminate(&text)));
        assert_true(read.boot == UINT64_MAX);
        assert_int_equal(read.counter, 17);
        assert_true(read.streams == UINT64_MAX);
        assert_true(read.renewed_ms == 1795381250409);
        assert_string_equal(read.way, ways[i]);
        bytes_free(&text);
    }
}

static void test_what_is_no_record(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "", "b", "b 1 2 3", "b 1 2 3 4", "b x 2 3 4 ", "b 1 2 3 4 ../x/", "b 1 2 3 4 node"};
    struct node_record record;
    assert_true(node_record_read(&record, "b 1 2 3 4 "));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (node_record_read(&record, wrong[i]))
            fail_msg("taken: %s", wrong[i]);
}

static void test_numbers(void **state)
{
    (void)state;
    unsigned node;
    assert_true(node_number_read(&node, "1023"));
    assert_int_equal(node, 1023);
    assert_true(node_number_read(&node, "0"));
    assert_false(node_number_read(&node, "1024"));
    assert_false(node_number_read(&node, "4294967297"));
    assert_false(node_number_read(&node, ""));
    assert_false(node_number_read(&node, "1 "));
    assert_false(node_number_read(&node, "-1"));
}

static void test_ways(void **state)
{
    (void)state;
    static const char *const good[] = {"node/3/", "a/", "~x_y-z.1/b/", "http://10.0.0.3:8010/",
                                       "https://[2001:db8::1]/n/"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (node_way_fault(good[i]) != NULL)
            fail_msg("refused: %s", good[i]);
    static const char *const wrong[] = {
        "",         "/",         "node/3",      "/node/3/",       "../3/",    "node/../",
        "./",       "node//3/",  "n o/",        "no\r\nde/",      "a%2f/",    "n?x/",
        "http:///", "https://x", "http://x y/", "http://x/\r\n/", "ftp://x/", "http://x/?a/"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (node_way_fault(wrong[i]) == NULL)
            fail_msg("taken: %s", wrong[i]);
    char long_one[NODE_WAY_SIZE + 1];
    memset(long_one, 'a', sizeof long_one);
    memcpy(long_one + sizeof long_one - 2, "/", 2);
    assert_non_null(node_way_fault(long_one));
    assert_null(node_way_fault(long_one + 1));
}

/* ---- lives ---- */

struct seen {
    unsigned node;
    uint64_t boot;
    uint64_t counter, streams;
};

static void look(struct node_lives *lives, uint64_t now, const struct seen *all, size_t count)
{
    node_lives_begin_look(lives, now);
    for (size_t i = 0; i < count; i++) {
        const struct node_record record = {
            .boot = all[i].boot, .counter = all[i].counter, .streams = all[i].streams};
        assert_true(node_lives_see(lives, all[i].node, &record));
    }
    node_lives_end_look(lives);
}

static enum node_state state_of(const struct node_lives *lives, unsigned node)
{
    return node_life_state(lives, node_lives_find(lives, node));
}

static void test_one_that_stands_still_for_a_lease_is_dead(void **state)
{
    (void)state;
    struct node_lives lives = {.lease_ms = LEASE};
    struct seen all[] = {{1, 1, 5, 0}, {2, 2, 5, 0}};
    uint64_t now = 100000;
    look(&lives, now, all, 2);
    assert_int_equal(state_of(&lives, 1), NODE_SEEN);
    assert_int_equal(state_of(&lives, 3), NODE_NONE);
    for (int i = 0; i < 2; i++) {
        all[0].counter++;
        look(&lives, now += LOOK, all, 2);
        assert_int_equal(state_of(&lives, 1), NODE_LIVING);
        assert_int_equal(state_of(&lives, 2), NODE_SEEN);
    }
    all[0].counter++;
    look(&lives, now += LOOK, all, 2);
    assert_int_equal(state_of(&lives, 1), NODE_LIVING);
    assert_int_equal(state_of(&lives, 2), NODE_DEAD);
    all[1].counter++;
    look(&lives, now += LOOK, all, 2);
    assert_int_equal(state_of(&lives, 2), NODE_LIVING);
    look(&lives, now += LOOK, all, 1);
    assert_int_equal(state_of(&lives, 2), NODE_NONE);
    node_lives_free(&lives);
}

static void test_a_counter_of_another_start_says_nothing_of_the_one_before(void **state)
{
    (void)state;
    struct node_lives lives = {.lease_ms = LEASE};
    struct seen all[] = {{1, 1, 5, 0}};
    look(&lives, 1000, all, 1);
    all[0].counter = 6;
    look(&lives, 2000, all, 1);
    all[0] = (struct seen){1, 2, 1, 0};
    look(&lives, 3000, all, 1);
    assert_int_equal(state_of(&lives, 1), NODE_SEEN);
    node_lives_free(&lives);
}

/* As when Redis was away: nobody could renew. */
static void test_time_in_which_nobody_looked_counts_for_little(void **state)
{
    (void)state;
    struct node_lives lives = {.lease_ms = LEASE};
    struct seen all[] = {{1, 1, 5, 0}};
    uint64_t now = 1000;
    look(&lives, now, all, 1);
    all[0].counter++;
    look(&lives, now += LOOK, all, 1);
    look(&lives, now += 60000, all, 1);
    assert_int_equal(state_of(&lives, 1), NODE_LIVING);
    all[0].counter++;
    look(&lives, now += LOOK, all, 1);
    assert_int_equal(state_of(&lives, 1), NODE_LIVING);
    node_lives_free(&lives);
}

/* ---- choice ---- */

static void test_the_emptier_of_two_and_never_a_dead_one(void **state)
{
    (void)state;
    struct node_lives lives = {.lease_ms = LEASE};
    struct seen all[] = {{1, 1, 1, 1000}, {2, 2, 1, 10}, {3, 3, 1, 0}};
    assert_null(node_lives_pick(&lives, 7));
    uint64_t now = 1000;
    for (int i = 0; i < 5; i++, now += LOOK) {
        look(&lives, now, all, 3);
        all[0].counter++;
        all[1].counter++;
    }
    for (uint64_t random = 0; random < 100; random++)
        assert_int_equal(node_lives_pick(&lives, random * 0x9e3779b97f4a7c15)->node, 2);
    /* What was given since counts. */
    for (int i = 0; i < 1000; i++)
        node_lives_give(&lives, 2);
    assert_int_equal(node_lives_pick(&lives, 1)->node, 1);
    node_lives_free(&lives);
}

static void test_all_of_as_many_streams_are_chosen(void **state)
{
    (void)state;
    struct node_lives lives = {.lease_ms = LEASE};
    struct seen all[] = {{1, 1, 1, 0}, {5, 2, 1, 0}, {1023, 3, 1, 0}};
    unsigned times[NODE_NUMBERS] = {0};
    look(&lives, 1000, all, 3);
    for (uint64_t random = 0; random < 300; random++)
        times[node_lives_pick(&lives, random * 0x9e3779b97f4a7c15)->node]++;
    assert_in_range(times[1], 80, 120);
    assert_in_range(times[5], 80, 120);
    assert_in_range(times[1023], 80, 120);
    node_lives_free(&lives);
}

/* After a long pause it is not known yet that one has died meanwhile, but that the others have not. */
static void test_who_has_just_moved_goes_before_who_has_not(void **state)
{
    (void)state;
    struct node_lives lives = {.lease_ms = LEASE};
    struct seen all[] = {{1, 1, 1, 50}, {2, 2, 1, 0}};
    look(&lives, 1000, all, 2);
    all[0].counter++;
    all[1].counter++;
    look(&lives, 2000, all, 2);
    all[0].counter += 100;
    look(&lives, 302000, all, 2);
    assert_int_equal(state_of(&lives, 2), NODE_LIVING);
    for (uint64_t random = 0; random < 20; random++)
        assert_int_equal(node_lives_pick(&lives, random)->node, 1);
    node_lives_free(&lives);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record_comes_back_as_it_went),
        cmocka_unit_test(test_what_is_no_record),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_ways),
        cmocka_unit_test(test_one_that_stands_still_for_a_lease_is_dead),
        cmocka_unit_test(test_a_counter_of_another_start_says_nothing_of_the_one_before),
        cmocka_unit_test(test_time_in_which_nobody_looked_counts_for_little),
        cmocka_unit_test(test_the_emptier_of_two_and_never_a_dead_one),
        cmocka_unit_test(test_all_of_as_many_streams_are_chosen),
        cmocka_unit_test(test_who_has_just_moved_goes_before_who_has_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
