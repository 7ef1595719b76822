#include "log/event_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "envelope.h"
#include "event_id.h"
#include "events/seen_events.h"
#include "random.h"
#include "saved_state.h"
#include "topic.h"

enum { EPOCH = 1000000, TOPICS = 30, EVENTS = 2000 };

static void open_log(struct event_log *log)
{
    assert_true(event_log_open(log, EPOCH, 7));
    log->max_bytes = 1 << 20;
    log->max_age_ms = 1000;
}

static struct event event_of(const char *topic, const char *json)
{
    return (struct event){
        .topic = topic, .topic_length = strlen(topic), .json = json, .json_length = strlen(json)};
}

static uint64_t append(struct event_log *log, const char *topic, uint64_t now_ms)
{
    struct event event = event_of(topic, "{\"type\":\"x\"}");

    event.sequence = event_log_take_sequence(log);
    assert_true(event_log_append(log, &event, now_ms));
    return event.sequence;
}

/* How many events after a sequence match a requested topic. */
static size_t count_after(struct event_log *log, const char *requested, uint64_t sequence)
{
    const struct topic_matches *matches =
        event_log_match(log, requested, strlen(requested), SIZE_MAX);
    size_t count = 0;

    assert_non_null(matches);
    for (size_t i = 0; i < matches->count; i++) {
        const struct logged_topic *topic = logged_topic_of(matches->nodes[i]);
        count += topic->count - logged_topic_after(topic, sequence);
    }
    return count;
}

static void sequences_grow_with_what_is_delivered(void **state)
{
    struct event_log log;
    struct event event = event_of("a", "1");
    uint64_t first, second;

    (void)state;
    open_log(&log);
    first = event_log_take_sequence(&log);
    second = event_log_take_sequence(&log);
    assert_int_equal(first, 1);
    assert_int_equal(second, 2);
    assert_int_equal(log.sequence, 0);
    /* The first was not kept after all. */
    event.sequence = second;
    assert_true(event_log_append(&log, &event, 0));
    assert_int_equal(log.sequence, 2);
    assert_int_equal(append(&log, "a", 0), 3);
    assert_int_equal(count_after(&log, "a", 0), 2);
    assert_int_equal(count_after(&log, "a", 2), 1);
    assert_int_equal(count_after(&log, "a", 3), 0);
    event_log_close(&log);
}

static void topics_are_found_as_everywhere(void **state)
{
    static const char *const requested[] = {"#", "a/#", "a/+", "+/+", "a/3", "b", "+", "a/+/c"};
    struct event_log log;
    char topics[TOPICS][16];
    uint64_t random = 1, sequences[EVENTS];
    size_t topic_of[EVENTS];

    (void)state;
    open_log(&log);
    for (int i = 0; i < TOPICS; i++)
        (void)snprintf(topics[i], sizeof topics[i], i % 3 ? "a/%d" : i % 2 ? "a/%d/c" : "b%d", i);
    for (size_t i = 0; i < EVENTS; i++) {
        topic_of[i] = random_below(&random, TOPICS);
        sequences[i] = append(&log, topics[topic_of[i]], 0);
    }
    for (size_t r = 0; r < sizeof requested / sizeof *requested; r++) {
        size_t from = random_below(&random, EVENTS), expected = 0;
        for (size_t i = from + 1; i < EVENTS; i++)
            expected += topic_matches(requested[r], strlen(requested[r]), topics[topic_of[i]],
                                      strlen(topics[topic_of[i]]));
        assert_int_equal(count_after(&log, requested[r], sequences[from]), expected);
    }
    event_log_close(&log);
}

static void targeted_events_are_found_whatever_their_topic(void **state)
{
    static const char *const topics[] = {"a", "@team/x", "#", "a"};
    struct event_log log;

    (void)state;
    open_log(&log);
    (void)append(&log, "b", 0);
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++) {
        struct event event = event_of(topics[i], "{}");
        event.flags = ENVELOPE_BOUND | ENVELOPE_TARGETED;
        event.sequence = event_log_take_sequence(&log);
        assert_true(event_log_append(&log, &event, 0));
    }
    const struct topic_matches *matches = event_log_match_targeted(&log, SIZE_MAX);
    assert_non_null(matches);
    assert_int_equal(matches->count, 3);
    assert_int_equal(count_after(&log, "#", 0), 1);
    event_log_close(&log);
}

