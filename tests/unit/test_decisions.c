/* What is kept of decisions: as it was noted, however large its numbers, within bounds, the oldest
 * forgotten first. */
#include "bytes.h"
#include "clock.h"
#include "saved_state.h"
#include "streams/decisions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { A_PAGE = 80 * 1024, PAGES = 3 };

struct scene {
    struct decisions decisions;
    uint64_t newest;
};

static int open_scene(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);

    assert_non_null(scene);
    decisions_open(&scene->decisions, clock_wall_ms());
    scene->decisions.max_bytes = PAGES * A_PAGE;
    scene->decisions.newest = &scene->newest;
    *state = scene;
    return 0;
}

static int close_scene(void **state)
{
    struct scene *scene = *state;

    decisions_close(&scene->decisions);
    assert_int_equal(decisions_bytes(&scene->decisions), 0);
    free(scene);
    return 0;
}

static void post(struct scene *scene, const char *topic, uint64_t first, uint64_t newest)
{
    scene->newest = newest;
    /* More of one second than are kept of strangers. */
    scene->decisions.refusals = 0;
    decisions_note_unpublished(&scene->decisions,
                               &(struct unpublished){.reason = "double",
                                                     .user = "ana",
                                                     .by = "shop",
                                                     .topic = topic,
                                                     .topic_length = strlen(topic),
                                                     .first = first});
}

static void test_numbers_come_back(void **state)
{
    static const uint64_t numbers[] = {
        0,          1,         127, 128, 1000000, INT64_MAX, UINT64_MAX / 2 + 1, UINT64_MAX - 1,
        UINT32_MAX, UINT64_MAX};
    enum { COUNT = sizeof numbers / sizeof *numbers };
    struct scene *scene = *state;
    struct decision_place place = {0};
    struct decision decision;

    /* Each as the page's first and beside it: what comes later may be smaller. */
    for (size_t i = 0; i < COUNT; i++)
        for (size_t j = 0; j < COUNT; j++)
            post(scene, "a/b", numbers[j], numbers[(i + j) % COUNT]);
    for (size_t i = 0; i < COUNT; i++)
        for (size_t j = 0; j < COUNT; j++) {
            assert_true(decisions_next(&scene->decisions, &place, &decision));
            assert_int_equal(decision.kind, DECISION_UNPUBLISHED);
            assert_true(decision.other == numbers[j]);
            assert_true(decision.sequence == numbers[(i + j) % COUNT]);
            assert_int_equal(decision.connid, 0);
            assert_true(decision.at_ms >= scene->decisions.since_ms);
            assert_true(decision.at_ms <= clock_wall_ms());
            assert_false(decision.cut || decision.recovered);
        }
    assert_false(decisions_next(&scene->decisions, &place, &decision));
}

static void test_texts_come_back(void **state)
{
    static const char *const expected[] = {"ana", "shop", "double", "a/b"};
    struct scene *scene = *state;
    struct decision_place place = {0};
    struct decision decision;
    const char *text = NULL;

    post(scene, "a/b", 0, 7);
    decisions_note_refused(&scene->decisions, NULL, "tab", "The ticket is over", NULL);
    assert_true(decisions_next(&scene->decisions, &place, &decision));
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        text = decision_next_text(&decision, text);
        assert_string_equal(text, expected[i]);
    }
    assert_null(decision_next_text(&decision, text));
    assert_true(decisions_next(&scene->decisions, &place, &decision));
    assert_int_equal(decision.kind, DECISION_REFUSED);
    text = decision_next_text(&decision, NULL);
    assert_string_equal(text, "");
    text = decision_next_text(&decision, text);
    assert_string_equal(text, "tab");
    assert_string_equal(decision_next_text(&decision, text), "The ticket is over");
}

static void test_the_oldest_are_forgotten(void **state)
{
    enum { POSTS = 20000 };
    struct scene *scene = *state;
    struct decision_place place = {0};
    struct decision decision;
    char topic[32];

    for (uint64_t i = 0; i < POSTS; i++) {
        (void)snprintf(topic, sizeof topic, "topic/%" PRIu64, i);
        post(scene, topic, i, i);
        assert_true(decisions_bytes(&scene->decisions) <= scene->decisions.max_bytes);
    }
    assert_true(decisions_next(&scene->decisions, &place, &decision));
    uint64_t next = decision.other;
    assert_in_range(next, 1, POSTS - 1000);
    do {
        assert_true(decision.other == next && decision.sequence == next);
        (void)snprintf(topic, sizeof topic, "topic/%" PRIu64, next++);
        assert_string_equal(decision.text + sizeof "ana" + sizeof "shop" + sizeof "double", topic);
    } while (decisions_next(&scene->decisions, &place, &decision));
    assert_int_equal(next, POSTS);
}

