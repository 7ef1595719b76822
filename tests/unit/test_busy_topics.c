/* The busiest topics: who is among them, whatever else comes, and that they are forgotten. */
#include "events/busy_topics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void note(struct busy_topics *topics, const char *topic, unsigned times)
{
    while (times-- > 0)
        busy_topics_note(topics, topic, strlen(topic), 7);
}

static void pass(struct busy_topics *topics, unsigned seconds)
{
    while (seconds-- > 0)
        busy_topics_pass(topics, topics->second_at + 1000);
}

static bool is_first(const struct busy_topics *topics, const char *name)
{
    const struct busy_topic *list[BUSY_TOPICS];

    return busy_topics_list(topics, list) > 0 && list[0]->length == strlen(name) &&
           memcmp(list[0]->name, name, list[0]->length) == 0;
}

static void test_the_busiest_stands_first(void **state)
{
    struct busy_topics *topics = calloc(1, sizeof *topics);
    const struct busy_topic *list[BUSY_TOPICS];

    (void)state;
    note(topics, "a", 3);
    note(topics, "b", 9);
    pass(topics, 1);
    assert_true(is_first(topics, "b"));
    assert_int_equal(busy_topics_list(topics, list), 2);
    assert_int_equal(list[0]->receivers, 7);
    note(topics, "a", 100);
    assert_true(is_first(topics, "a"));
    free(topics);
}

/* A thousand topics of one event each do not push out one that has many. */
static void test_it_stays_among_many(void **state)
{
    struct busy_topics *topics = calloc(1, sizeof *topics);
    char name[32];

    (void)state;
    for (int second = 0; second < 20; second++) {
        for (int i = 0; i < 1000; i++) {
            (void)snprintf(name, sizeof name, "rare/%d/%d", second, i);
            note(topics, name, 1);
            if (i % 20 == 0)
                note(topics, "often", 1);
        }
        pass(topics, 1);
    }
    assert_true(is_first(topics, "often"));
    free(topics);
}

static void test_a_rate_settles_and_is_forgotten(void **state)
{
    struct busy_topics *topics = calloc(1, sizeof *topics);
    const struct busy_topic *list[BUSY_TOPICS];

    (void)state;
    for (int second = 0; second < 60; second++) {
        note(topics, "ten a second", 10);
        pass(topics, 1);
    }
    assert_int_equal(busy_topics_list(topics, list), 1);
    assert_in_range(list[0]->rate, 9 * BUSY_TOPICS_SCALE, 10 * BUSY_TOPICS_SCALE);
    busy_topics_pass(topics, topics->second_at + 999);
    assert_in_range(list[0]->rate, 9 * BUSY_TOPICS_SCALE, 10 * BUSY_TOPICS_SCALE);
    pass(topics, 60);
    assert_int_equal(busy_topics_list(topics, list), 0);
    free(topics);
}

static void test_long_names_are_cut(void **state)
{
    struct busy_topics *topics = calloc(1, sizeof *topics);
    const struct busy_topic *list[BUSY_TOPICS];
    char name[1000];

    (void)state;
    memset(name, 'x', sizeof name);
    busy_topics_note(topics, name, sizeof name, 0);
    busy_topics_note(topics, name, sizeof name - 1, 0);
    assert_int_equal(busy_topics_list(topics, list), 2);
    assert_int_equal(list[0]->length, BUSY_TOPIC_NAME);
    free(topics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_busiest_stands_first),
        cmocka_unit_test(test_it_stays_among_many),
        cmocka_unit_test(test_a_rate_settles_and_is_forgotten),
        cmocka_unit_test(test_long_names_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
