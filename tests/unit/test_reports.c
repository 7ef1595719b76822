/* Who had an event: what is kept, and forgotten, of streams that come, say something, go and come
 * back. */
#include "streams/reports.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "envelope.h"
#include "event.h"
#include "streams/presence.h"
#include "streams/report_users.h"
#include "streams/stream.h"

enum { CLIENTS = 20, EVENTS = 30 };

struct scene {
    struct reports reports;
    struct presence_entry *presence; /* of all */
    struct stream *streams[CLIENTS];
};

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);

    assert_non_null(scene);
    reports_open(&scene->reports, 7);
    scene->reports.max_bytes = 1 << 20;
    scene->reports.max_age_ms = 1000;
    scene->presence = calloc(1, sizeof *scene->presence + 4);
    assert_non_null(scene->presence);
    memcpy(scene->presence->clid, "page", 4);
    scene->presence->length = 4;
    for (int i = 0; i < CLIENTS; i++) {
        scene->streams[i] = calloc(1, sizeof **scene->streams);
        assert_non_null(scene->streams[i]);
        scene->streams[i]->connid = 100 + (uint64_t)i;
        scene->streams[i]->says_had = true;
        scene->streams[i]->presence = scene->presence;
    }
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;

    reports_close(&scene->reports);
    assert_int_equal(scene->reports.clients.count, 0);
    assert_int_equal(scene->reports.names_bytes, 0);
    assert_int_equal(scene->reports.users_bytes, 0);
    assert_int_equal(scene->reports.chunks, 0);
    for (int i = 0; i < CLIENTS; i++)
        free(scene->streams[i]);
    free(scene->presence);
    free(scene);
    return 0;
}

static struct report *begin(struct scene *scene, uint64_t sequence, uint64_t now)
{
    const struct event event = {.flags = ENVELOPE_REPORT, .sequence = sequence, .token = 5};

    return reports_begin(&scene->reports, &event, now);
}

static void add(struct scene *scene, struct report *report, int client)
{
    reports_add(&scene->reports, report, scene->streams[client], true, 1);
}

static void check(const struct report *report, uint32_t missing, uint32_t had, uint32_t unsaid)
{
    assert_int_equal(report->counts[RECEIPT_MISSING], missing);
    assert_int_equal(report->counts[RECEIPT_HAD], had);
    assert_int_equal(report->counts[RECEIPT_UNSAID], unsaid);
}

static void what_was_sent_is_missing_until_it_is_said(void **state)
{
    struct scene *scene = *state;
    struct report *first = begin(scene, 1, 0), *second = begin(scene, 2, 0);

    scene->streams[2]->says_had = false;
    for (int i = 0; i < 3; i++) {
        add(scene, first, i);
        add(scene, first, i); /* under another topic, or once more */
        add(scene, second, i);
    }
    check(first, 2, 0, 1);
    reports_had(&scene->reports, 100, 1);
    check(first, 1, 1, 1);
    check(second, 2, 0, 1);
    reports_had(&scene->reports, 100, 2);
    reports_had(&scene->reports, 100, 2);
    reports_had(&scene->reports, 999, 2);
    check(second, 1, 1, 1);
    assert_ptr_equal(reports_find(&scene->reports, 2), second);
    assert_null(reports_find(&scene->reports, 3));
}

static void what_one_had_before_it_comes_back_counts_for_the_stream_before(void **state)
{
    struct scene *scene = *state;
    struct report *first = begin(scene, 1, 0), *second = begin(scene, 2, 0);

    add(scene, first, 0);
    add(scene, second, 0);
    reports_leave(&scene->reports, scene->streams[0], 10);
    reports_come_back(&scene->reports, 100);
    reports_resume(&scene->reports, 100, 1);
    check(first, 0, 1, 0);
    check(second, 1, 0, 0);
    /* It was lost, and does not come again: what is said of later ones says nothing of it. */
    reports_had(&scene->reports, 100, 9);
    check(second, 1, 0, 0);
    reports_leave(&scene->reports, scene->streams[0], 20);
    reports_come_back(&scene->reports, 100);
    reports_resume(&scene->reports, 100, 9);
    check(second, 1, 0, 0);
    add(scene, second, 0);
    reports_had(&scene->reports, 100, 2);
    check(second, 0, 1, 0);
}