static void test_none_is_kept_where_none_may_be(void **state)
{
    struct scene *scene = *state;
    struct decision_place place = {0};
    struct decision decision;

    scene->decisions.max_bytes = 0;
    post(scene, "a", 1, 1);
    assert_false(decisions_next(&scene->decisions, &place, &decision));
    scene->decisions.max_bytes = 1000; /* less than a page */
    post(scene, "a", 1, 1);
    assert_false(decisions_next(&scene->decisions, &place, &decision));
    assert_int_equal(decisions_bytes(&scene->decisions), 0);
}

static struct saved_reader reader_of(const struct saved_writer *writer, size_t length)
{
    const unsigned char *at = (const unsigned char *)writer->out.data;

    return (struct saved_reader){.at = at, .end = at + length};
}

static void assert_same(const struct decisions *decisions, const struct decisions *others)
{
    struct decision_place place = {0}, other_place = {0};
    struct decision decision, other;

    while (decisions_next(decisions, &place, &decision)) {
        assert_true(decisions_next(others, &other_place, &other));
        assert_true(decision.at_ms == other.at_ms && decision.sequence == other.sequence);
        assert_true(decision.other == other.other && decision.kind == other.kind);
        assert_int_equal(decision.text_length, other.text_length);
        assert_memory_equal(decision.text, other.text, other.text_length);
    }
    assert_false(decisions_next(others, &other_place, &other));
}

/* More than one page of them, known since 7. */
static void save_many(struct scene *scene, struct saved_writer *writer)
{
    for (uint64_t i = 0; i < 3000; i++)
        post(scene, "a/b/c", i, i);
    scene->decisions.since_ms = 7;
    decisions_save(&scene->decisions, writer);
}

static void test_they_go_over_to_another_program(void **state)
{
    struct scene *scene = *state;
    struct decisions next = {.max_bytes = PAGES * A_PAGE};
    struct saved_writer writer = {0};

    save_many(scene, &writer);
    decisions_open(&next, 9);
    struct saved_reader reader = reader_of(&writer, writer.out.length);
    assert_true(decisions_load(&next, &reader) && saved_is_read(&reader));
    assert_int_equal(next.since_ms, 7);
    assert_same(&scene->decisions, &next);
    decisions_close(&next);
    bytes_free(&writer.out);
}

/* With less room the newest stay, and it is known since when. */
static void test_they_go_over_as_far_as_there_is_room(void **state)
{
    struct scene *scene = *state;
    struct decision_place place = {0};
    struct decision decision;
    struct decisions less = {.max_bytes = A_PAGE}, none = {0};
    struct saved_writer writer = {0};

    save_many(scene, &writer);
    decisions_open(&less, 9);
    struct saved_reader reader = reader_of(&writer, writer.out.length);
    assert_true(decisions_load(&less, &reader));
    assert_true(less.since_ms > 7);
    assert_true(decisions_next(&less, &place, &decision) && decision.other > 0);
    decisions_open(&none, 9);
    reader = reader_of(&writer, writer.out.length);
    assert_true(decisions_load(&none, &reader) && saved_is_read(&reader));
    assert_int_equal(none.since_ms, 9);
    decisions_close(&less);
    decisions_close(&none);
    bytes_free(&writer.out);
}

static void test_what_is_cut_off_is_refused(void **state)
{
    struct scene *scene = *state;
    struct saved_writer writer = {0};

    post(scene, "a/b/c", 1, 1);
    decisions_save(&scene->decisions, &writer);
    /* Also where a decision is cut off, and the length of the page says so. */
    for (size_t cut = 1; cut < writer.out.length - sizeof(uint64_t); cut++) {
        struct decisions next = {.max_bytes = A_PAGE};
        size_t length = writer.out.length - cut, page = 6 * sizeof(uint64_t);
        decisions_open(&next, 9);
        struct saved_reader reader = reader_of(&writer, length);
        assert_false(decisions_load(&next, &reader));
        if (length > page) {
            writer.out.data[5 * sizeof(uint64_t)] = (char)(length - page);
            reader = reader_of(&writer, length);
            assert_false(decisions_load(&next, &reader));
            writer.out.data[5 * sizeof(uint64_t)] = (char)(writer.out.length - page);
        }
        decisions_close(&next);
    }
    bytes_free(&writer.out);
}

#define SCENE(test) cmocka_unit_test_setup_teardown(test, open_scene, close_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {SCENE(test_numbers_come_back),
                                       SCENE(test_texts_come_back),
                                       SCENE(test_the_oldest_are_forgotten),
                                       SCENE(test_none_is_kept_where_none_may_be),
                                       SCENE(test_they_go_over_to_another_program),
                                       SCENE(test_they_go_over_as_far_as_there_is_room),
                                       SCENE(test_what_is_cut_off_is_refused)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
