/* How long events are on their way: batches that are written together, and more than there is room
 * for. */
#include "net/written_watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static uint64_t events_of(const struct written_watch *watch)
{
    uint64_t events = 0;

    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        events += watch->times.counts[i];
    return events;
}

static void test_nothing_is_counted_before_it_is_written(void **state)
{
    struct written_watch watch = {0};

    (void)state;
    written_watch_advance(&watch, 1000);
    assert_int_equal(events_of(&watch), 0);
    written_watch_take(&watch);
    written_watch_deliver(&watch, watch.taken_ns, 7);
    written_watch_deliver(&watch, watch.taken_ns, 7);
    assert_int_equal(watch.count, 1);
    assert_int_equal(events_of(&watch), 0);
    written_watch_advance(&watch, 1000);
    written_watch_advance(&watch, 1000);
    assert_int_equal(events_of(&watch), 2);
}

/* Connections are written in the order in which they were queued. */
static void test_a_batch_is_written_with_its_last_receiver(void **state)
{
    struct written_watch watch = {0};

    (void)state;
    written_watch_deliver(&watch, 1, 10);
    written_watch_deliver(&watch, 1, 20);
    written_watch_deliver(&watch, 2, 30);
    written_watch_advance(&watch, 19);
    assert_int_equal(events_of(&watch), 0);
    written_watch_advance(&watch, 20);
    assert_int_equal(events_of(&watch), 2);
    assert_int_equal(watch.count, 1);
    written_watch_advance(&watch, 30);
    assert_int_equal(events_of(&watch), 3);
}

/* What was taken long ago has waited for the disk. */
static void test_each_counts_from_its_own_batch_on(void **state)
{
    struct written_watch watch = {0};

    (void)state;
    written_watch_take(&watch);
    written_watch_deliver(&watch, watch.taken_ns - 40000000000ULL, 7);
    written_watch_deliver(&watch, watch.taken_ns, 7);
    written_watch_advance(&watch, 1000);
    assert_int_equal(watch.times.counts[HISTOGRAM_BUCKETS - 1], 1);
    assert_int_equal(events_of(&watch), 2);
}

static void test_more_batches_than_there_is_room_for(void **state)
{
    struct written_watch watch = {0};

    (void)state;
    written_watch_take(&watch);
    for (uint64_t i = 0; i < 3 * WRITTEN_WATCH_BATCHES; i++)
        written_watch_deliver(&watch, watch.taken_ns - i, i);
    assert_int_equal(watch.count, WRITTEN_WATCH_BATCHES);
    written_watch_advance(&watch, 1000);
    assert_int_equal(events_of(&watch), 3 * WRITTEN_WATCH_BATCHES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_counted_before_it_is_written),
        cmocka_unit_test(test_a_batch_is_written_with_its_last_receiver),
        cmocka_unit_test(test_each_counts_from_its_own_batch_on),
        cmocka_unit_test(test_more_batches_than_there_is_room_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
