/* What is kept of the sessions that are held, what goes between the two threads, and what Redis'
 * messages say. */
#include "bytes.h"
#include "sessions/session_events.h"
#include "sessions/session_id.h"
#include "watch/held_sessions.h"
#include "watch/watch_notices.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void write_sid(char sid[SESSION_SID_SIZE], unsigned number)
{
    char id[16];
    int length = snprintf(id, sizeof id, "%u", number);
    assert_true(session_id_hash(sid, id, (size_t)length));
}

static void test_hashes(void **state)
{
    (void)state;
    char sid[SESSION_SID_SIZE];
    assert_true(session_id_hash(sid, "abc", 3));
    assert_string_equal(sid, "session:"
                             "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_true(session_sid_is_one(sid));
    sid[SESSION_SID_SIZE - 2] = '\0';
    assert_false(session_sid_is_one(sid));
    assert_false(session_sid_is_one("9f2c"));
    assert_false(session_sid_is_one(""));
}

static void test_what_is_missing_is_found(void **state)
{
    (void)state;
    enum { MANY = 1000 };
    struct bytes list = BYTES_EMPTY;
    char sid[SESSION_SID_SIZE];
    for (unsigned i = 0; i < MANY; i++) {
        write_sid(sid, i);
        bytes_append(&list, sid, sizeof sid);
        bytes_append(&list, "a token's own", sizeof "a token's own");
    }
    struct held_sessions *held = held_sessions_new(list.data, list.length);
    assert_non_null(held);
    assert_int_equal(held_sessions_count(held), MANY);
    for (unsigned i = 0; i < MANY; i++) {
        write_sid(sid, i);
        if (i != 3 && i != 700)
            assert_true(held_sessions_note(held, sid));
    }
    write_sid(sid, MANY);
    assert_false(held_sessions_note(held, sid));
    assert_false(held_sessions_note(held, "short"));
    char expected[2][SESSION_SID_SIZE];
    write_sid(expected[0], 3);
    write_sid(expected[1], 700);
    size_t at = 0, found = 0;
    const char *missing;
    while ((missing = held_sessions_next_missing(held, &at)) != NULL) {
        assert_true(strcmp(missing, expected[0]) == 0 || strcmp(missing, expected[1]) == 0);
        found++;
    }
    assert_int_equal(found, 2);
    held_sessions_free(&held);
    bytes_free(&list);
    held = held_sessions_new("", 0);
    assert_int_equal(held_sessions_count(held), 0);
    held_sessions_free(&held);
}

static void test_queues_are_bounded(void **state)
{
    (void)state;
    struct watch_notices notices = {0};
    watch_notices_open(&notices);
    struct notice one = {.kind = NOTICE_WRITTEN, .text = "abc"};
    for (unsigned i = 0; i < WATCH_NOTICES_MAX; i++)
        watch_notices_post(&notices, &notices.for_loop, &one);
    assert_false(watch_notices_took_loss(&notices));
    one.kind = NOTICE_LIST;
    bytes_append_text(&one.list, "freed all the same");
    watch_notices_post(&notices, &notices.for_thread, &one);
    assert_null(watch_notices_take(&notices, &notices.for_thread));
    assert_true(watch_notices_took_loss(&notices));
    assert_false(watch_notices_took_loss(&notices));
    struct notice *first = watch_notices_take(&notices, &notices.for_loop);
    assert_non_null(first);
    assert_string_equal(first->text, "abc");
    watch_notices_free(&first);
    assert_null(first);
    watch_notices_close(&notices);
}

static void test_patterns_stand_for_the_prefix_alone(void **state)
{
    (void)state;
    struct bytes pattern = BYTES_EMPTY;
    session_events_write_pattern(&pattern, 3, "shop[1]:*?\\");
    assert_string_equal(bytes_terminate(&pattern), "__keyspace@3__:shop\\[1\\]:\\*\\?\\\\*");
    bytes_free(&pattern);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hashes),
        cmocka_unit_test(test_what_is_missing_is_found),
        cmocka_unit_test(test_queues_are_bounded),
        cmocka_unit_test(test_patterns_stand_for_the_prefix_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