static void the_oldest_are_forgotten_by_age_and_by_bytes(void **state)
{
    struct event_log log;

    (void)state;
    open_log(&log);
    uint64_t empty = log.bytes;
    for (uint64_t i = 0; i < 10; i++)
        (void)append(&log, "a", i * 100);
    event_log_expire(&log, 1450);
    assert_int_equal(log.forgotten, 5);
    assert_int_equal(log.events, 5);
    assert_true(event_log_has_all_after(&log, 5));
    assert_false(event_log_has_all_after(&log, 4));
    log.max_bytes = event_log_bytes(&log) - 1;
    event_log_expire(&log, 1450);
    assert_int_equal(log.forgotten, 6);
    event_log_forget(&log, 8);
    assert_int_equal(log.events, 2);
    event_log_forget(&log, 3);
    assert_int_equal(log.forgotten, 8);
    event_log_forget(&log, 1000);
    assert_int_equal(log.forgotten, 1000);
    assert_int_equal(log.events, 0);
    assert_int_equal(log.bytes, empty);
    event_log_close(&log);
}

/* What finds them counts too, and a burst gives its room back. */
static void all_memory_is_within_the_limit(void **state)
{
    struct event_log log;
    char topic[32];

    (void)state;
    open_log(&log);
    for (int i = 0; i < 20000; i++) {
        (void)snprintf(topic, sizeof topic, "a/%d/b/%d", i % 100, i);
        (void)append(&log, topic, 0);
        assert_true(event_log_bytes(&log) <= log.max_bytes);
    }
    uint64_t index = log.topics.bytes + log_marks_bytes(&log.marks);
    assert_true(index > 0 && event_log_bytes(&log) == log.bytes + index);
    for (int i = 0; i < 5000; i++)
        (void)append(&log, "burst", 0);
    for (int i = 0; i < 100; i++)
        (void)append(&log, "burst", 900);
    for (uint64_t before = 0; before != log.events;) { /* some in each tick */
        before = log.events;
        event_log_expire(&log, 1800);
        assert_true(before - log.events <= 5000);
    }
    assert_int_equal(log.events, 100);
    assert_true(event_log_bytes(&log) < 100 * 200);
    event_log_expire(&log, 2000);
    assert_int_equal(event_log_bytes(&log), 0);
    event_log_close(&log);
}

/* A client that comes back finds its place without a walk through what it has. */
static void the_first_event_after_a_sequence_is_found(void **state)
{
    enum { APPENDED = 5000, FORGOTTEN = 1700 };
    struct event_log log;

    (void)state;
    open_log(&log);
    assert_null(event_log_first_after(&log, 0));
    for (uint64_t i = 1; i <= APPENDED; i++) {
        (void)append(&log, "a", 0);
        log.given++; /* gaps, as events of other daemons leave */
    }
    event_log_forget(&log, 2 * FORGOTTEN);
    for (uint64_t after = 0; after <= 2 * APPENDED; after++) {
        const struct logged_event *first = event_log_first_after(&log, after);
        uint64_t expected = after < 2 * FORGOTTEN ? 2 * FORGOTTEN + 1 : (after + 1) / 2 * 2 + 1;
        uint64_t left = expected > 2 * APPENDED ? 0 : APPENDED - expected / 2;
        if (left == 0)
            assert_null(first);
        else
            assert_int_equal(first->sequence, expected);
        assert_in_range(event_log_count_after(&log, after), left, left + LOG_MARKS_EVERY);
    }
    event_log_close(&log);
}

static void one_that_is_larger_than_all_room_is_delivered_and_forgotten(void **state)
{
    struct event_log log;

    (void)state;
    open_log(&log);
    log.max_bytes = 0;
    assert_int_equal(append(&log, "a", 0), 1);
    assert_int_equal(log.sequence, 1);
    assert_int_equal(log.events, 0);
    assert_int_equal(log.forgotten, 1);
    assert_true(event_log_has_all_after(&log, 1));
    event_log_close(&log);
}

/* The loop's clock may begin after events that were loaded. */
static void age_is_right_across_the_beginning_of_the_clock(void **state)
{
    struct event_log log;

    (void)state;
    open_log(&log);
    (void)append(&log, "a", (uint64_t)0 - 900);
    (void)append(&log, "a", (uint64_t)0 - 100);
    (void)append(&log, "a", 50);
    assert_int_equal(log.events, 3);
    event_log_expire(&log, 150);
    assert_int_equal(log.events, 2);
    event_log_expire(&log, 1000);
    assert_int_equal(log.events, 1);
    event_log_close(&log);
}

