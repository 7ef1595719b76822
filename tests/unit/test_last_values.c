#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "envelope.h"
#include "failing_memory.h"
#include "log/event_log.h"
#include "random.h"

static void take(struct last_values *values, uint64_t sequence, uint16_t flags, const char *topic,
                 const char *json)
{
    const struct event event = {.topic = topic,
                                .topic_length = strlen(topic),
                                .json = json,
                                .json_length = strlen(json),
                                .flags = (uint16_t)(flags | ENVELOPE_KEEP),
                                .sequence = sequence};

    last_values_take(values, &event);
}

static void open_values(struct last_values *values)
{
    assert_true(last_values_open(values, 1));
    values->max_bytes = 1 << 20;
}

/* Their JSON, one after the other. */
static const char *all_of(const struct last_values *values)
{
    static char text[256];
    uint64_t sequence = 0;
    const struct logged_event *value;

    text[0] = '\0';
    while ((value = last_values_after(values, sequence)) != NULL) {
        size_t length = strlen(text);
        (void)snprintf(text + length, sizeof text - length, "%.*s", (int)value->json_length,
                       value->json);
        assert_true(value->sequence > sequence);
        sequence = value->sequence;
    }
    return text;
}

static void the_newest_of_each_topic_is_kept_in_order(void **state)
{
    struct last_values values;

    (void)state;
    open_values(&values);
    take(&values, 1, 0, "a", "1");
    take(&values, 2, 0, "b", "2");
    take(&values, 4, 0, "c", "4");
    take(&values, 7, 0, "b", "7");
    assert_string_equal(all_of(&values), "147");
    assert_int_equal(values.count, 3);
    assert_int_equal(last_values_after(&values, 4)->sequence, 7);
    assert_null(last_values_after(&values, 7));
    assert_true(last_values_count_after(&values, 0) >= 3);
    assert_int_equal(last_values_count_after(&values, 7), 0);
    take(&values, 8, ENVELOPE_FORGET, "a", "8");
    take(&values, 9, ENVELOPE_FORGET, "nothing", "9");
    assert_string_equal(all_of(&values), "47");
    last_values_close(&values);
}

/* Whom the database named when it was said may be another one by the time that it is wanted. */
static void who_might_hear_a_value_is_not_kept_with_it(void **state)
{
    static const char allowed[] = "ana\0ben";
    const struct event event = {.topic = "a",
                                .topic_length = 1,
                                .json = "1",
                                .json_length = 1,
                                .allowed = allowed,
                                .allowed_length = sizeof allowed,
                                .flags = ENVELOPE_KEEP | ENVELOPE_BOUND,
                                .sequence = 1};
    struct last_values values;

    (void)state;
    open_values(&values);
    last_values_take(&values, &event);
    assert_string_equal(all_of(&values), "1");
    assert_int_equal(last_values_after(&values, 0)->allowed_length, 0);
    last_values_close(&values);
}

static void a_longer_name_takes_more_room(void **state)
{
    struct last_values values;

    (void)state;
    open_values(&values);
    take(&values, 1, 0, "a", "1");
    uint64_t one = values.bytes;
    take(&values, 2, 0, "a longer name", "1");
    assert_int_equal(values.bytes - one, one + strlen("a longer name") - strlen("a"));
    take(&values, 3, ENVELOPE_FORGET, "a longer name", "");
    assert_int_equal(values.bytes, one);
    last_values_close(&values);
}

/* As when the log begins anew: between them stand gaps, of topics that have a newer value. */
static void those_after_a_sequence_are_forgotten(void **state)
{
    struct last_values values;

    (void)state;
    open_values(&values);
    take(&values, 1, 0, "a", "1");
    take(&values, 2, 0, "b", "2");
    take(&values, 3, 0, "c", "3");
    take(&values, 4, 0, "d", "4");
    take(&values, 5, 0, "c", "5");
    last_values_forget_after(&values, 2);
    assert_string_equal(all_of(&values), "12");
    assert_int_equal(values.count, 2);
    take(&values, 3, 0, "d", "3");
    assert_string_equal(all_of(&values), "123");
    last_values_forget_after(&values, 0);
    assert_int_equal(values.count, 0);
    assert_int_equal(values.bytes, 0);
    last_values_close(&values);
}

