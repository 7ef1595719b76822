#include "events/seen_events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "saved_state.h"

static void make_key(unsigned char key[ENVELOPE_POST_KEY_SIZE], uint64_t number)
{
    memset(key, 0, ENVELOPE_POST_KEY_SIZE);
    memcpy(key, &number, sizeof number);
}

static const struct seen_event *find(struct seen_events *events, uint64_t number, uint64_t now)
{
    unsigned char key[ENVELOPE_POST_KEY_SIZE];

    make_key(key, number);
    return seen_events_find(events, key, now);
}

static void add(struct seen_events *events, uint64_t number, uint64_t now)
{
    unsigned char key[ENVELOPE_POST_KEY_SIZE];

    make_key(key, number);
    assert_true(seen_events_add(events, key, 0, number + 1000, (uint32_t)number, now));
}

static void the_first_time_is_found_again(void **state)
{
    struct seen_events events = {.max_count = 100, .max_age_ms = 1000};
    seen_events_open(&events, 1);

    (void)state;
    assert_null(find(&events, 5, 0));
    add(&events, 5, 0);
    const struct seen_event *seen = find(&events, 5, 1000);
    assert_non_null(seen);
    assert_int_equal(seen->event_sequence, 1005);
    assert_int_equal(seen->receivers, 5);
    assert_false(seen->pending);
    assert_null(find(&events, 6, 1000));
    seen_events_free(&events);
}

static void they_are_forgotten_by_age(void **state)
{
    struct seen_events events = {.max_count = 100, .max_age_ms = 1000};
    seen_events_open(&events, 1);

    (void)state;
    add(&events, 1, 0);
    add(&events, 2, 500);
    assert_non_null(find(&events, 1, 1000));
    assert_null(find(&events, 1, 1001));
    assert_non_null(find(&events, 2, 1500));
    assert_null(find(&events, 2, 1501));
    assert_int_equal(events.by_key.count, 0);
    seen_events_free(&events);
}

static void they_are_forgotten_by_number(void **state)
{
    struct seen_events events = {.max_count = 10, .max_age_ms = 1000};
    seen_events_open(&events, 1);

    (void)state;
    for (uint64_t number = 0; number < 1000; number++) {
        assert_null(find(&events, number, 0)); /* as whoever adds does */
        add(&events, number, 0);
        assert_true(events.by_key.count <= events.max_count + 1);
    }
    assert_null(find(&events, 989, 0));
    for (uint64_t number = 990; number < 1000; number++)
        assert_non_null(find(&events, number, 0));
    events.max_count = 3;
    assert_null(find(&events, 996, 0));
    assert_non_null(find(&events, 997, 0));
    seen_events_free(&events);
}

static void one_whose_fate_is_open_is_settled_or_forgotten(void **state)
{
    struct seen_events events = {.max_count = 100, .max_age_ms = 1000};
    seen_events_open(&events, 1);
    unsigned char one[ENVELOPE_POST_KEY_SIZE], two[ENVELOPE_POST_KEY_SIZE];

    (void)state;
    make_key(one, 1);
    make_key(two, 2);
    assert_true(seen_events_add_pending(&events, one, 0, 11, 0));
    assert_true(seen_events_add_pending(&events, two, 0, 12, 0));
    assert_true(find(&events, 1, 0)->pending);
    seen_events_settle(&events, one, 9);
    assert_false(find(&events, 1, 0)->pending);
    assert_int_equal(find(&events, 1, 0)->receivers, 9);
    seen_events_forget(&events, two);
    assert_null(find(&events, 2, 0));
    /* Harmless for those that are not there. */
    seen_events_forget(&events, two);
    seen_events_settle(&events, two, 1);
    assert_int_equal(events.by_key.count, 1);
    seen_events_free(&events);
}

static void a_message_that_comes_again_is_told_from_another(void **state)
{
    struct seen_events events = {.max_count = 100, .max_age_ms = 1000};
    seen_events_open(&events, 1);

    (void)state;
    add(&events, 1, 0);
    assert_false(seen_events_came_by(find(&events, 1, 0), 7, 8));
    assert_false(seen_events_came_by(find(&events, 1, 0), 0, 0));
    add(&events, 2, 0);
    seen_events_note_message(&events, 7, 8);
    assert_true(seen_events_came_by(find(&events, 2, 0), 7, 8));
    assert_false(seen_events_came_by(find(&events, 2, 0), 7, 9));
    assert_false(seen_events_came_by(find(&events, 2, 0), 8, 8));
    assert_false(seen_events_came_by(find(&events, 1, 0), 7, 8));
    seen_events_free(&events);
}

/* As those of a log are, on a machine that has only just begun. */
static void times_before_the_clock_began_are_times(void **state)
{
    struct seen_events events = {.max_count = 100, .max_age_ms = 1000};
    seen_events_open(&events, 1);

    (void)state;
    add(&events, 1, (uint64_t)-900);
    assert_non_null(find(&events, 1, 100));
    assert_null(find(&events, 1, 101));
    seen_events_free(&events);
}

static void forgetting_keeps_the_order_of_the_others(void **state)
{
    struct seen_events events = {.max_count = 100, .max_age_ms = 1000};
    seen_events_open(&events, 1);
    unsigned char key[ENVELOPE_POST_KEY_SIZE];

    (void)state;
    for (uint64_t number = 0; number < 9; number++)
        add(&events, number, number);
    for (uint64_t number = 0; number < 9; number += 4) { /* first, middle, last */
        make_key(key, number);
        seen_events_forget(&events, key);
    }
    add(&events, 9, 9);
    assert_null(find(&events, 1, 1002));
    assert_non_null(find(&events, 2, 1002));
    assert_null(find(&events, 7, 1008));
    assert_non_null(find(&events, 9, 1008));
    assert_int_equal(events.by_key.count, 1);
    assert_null(TAILQ_NEXT(TAILQ_FIRST(&events.by_age), by_age));
    seen_events_free(&events);
}

