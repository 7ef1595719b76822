/* Where a stream that catches up finds its events: topic by topic, in the order of the log. */
#include "log/replay_sources.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "envelope.h"
#include "random.h"
#include "topics/audience.h"

enum { TOPICS_MOST = 4, EPOCH = 7, PLENTY = 1000 };

/* A log, and one subscriber beside it. */
struct past {
    struct event_log log;
    struct topic_index requested;
    struct subscriber subscriber;
    struct subscription subscriptions[TOPICS_MOST];
    struct bytes name;
    struct replay_sources sources;
    size_t work;
};

static int set_up(void **state)
{
    struct past *past = calloc(1, sizeof *past);

    assert_non_null(past);
    assert_true(event_log_open(&past->log, EPOCH, 1));
    past->log.max_bytes = 1 << 24;
    past->log.max_age_ms = 1000;
    assert_true(topic_index_open(&past->requested, 2));
    past->subscriber.subscriptions = past->subscriptions;
    *state = past;
    return 0;
}

static int tear_down(void **state)
{
    struct past *past = *state;

    for (uint32_t slot = 0; slot < past->subscriber.count; slot++)
        topic_index_remove(&past->requested, &past->subscriber, slot);
    topic_index_close(&past->requested);
    event_log_close(&past->log);
    replay_sources_free(&past->sources);
    bytes_free(&past->name);
    free(past);
    return 0;
}

static void request_kind(struct past *past, const char *topic, enum subscription_kind kind)
{
    uint32_t slot = past->subscriber.count++;

    past->subscriptions[slot] = (struct subscription){.kind = (uint32_t)kind};
    assert_true(topic_index_add(&past->requested, &past->subscriber, slot, topic, strlen(topic)));
}

static void request(struct past *past, const char *topic)
{
    request_kind(past, topic, SUBSCRIPTION_OPEN);
}

static void log_with(struct past *past, const char *topic, uint16_t flags)
{
    const struct event event = {.topic = topic,
                                .topic_length = strlen(topic),
                                .json = "{}",
                                .json_length = 2,
                                .flags = flags,
                                .sequence = event_log_take_sequence(&past->log)};

    assert_true(event_log_append(&past->log, &event, 0));
}

static void log_event(struct past *past, const char *topic)
{
    log_with(past, topic, 0);
}

static void gather_after(struct past *past, uint64_t after)
{
    assert_int_equal(replay_sources_gather(&past->sources, &past->log, &past->subscriber, after,
                                           PLENTY, &past->name, &past->work),
                     REPLAY_GATHERED);
}

/* The next event is this one, found for the topic in this slot. */
static void expect_next(struct past *past, uint64_t sequence, uint32_t slot)
{
    assert_true(past->sources.count > 0);
    assert_int_equal(past->sources.sources[0].next, sequence);
    assert_ptr_equal(past->sources.sources[0].requested, &past->subscriptions[slot]);
    assert_int_equal(replay_sources_first(&past->sources)->sequence, sequence);
    replay_sources_advance(&past->sources);
}

static void events_come_in_order_whatever_their_topic(void **state)
{
    struct past *past = *state;
    static const char *const topics[] = {"a/1", "b", "a/2", "c", "a/1", "b"};

    for (int i = 0; i < 6; i++)
        log_event(past, topics[i]);
    request(past, "a/+");
    request(past, "b");
    gather_after(past, 0);
    expect_next(past, 1, 0);
    expect_next(past, 2, 1);
    expect_next(past, 3, 0);
    expect_next(past, 5, 0);
    expect_next(past, 6, 1);
    assert_int_equal(past->sources.count, 0);
}

static void only_what_came_after_is_there(void **state)
{
    struct past *past = *state;

    for (int i = 0; i < 4; i++)
        log_event(past, "a");
    request(past, "a");
    gather_after(past, 2);
    expect_next(past, 3, 0);
    expect_next(past, 4, 0);
    assert_int_equal(past->sources.count, 0);
    gather_after(past, 4);
    assert_int_equal(past->sources.count, 0);
    assert_int_equal(past->sources.until, 4);
}