static void what_waits_until_one_has_caught_up_is_not_sent_yet(void **state)
{
    struct scene *scene = *state;
    struct report *report = begin(scene, 5, 0);

    reports_add(&scene->reports, report, scene->streams[0], false, 1);
    reports_had(&scene->reports, 100, 9);
    check(report, 1, 0, 0);
    add(scene, report, 0);
    reports_had(&scene->reports, 100, 5);
    check(report, 0, 1, 0);
}

static void those_that_are_too_old_are_forgotten_with_all_that_they_hold(void **state)
{
    struct scene *scene = *state;

    for (uint64_t i = 0; i < EVENTS; i++) {
        struct report *report = begin(scene, 1 + i, i);
        for (int c = 0; c < CLIENTS; c++)
            add(scene, report, c);
    }
    for (int c = 0; c < CLIENTS; c++)
        reports_leave(&scene->reports, scene->streams[c], 50);
    assert_true(scene->reports.names_bytes > 0);
    uint64_t chunks = scene->reports.chunks;
    reports_expire(&scene->reports, 1000 + EVENTS / 2);
    assert_in_range(scene->reports.chunks, 1, chunks / 2 + 1);
    assert_null(reports_find(&scene->reports, EVENTS / 2));
    assert_non_null(reports_find(&scene->reports, EVENTS / 2 + 1));
    reports_expire(&scene->reports, 5000);
    assert_int_equal(scene->reports.by_sequence.count, 0);
    assert_int_equal(scene->reports.receipts.count, 0);
    assert_int_equal(scene->reports.clients.count, 0);
    assert_int_equal(scene->reports.names_bytes, 0);
    assert_int_equal(scene->reports.given_up, 0);
}

static void there_are_no_more_bytes_than_allowed_and_the_newest_stay(void **state)
{
    struct scene *scene = *state;

    scene->reports.max_bytes = 40000;
    for (uint64_t i = 1; i <= EVENTS; i++) {
        struct report *report = begin(scene, i, 0);
        for (int c = 0; c < CLIENTS; c++) {
            add(scene, report, c);
            assert_true(reports_bytes(&scene->reports) < 40000 + 2000);
        }
        check(report, CLIENTS, 0, 0);
    }
    assert_true(scene->reports.given_up > 0 && scene->reports.given_up < EVENTS);
    for (uint64_t i = 1; i <= EVENTS; i++)
        assert_int_equal(reports_find(&scene->reports, i) != NULL, i > scene->reports.given_up);
}

/* Never one that names fewer than there were. */
static void one_that_is_too_large_by_itself_is_given_up(void **state)
{
    struct scene *scene = *state;
    struct report *report = begin(scene, 1, 0);

    add(scene, report, 0);
    scene->reports.max_bytes = reports_bytes(&scene->reports);
    for (int c = 1; c < CLIENTS; c++)
        add(scene, report, c);
    assert_null(reports_find(&scene->reports, 1));
    scene->reports.max_bytes = 0;
    assert_null(begin(scene, 2, 0));
}

static void users_are_found_and_accounted_for(void **state)
{
    struct scene *scene = *state;
    const char to[] = "7\0eva\0ana"; /* not in order */
    const struct event event = {.topic = "orders",
                                .topic_length = 6,
                                .allowed = to,
                                .allowed_length = sizeof to,
                                .flags = ENVELOPE_REPORT | ENVELOPE_WITHIN,
                                .sequence = 1,
                                .within_ms = 100};
    struct report *report = reports_begin(&scene->reports, &event, 0);

    assert_int_equal(report->users->count, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(report_users_find(report->users, report->users->list[i].id), i);
    assert_int_equal(report_users_find(report->users, "an"), REPORT_NO_USER);
    assert_int_equal(report_users_find(report->users, NULL), REPORT_NO_USER);
    assert_memory_equal(report->users->topic, "orders", 6);
    /* Not before all are accounted for, however old it is. */
    reports_expire(&scene->reports, 100000);
    assert_non_null(reports_find(&scene->reports, 1));
    reports_settle(&scene->reports, report);
    reports_settle(&scene->reports, report);
    reports_expire(&scene->reports, 100000);
    assert_int_equal(scene->reports.by_sequence.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_sent_is_missing_until_it_is_said, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            what_one_had_before_it_comes_back_counts_for_the_stream_before, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_waits_until_one_has_caught_up_is_not_sent_yet, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            those_that_are_too_old_are_forgotten_with_all_that_they_hold, set_up, tear_down),
        cmocka_unit_test_setup_teardown(there_are_no_more_bytes_than_allowed_and_the_newest_stay,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_is_too_large_by_itself_is_given_up, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(users_are_found_and_accounted_for, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