static void a_publishers_own_id_counts_across_handlers(void **state)
{
    struct envelope first = {.publisher = 1, .sequence = 2},
                    second = {.publisher = 3, .sequence = 4};
    unsigned char one[ENVELOPE_POST_KEY_SIZE], two[ENVELOPE_POST_KEY_SIZE];

    (void)state;
    seen_events_key(one, &first);
    seen_events_key(two, &second);
    assert_memory_not_equal(one, two, sizeof one);
    second.publisher = 1;
    seen_events_key(two, &second);
    assert_memory_not_equal(one, two, sizeof one);
    second.sequence = 2;
    seen_events_key(two, &second);
    assert_memory_equal(one, two, sizeof one);
    first.flags = second.flags = ENVELOPE_HAS_POST_KEY;
    memset(first.post_key, 'x', sizeof first.post_key);
    memset(second.post_key, 'x', sizeof second.post_key);
    second.publisher = 99;
    seen_events_key(one, &first);
    seen_events_key(two, &second);
    assert_memory_equal(one, two, sizeof one);
}

static void what_was_said_and_to_whom_is_the_content(void **state)
{
    const struct seen_events events = {.seed = 1};

    (void)state;
    struct event event = {.json = "{}",
                          .json_length = 2,
                          .allowed = "ana",
                          .allowed_length = sizeof "ana",
                          .flags = ENVELOPE_HAS_POST_KEY};
    struct event other = event, whispered = event, excepting = event, bound = event;
    uint32_t content = seen_events_content(&events, &event);
    assert_int_equal(seen_events_content(&events, &event), content);
    other.json = "[]";
    assert_int_not_equal(seen_events_content(&events, &other), content);
    whispered.whisper = excepting.except = 1;
    assert_int_not_equal(seen_events_content(&events, &whispered), content);
    assert_int_not_equal(seen_events_content(&events, &excepting), content);
    assert_int_not_equal(seen_events_content(&events, &excepting),
                         seen_events_content(&events, &whispered));
    /* Whom the database named may have changed between two tries; whom the publisher named not. */
    bound.allowed = "eva";
    assert_int_equal(seen_events_content(&events, &bound), content);
    event.flags = bound.flags =
        ENVELOPE_HAS_POST_KEY | ENVELOPE_BOUND | ENVELOPE_TARGETED | ENVELOPE_ADDRESSED;
    assert_int_not_equal(seen_events_content(&events, &event),
                         seen_events_content(&events, &bound));
    other.flags = 0; /* its publisher cannot say it twice */
    assert_int_equal(seen_events_content(&events, &other), 0);
}

/* As docs/configuration.md says it of [bus] remember_events: about 100 bytes each. */
static void each_takes_about_as_much_as_is_said(void **state)
{
    enum { MANY = 65536 };
    struct seen_events events = {.max_count = MANY, .max_age_ms = 1000};
    seen_events_open(&events, 1);

    (void)state;
    for (uint64_t i = 0; i < MANY; i++)
        add(&events, i, 0);
    assert_in_range(seen_events_bytes(&events) / MANY, 80, 110);
    seen_events_free(&events);
}

static void all_goes_over_to_another_program(void **state)
{
    struct seen_events events = {.max_count = 100, .max_age_ms = 1000};
    struct seen_events others = {.max_count = 100, .max_age_ms = 1000};
    struct saved_writer writer = {0};
    seen_events_open(&events, 1);
    seen_events_open(&others, 2);

    (void)state;
    add(&events, 1, 10);
    add(&events, 2, 20);
    seen_events_note_message(&events, 7, 8);
    seen_events_save(&events, &writer);
    const unsigned char *at = (const unsigned char *)writer.out.data;
    struct saved_reader reader = {.at = at, .end = at + writer.out.length};
    assert_true(seen_events_load(&others, &reader) && saved_is_read(&reader));
    assert_int_equal(others.by_key.count, 2);
    const struct seen_event *event = find(&others, 2, 20);
    assert_int_equal(event->event_sequence, 1002);
    assert_int_equal(event->receivers, 2);
    assert_int_equal(event->seen_at_ms, 20);
    assert_true(seen_events_came_by(event, 7, 8));
    assert_false(seen_events_came_by(find(&others, 1, 20), 7, 8));
    bytes_free(&writer.out);
    seen_events_free(&events);
    seen_events_free(&others);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_said_and_to_whom_is_the_content),
        cmocka_unit_test(the_first_time_is_found_again),
        cmocka_unit_test(each_takes_about_as_much_as_is_said),
        cmocka_unit_test(they_are_forgotten_by_age),
        cmocka_unit_test(they_are_forgotten_by_number),
        cmocka_unit_test(one_whose_fate_is_open_is_settled_or_forgotten),
        cmocka_unit_test(a_message_that_comes_again_is_told_from_another),
        cmocka_unit_test(times_before_the_clock_began_are_times),
        cmocka_unit_test(forgetting_keeps_the_order_of_the_others),
        cmocka_unit_test(a_publishers_own_id_counts_across_handlers),
        cmocka_unit_test(all_goes_over_to_another_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