static void kinds_are_apart(void **state)
{
    struct last_values values;
    struct topic_matches matches = {0};

    (void)state;
    open_values(&values);
    take(&values, 1, 0, "a/b", "1");
    take(&values, 2, ENVELOPE_PRIVATE, "a/b", "2");
    take(&values, 3, ENVELOPE_BOUND | ENVELOPE_EVERYONE, "a/b", "3");
    assert_string_equal(all_of(&values), "123");
    take(&values, 4, ENVELOPE_PRIVATE | ENVELOPE_FORGET, "a/b", "4");
    assert_string_equal(all_of(&values), "13");
    for (int kind = 0; kind < LAST_VALUE_KINDS; kind++) {
        last_values_match(&values, (enum last_value_kind)kind, "a/#", 3, 1000, &matches);
        assert_int_equal(matches.count, kind != LAST_VALUE_PRIVATE);
    }
    topic_matches_free(&matches);
    last_values_close(&values);
}

static void the_oldest_are_let_go_of(void **state)
{
    struct last_values values;
    char topic[16];

    (void)state;
    open_values(&values);
    values.max_bytes = 20000;
    for (uint64_t i = 1; i <= 1000; i++) {
        (void)snprintf(topic, sizeof topic, "t/%llu", (unsigned long long)i);
        take(&values, i, 0, topic, "{\"type\":\"x\"}");
        assert_true(last_values_bytes(&values) <= values.max_bytes);
    }
    assert_true(values.count > 20 && values.count < 1000);
    assert_int_equal(values.let_go, 1000 - values.count);
    assert_int_equal(values.forgotten, values.let_go);
    assert_int_equal(last_values_after(&values, 0)->sequence, values.let_go + 1);
    values.max_bytes = 5000;
    last_values_trim(&values);
    assert_true(values.count > 0 && last_values_bytes(&values) <= 5000);
    values.max_bytes = 0;
    last_values_trim(&values);
    assert_int_equal(values.count, 0);
    assert_int_equal(values.bytes, 0);
    last_values_close(&values);
}

/* What is said of them is what a plain list would say. */
static void they_are_as_a_list_has_them(void **state)
{
    enum { TOPICS = 40, TURNS = 20000 };
    struct last_values values;
    uint64_t newest[TOPICS] = {0}, random = 7;
    char topic[16];

    (void)state;
    open_values(&values);
    for (uint64_t turn = 1; turn <= TURNS; turn++) {
        uint64_t which = random_next(&random) % TOPICS;
        bool forgets = random_next(&random) % 4 == 0;
        (void)snprintf(topic, sizeof topic, "%llu", (unsigned long long)which);
        take(&values, turn, forgets ? ENVELOPE_FORGET : 0, topic, "{}");
        newest[which] = forgets ? 0 : turn;
        uint64_t after = random_next(&random) % (turn + 1), next = UINT64_MAX, count = 0;
        for (int i = 0; i < TOPICS; i++) {
            count += newest[i] > 0;
            if (newest[i] > after && newest[i] < next)
                next = newest[i];
        }
        const struct logged_event *found = last_values_after(&values, after);
        assert_true(found != NULL ? found->sequence == next : next == UINT64_MAX);
        assert_int_equal(values.count, count);
        assert_true(values.capacity <= 512);
    }
    last_values_close(&values);
}

/* A topic whose new value there is no memory for has none: that of before would be wrong. */
static void without_memory_there_is_no_value(void **state)
{
    (void)state;
    for (unsigned n = 1; n < 14; n++) {
        struct last_values values;
        open_values(&values);
        take(&values, 1, 0, "a/b/c", "1");
        failing_memory_at(n);
        take(&values, 2, 0, "a/b/c", "2");
        take(&values, 3, 0, "d/e/f", "3");
        (void)failing_memory_stop();
        const char *left = all_of(&values);
        assert_null(strchr(left, '1'));
        assert_int_equal(strlen(left), values.count);
        take(&values, 4, 0, "d/e/f", "4");
        assert_non_null(strchr(all_of(&values), '4'));
        last_values_close(&values);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_of_each_topic_is_kept_in_order),
        cmocka_unit_test(who_might_hear_a_value_is_not_kept_with_it),
        cmocka_unit_test(a_longer_name_takes_more_room),
        cmocka_unit_test(those_after_a_sequence_are_forgotten),
        cmocka_unit_test(kinds_are_apart),
        cmocka_unit_test(the_oldest_are_let_go_of),
        cmocka_unit_test(they_are_as_a_list_has_them),
        cmocka_unit_test(without_memory_there_is_no_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