/* What comes later is somebody else's business: it was not there when they were gathered. */
static void they_end_where_the_log_ended(void **state)
{
    struct past *past = *state;

    log_event(past, "a");
    request(past, "a");
    gather_after(past, 0);
    log_event(past, "a");
    log_event(past, "a");
    expect_next(past, 1, 0);
    assert_int_equal(past->sources.count, 0);
}

static void an_event_stands_once_for_each_topic_that_matches(void **state)
{
    struct past *past = *state;

    log_event(past, "a/b");
    request(past, "a/b");
    request(past, "#");
    gather_after(past, 0);
    assert_int_equal(past->sources.count, 2);
    assert_int_equal(past->sources.sources[0].next, 1);
    assert_int_equal(past->sources.sources[1].next, 1);
}

/* An inbox hears of all topics with targeted events, and of no others. */
static void an_inbox_looks_at_what_is_targeted(void **state)
{
    struct past *past = *state;

    log_event(past, "a");
    log_with(past, "a", ENVELOPE_BOUND | ENVELOPE_TARGETED);
    log_with(past, "b", ENVELOPE_BOUND | ENVELOPE_TARGETED);
    request_kind(past, "ana", SUBSCRIPTION_INBOX);
    gather_after(past, 0);
    expect_next(past, 2, 0);
    expect_next(past, 3, 0);
    assert_int_equal(past->sources.count, 0);
}

static void too_much_work_is_not_done(void **state)
{
    struct past *past = *state;
    char topic[] = "t/a";

    for (int i = 0; i < 26; i++, topic[2]++)
        log_event(past, topic);
    request(past, "t/+");
    assert_int_equal(replay_sources_gather(&past->sources, &past->log, &past->subscriber, 0, 10,
                                           &past->name, &past->work),
                     REPLAY_TOO_MUCH);
    gather_after(past, 0);
    assert_true(past->work >= 26);
    assert_int_equal(past->sources.count, 26);
}

/* What is forgotten meanwhile was taken already; what is left keeps its place. */
static void they_stay_good_while_the_log_forgets_behind_them(void **state)
{
    struct past *past = *state;

    for (int i = 0; i < 6; i++)
        log_event(past, i % 2 ? "a" : "b");
    request(past, "+");
    gather_after(past, 0);
    expect_next(past, 1, 0);
    expect_next(past, 2, 0);
    expect_next(past, 3, 0);
    event_log_forget(&past->log, 3);
    replay_sources_trim(&past->sources);
    assert_int_equal(past->sources.capacity, past->sources.count);
    expect_next(past, 4, 0);
    expect_next(past, 5, 0);
    expect_next(past, 6, 0);
    assert_int_equal(past->sources.count, 0);
    replay_sources_trim(&past->sources);
}

/* Against a walk through the log. */
static void random_pasts_are_found_whole(void **state)
{
    static const char *const topics[] = {"a", "a/b", "a/c", "b", "b/b", "c"};
    struct past *past = *state;
    uint64_t random = 5;
    unsigned topic_of[501];

    for (unsigned i = 1; i <= 500; i++) {
        topic_of[i] = random_below(&random, 6);
        log_event(past, topics[topic_of[i]]);
    }
    request(past, "a/#"); /* 0, 1, 2 */
    request(past, "+/b"); /* 1, 4 */
    for (uint64_t after = 0; after < 500; after += 37) {
        gather_after(past, after);
        for (uint64_t sequence = after + 1; sequence <= 500; sequence++) {
            unsigned topic = topic_of[sequence], wanted = (topic <= 2) + (topic == 1 || topic == 4);
            for (; wanted > 0; wanted--) {
                assert_true(past->sources.count > 0);
                assert_int_equal(past->sources.sources[0].next, sequence);
                replay_sources_advance(&past->sources);
            }
        }
        assert_int_equal(past->sources.count, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(events_come_in_order_whatever_their_topic, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(only_what_came_after_is_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(they_end_where_the_log_ended, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_event_stands_once_for_each_topic_that_matches, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_inbox_looks_at_what_is_targeted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_much_work_is_not_done, set_up, tear_down),
        cmocka_unit_test_setup_teardown(they_stay_good_while_the_log_forgets_behind_them, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(random_pasts_are_found_whole, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
