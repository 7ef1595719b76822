/* Who is let through to a backend, and who is told at once that it does not answer. */
#include "backend_gate.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

enum { FOR_EVER_MS = 600000 };

static struct backend_gate *open_gate(unsigned threads, uint64_t time_limit_ms, uint64_t down_ms)
{
    const struct backend_gate_options options = {threads, time_limit_ms, down_ms};
    struct backend_gate *gate = backend_gate_open(&options);
    assert_non_null(gate);
    return gate;
}

/* As after a question that went unanswered for its time limit. */
static void leave_late(struct backend_gate *gate, uint64_t entered, uint64_t time_limit_ms)
{
    assert_int_not_equal(entered, 0);
    backend_gate_leave(gate, entered - time_limit_ms, false);
}

static void test_one_that_answers_is_asked(void **state)
{
    (void)state;
    struct backend_gate *gate = open_gate(2, FOR_EVER_MS, FOR_EVER_MS);
    for (int i = 0; i < 100; i++) {
        uint64_t entered = backend_gate_enter(gate);
        assert_int_not_equal(entered, 0);
        backend_gate_leave(gate, entered, true);
    }
    backend_gate_close(&gate);
    assert_null(gate);
    backend_gate_close(&gate);
}

static void test_a_failure_that_takes_no_time_is_not_remembered(void **state)
{
    (void)state;
    struct backend_gate *gate = open_gate(2, FOR_EVER_MS, FOR_EVER_MS);
    for (int i = 0; i < 100; i++) {
        uint64_t entered = backend_gate_enter(gate);
        assert_int_not_equal(entered, 0);
        backend_gate_leave(gate, entered, false);
    }
    backend_gate_close(&gate);
}

static void test_a_known_failure_is_said_at_once(void **state)
{
    (void)state;
    struct backend_gate *gate = open_gate(2, 1000, FOR_EVER_MS);
    leave_late(gate, backend_gate_enter(gate), 1000);
    for (int i = 0; i < 100; i++)
        assert_int_equal(backend_gate_enter(gate), 0);
    backend_gate_close(&gate);
}

static void wait_until_let_in(struct backend_gate *gate, uint64_t *entered)
{
    const struct timespec moment = {0, 1000000};
    while ((*entered = backend_gate_enter(gate)) == 0)
        (void)nanosleep(&moment, NULL);
}

static void test_then_one_tries_for_all(void **state)
{
    (void)state;
    uint64_t probe;
    struct backend_gate *gate = open_gate(8, 1000, 5);
    leave_late(gate, backend_gate_enter(gate), 1000);
    wait_until_let_in(gate, &probe);
    for (int i = 0; i < 100; i++)
        assert_int_equal(backend_gate_enter(gate), 0);
    leave_late(gate, probe, 1000);
    wait_until_let_in(gate, &probe);
    backend_gate_leave(gate, probe, true);
    uint64_t first = backend_gate_enter(gate), second = backend_gate_enter(gate);
    assert_int_not_equal(first, 0);
    assert_int_not_equal(second, 0);
    backend_gate_leave(gate, second, true);
    backend_gate_leave(gate, first, true);
    backend_gate_close(&gate);
}

static void test_one_thread_stays_out(void **state)
{
    (void)state;
    struct backend_gate *gate = open_gate(3, 20, FOR_EVER_MS);
    uint64_t first = backend_gate_enter(gate), second = backend_gate_enter(gate);
    assert_int_not_equal(first, 0);
    assert_int_not_equal(second, 0);
    assert_int_equal(backend_gate_enter(gate), 0);
    backend_gate_leave(gate, first, true);
    first = backend_gate_enter(gate);
    assert_int_not_equal(first, 0);
    backend_gate_leave(gate, first, true);
    backend_gate_leave(gate, second, true);
    backend_gate_close(&gate);
}

static void *enter_and_leave(void *context)
{
    uint64_t entered = backend_gate_enter(context);
    if (entered != 0)
        backend_gate_leave(context, entered, true);
    return entered != 0 ? context : NULL;
}

static void test_many_wait_their_turn(void **state)
{
    (void)state;
    enum { THREADS = 8 };
    struct backend_gate *gate = open_gate(2, FOR_EVER_MS, FOR_EVER_MS);
    uint64_t entered = backend_gate_enter(gate);
    pthread_t threads[THREADS];
    void *let_in;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, enter_and_leave, gate), 0);
    backend_gate_leave(gate, entered, true);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], &let_in), 0);
        assert_ptr_equal(let_in, gate);
    }
    backend_gate_close(&gate);
}

/* They are not left waiting for what is down. */
static void test_those_who_wait_hear_that_it_is_down(void **state)
{
    (void)state;
    struct backend_gate *gate = open_gate(2, FOR_EVER_MS, FOR_EVER_MS);
    uint64_t entered = backend_gate_enter(gate);
    pthread_t thread;
    void *let_in;
    leave_late(gate, entered, FOR_EVER_MS);
    assert_int_equal(pthread_create(&thread, NULL, enter_and_leave, gate), 0);
    assert_int_equal(pthread_join(thread, &let_in), 0);
    assert_null(let_in);
    backend_gate_close(&gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_that_answers_is_asked),
        cmocka_unit_test(test_a_failure_that_takes_no_time_is_not_remembered),
        cmocka_unit_test(test_a_known_failure_is_said_at_once),
        cmocka_unit_test(test_then_one_tries_for_all),
        cmocka_unit_test(test_one_thread_stays_out),
        cmocka_unit_test(test_many_wait_their_turn),
        cmocka_unit_test(test_those_who_wait_hear_that_it_is_down),
    };
    return cmocka_run_group_tests_name("backend_gate", tests, NULL, NULL);
}