static void a_log_that_goes_on_gives_no_id_twice_and_vouches_for_what_it_has(void **state)
{
    enum { GAP = 1 << 20 };
    struct event_log log;

    (void)state;
    open_log(&log);
    (void)append(&log, "a", 0);
    event_log_resume(&log, 100, 0, true, EPOCH);
    uint64_t resumed = log.sequence;
    assert_int_equal(resumed, 100 + GAP);
    assert_int_equal(append(&log, "a", 0), resumed + 1);
    assert_true(event_log_has_all_after(&log, 0));
    assert_true(event_log_has_all_after(&log, 100));
    assert_false(event_log_has_all_after(&log, 101));
    assert_false(event_log_has_all_after(&log, resumed - 1));
    assert_true(event_log_has_all_after(&log, resumed));
    event_log_close(&log);

    open_log(&log);
    event_log_resume(&log, 100, 40, true, EPOCH);
    assert_false(event_log_has_all_after(&log, 39));
    assert_true(event_log_has_all_after(&log, 40));
    event_log_close(&log);

    open_log(&log);
    event_log_resume(&log, 100, 40, false, EPOCH);
    assert_false(event_log_has_all_after(&log, 100));
    assert_true(event_log_has_all_after(&log, resumed));
    assert_int_equal(log.lost_through, log.resumed_at);
    event_log_close(&log);

    /* A day later, more may have been given than the file knows of. */
    open_log(&log);
    event_log_resume(&log, 100, 0, true, EPOCH + 86400000);
    assert_true(log.sequence >= 86400000ull * 1000);
    assert_true(log.sequence < 1ull << 53);
    event_log_close(&log);
    open_log(&log);
    event_log_resume(&log, 100, 0, true, EPOCH - 5000);
    assert_int_equal(log.sequence, 100 + GAP);
    event_log_close(&log);
}

static void ids_are_read_strictly(void **state)
{
    static const char *const bad[] = {"",
                                      "-",
                                      "1",
                                      "1-",
                                      "-1",
                                      "1-2-",
                                      "1-2-3-",
                                      "1-2-3-4",
                                      "1-2-x",
                                      "1-2 ",
                                      "1-",
                                      " 1-2",
                                      "1--2",
                                      "a-1",
                                      "1-a",
                                      "99999999999999999999-1",
                                      "1-99999999999999999999"};
    struct log_position position;
    uint64_t epoch;

    (void)state;
    assert_true(
        event_id_read_place("12-345", 6, &epoch, &position.sequence, &position.values_after));
    assert_int_equal(epoch, 12);
    assert_int_equal(position.sequence, 345);
    assert_false(log_position_lacks_values(position));
    assert_true(
        event_id_read_place("12-345-34", 9, &epoch, &position.sequence, &position.values_after));
    assert_false(event_id_read("12-345-34", 9, &epoch, &position.sequence));
    assert_int_equal(position.sequence, 345);
    assert_int_equal(position.values_after, 34);
    assert_true(log_position_lacks_values(position));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(event_id_read_place(bad[i], strlen(bad[i]), &epoch, &position.sequence,
                                         &position.values_after));
}

/* ---- what was seen before ---- */

static const unsigned char *key_of(unsigned char number)
{
    static unsigned char key[ENVELOPE_POST_KEY_SIZE];

    memset(key, number, sizeof key);
    return key;
}

static void events_are_recognised_while_they_are_remembered(void **state)
{
    struct seen_events seen = {.max_count = 3, .max_age_ms = 100};
    seen_events_open(&seen, 1);

    (void)state;
    assert_null(seen_events_find(&seen, key_of(1), 0));
    for (unsigned char i = 1; i <= 3; i++)
        assert_true(seen_events_add(&seen, key_of(i), 0, i * 10u, i, i * 10u));
    const struct seen_event *event = seen_events_find(&seen, key_of(2), 110);
    assert_non_null(event);
    assert_int_equal(event->event_sequence, 20);
    assert_int_equal(event->receivers, 2);
    assert_false(event->pending);
    assert_null(seen_events_find(&seen, key_of(1), 111));
    for (unsigned char i = 4; i <= 6; i++)
        assert_true(seen_events_add(&seen, key_of(i), 0, i, i, 112));
    assert_null(seen_events_find(&seen, key_of(3), 112));
    assert_non_null(seen_events_find(&seen, key_of(4), 112));
    seen_events_free(&seen);
}

