#include "net/loop_watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <time.h>

/* Uses so much processor time of this thread. */
static void work_for(uint64_t ns)
{
    struct timespec begun, now;

    assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begun), 0);
    do
        assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now), 0);
    while ((uint64_t)(now.tv_sec - begun.tv_sec) * 1000000000 + (uint64_t)now.tv_nsec <
           (uint64_t)begun.tv_nsec + ns);
}

static void the_longest_turn_is_kept_with_what_it_did(void **state)
{
    struct loop_watch watch = {0};

    (void)state;
    loop_watch_end_turn(&watch, 1000);
    loop_watch_did(&watch, LOOP_READ, 3);
    work_for(20000000);
    loop_watch_end_turn(&watch, 1500);
    loop_watch_did(&watch, LOOP_EVENTS, 7);
    loop_watch_end_turn(&watch, 2000);
    assert_true(watch.longest.cpu_ns >= 20000000);
    assert_int_equal(watch.longest.did[LOOP_READ], 3);
    assert_int_equal(watch.longest.did[LOOP_EVENTS], 0);
    assert_int_equal(watch.longest.at_ms, 1500);
    assert_int_equal(watch.turns, 3);
    assert_int_equal(loop_watch_longest(&watch, 60000, 60)->at_ms, 1500);
    assert_int_equal(loop_watch_longest(&watch, 61900, 60)->at_ms, 2000);
    assert_int_equal(loop_watch_longest(&watch, 61900, 60)->did[LOOP_EVENTS], 7);
    assert_int_equal(loop_watch_longest(&watch, 62000, 60)->cpu_ns, 0);
    assert_int_equal(watch.longest.at_ms, 1500);
}

static void a_turn_reads_for_a_while_and_the_next_one_again(void **state)
{
    struct loop_watch watch = {0};

    (void)state;
    assert_true(loop_watch_has_time(&watch));
    work_for(10000000);
    assert_false(loop_watch_has_time(&watch));
    assert_false(loop_watch_has_time(&watch));
    assert_int_equal(watch.put_off, 2);
    loop_watch_end_turn(&watch, 1);
    assert_true(loop_watch_has_time(&watch));
}

static void writing_has_time_of_its_own(void **state)
{
    struct loop_watch watch = {0};

    (void)state;
    loop_watch_begin_writing(&watch);
    work_for(10000000);
    assert_false(loop_watch_may_write(&watch));
    loop_watch_begin_writing(&watch);
    assert_false(loop_watch_may_write(&watch));
    assert_true(loop_watch_has_time(&watch));
    loop_watch_end_turn(&watch, 1);
    assert_true(watch.written_ns == 0);
}

static void work_is_measured_since_it_was_admitted(void **state)
{
    struct loop_watch watch = {0};

    (void)state;
    loop_watch_charge(&watch, NULL);
    assert_true(watch.work_since_ns == 0); /* none was */
    assert_true(loop_watch_admits(&watch, NULL));
    uint64_t since = watch.work_since_ns;
    assert_true(since > 0);
    work_for(1000000);
    loop_watch_charge(&watch, NULL);
    assert_true(watch.work_since_ns - since >= 1000000);
}

static void each_work_has_a_word(void **state)
{
    (void)state;
    for (int work = 0; work < LOOP_WORKS; work++)
        assert_true(loop_work_names[work] != NULL && strlen(loop_work_names[work]) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_turn_is_kept_with_what_it_did),
        cmocka_unit_test(a_turn_reads_for_a_while_and_the_next_one_again),
        cmocka_unit_test(writing_has_time_of_its_own),
        cmocka_unit_test(work_is_measured_since_it_was_admitted),
        cmocka_unit_test(each_work_has_a_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