static void those_under_way_are_remembered_until_they_are_settled(void **state)
{
    struct seen_events seen = {.max_count = 1, .max_age_ms = 100};
    seen_events_open(&seen, 1);

    (void)state;
    for (unsigned char i = 1; i <= 5; i++)
        assert_true(seen_events_add_pending(&seen, key_of(i), 0, i, 0));
    for (unsigned char i = 1; i <= 5; i++)
        assert_true(seen_events_find(&seen, key_of(i), 1000)->pending);
    seen_events_forget(&seen, key_of(3));
    seen_events_forget(&seen, key_of(3));
    assert_null(seen_events_find(&seen, key_of(3), 0));
    seen_events_settle(&seen, key_of(5), 55);
    assert_false(seen_events_find(&seen, key_of(5), 0)->pending);
    assert_int_equal(seen_events_find(&seen, key_of(5), 0)->receivers, 55);
    seen_events_settle(&seen, key_of(1), 11);
    seen_events_settle(&seen, key_of(9), 99);
    assert_null(seen_events_find(&seen, key_of(1), 0));
    assert_non_null(seen_events_find(&seen, key_of(2), 0));
    seen_events_forget(&seen, key_of(5));
    seen_events_forget(&seen, key_of(2));
    seen_events_forget(&seen, key_of(4));
    assert_true(TAILQ_EMPTY(&seen.by_age));
    assert_true(seen_events_add(&seen, key_of(1), 0, 1, 1, 0));
    assert_non_null(seen_events_find(&seen, key_of(1), 0));
    seen_events_free(&seen);
}

static struct saved_reader reader_of(const struct saved_writer *writer)
{
    const unsigned char *at = (const unsigned char *)writer->out.data;

    return (struct saved_reader){.at = at, .end = at + writer->out.length};
}

/* Until nothing is left, but for what comes after `last`. */
static uint64_t send_ahead(const struct event_log *from, struct event_log *to, uint64_t last)
{
    enum { PART = 1000 /* bytes, some events */ };
    uint64_t through = 0;
    bool more = true;

    while (more && through < last) {
        struct saved_writer writer = {0};
        more = event_log_save_ahead(from, &through, PART, &writer);
        struct saved_reader reader = reader_of(&writer);
        assert_true(event_log_load_ahead(to, &reader));
        assert_true(writer.out.length < PART + 200);
        bytes_free(&writer.out);
    }
    return through;
}

static void what_is_sent_ahead_and_what_comes_then_is_the_whole_log(void **state)
{
    struct event_log log, next;
    struct saved_writer writer = {0};

    (void)state;
    open_log(&log);
    open_log(&next);
    for (int i = 0; i < 200; i++)
        append(&log, i % 2 == 0 ? "a" : "b/c", 5);
    uint64_t through = send_ahead(&log, &next, 100);
    assert_in_range(through, 100, 199);
    append(&log, "b/c", 6);
    event_log_forget(&log, 50); /* some of what the other one has already */
    event_log_save(&log, through, &writer);
    struct saved_reader reader = reader_of(&writer);
    assert_true(event_log_load(&next, &reader) && saved_is_read(&reader));
    assert_int_equal(next.events, 151);
    assert_int_equal(next.events, log.events);
    assert_int_equal(next.sequence, log.sequence);
    assert_int_equal(next.forgotten, 50);
    assert_false(event_log_has_all_after(&next, 49));
    assert_int_equal(count_after(&next, "a", 0), count_after(&log, "a", 0));
    assert_int_equal(count_after(&next, "b/c", 0), 76);
    reader = reader_of(&writer); /* a second time: they are there already */
    assert_false(event_log_load(&next, &reader));
    bytes_free(&writer.out);
    event_log_close(&log);
    event_log_close(&next);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequences_grow_with_what_is_delivered),
        cmocka_unit_test(topics_are_found_as_everywhere),
        cmocka_unit_test(targeted_events_are_found_whatever_their_topic),
        cmocka_unit_test(the_oldest_are_forgotten_by_age_and_by_bytes),
        cmocka_unit_test(all_memory_is_within_the_limit),
        cmocka_unit_test(the_first_event_after_a_sequence_is_found),
        cmocka_unit_test(one_that_is_larger_than_all_room_is_delivered_and_forgotten),
        cmocka_unit_test(age_is_right_across_the_beginning_of_the_clock),
        cmocka_unit_test(a_log_that_goes_on_gives_no_id_twice_and_vouches_for_what_it_has),
        cmocka_unit_test(ids_are_read_strictly),
        cmocka_unit_test(events_are_recognised_while_they_are_remembered),
        cmocka_unit_test(those_under_way_are_remembered_until_they_are_settled),
        cmocka_unit_test(what_is_sent_ahead_and_what_comes_then_is_the_whole_log),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
