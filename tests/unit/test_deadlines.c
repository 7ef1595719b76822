#include "net/deadlines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"

enum { TICK = DEADLINES_TICK_MS, TIMERS = 300, STEPS = 20000 };

struct timer {
    struct deadline deadline;
    uint64_t due_ms; /* 0: not set */
};

/* A clock of our own, and what is expected of the ring. */
struct scene {
    struct deadlines ring;
    struct timer timers[TIMERS];
    uint64_t now, random;
    unsigned fired;
    bool busy; /* due() itself sets and removes */
};

static struct timer *timer_of(struct deadline *deadline)
{
    return (struct timer *)(void *)((char *)deadline - offsetof(struct timer, deadline));
}

static uint64_t rounded_up(uint64_t ms)
{
    return (ms + TICK - 1) / TICK;
}

static void set_timer(struct scene *scene, struct timer *timer, uint64_t due_ms)
{
    deadlines_set(&scene->ring, &timer->deadline, due_ms);
    /* What is due already comes with the next tick. */
    timer->due_ms = due_ms / TICK < scene->now / TICK ? scene->now - scene->now % TICK + 1 : due_ms;
    if (rounded_up(timer->due_ms) <= scene->now / TICK)
        timer->due_ms = (scene->now / TICK + 1) * TICK;
}

static void remove_timer(struct timer *timer)
{
    deadlines_remove(&timer->deadline);
    timer->due_ms = 0;
}

static uint64_t some_delay(uint64_t *random)
{
    static const unsigned ranges[] = {1, 50, 1000, 100000, 400000, 4000000};

    return random_below(random, ranges[random_below(random, sizeof ranges / sizeof *ranges)]);
}

static void meddle(struct scene *scene)
{
    struct timer *other = &scene->timers[random_below(&scene->random, TIMERS)];

    if (random_below(&scene->random, 3) == 0)
        remove_timer(other);
    else
        set_timer(scene, other, scene->now + some_delay(&scene->random));
}

static void on_due(struct deadline *deadline, void *context)
{
    struct scene *scene = context;
    struct timer *timer = timer_of(deadline);

    assert_int_not_equal(timer->due_ms, 0);
    assert_true(rounded_up(timer->due_ms) <= scene->now / TICK);
    assert_null(deadline->link);
    timer->due_ms = 0;
    scene->fired++;
    for (unsigned i = scene->busy ? random_below(&scene->random, 3) : 0; i > 0; i--)
        meddle(scene);
}

static void advance(struct scene *scene, uint64_t ms)
{
    scene->now += ms;
    deadlines_advance(&scene->ring, scene->now, on_due, scene);
    /* Nothing that was due is left; what was set by due() comes with a later tick. */
    for (size_t i = 0; i < TIMERS; i++) {
        const struct timer *timer = &scene->timers[i];
        assert_int_equal(timer->deadline.link != NULL, timer->due_ms != 0);
        if (timer->due_ms != 0)
            assert_true(rounded_up(timer->due_ms) > scene->now / TICK);
    }
}

static struct scene *scene_new(uint64_t seed, bool busy)
{
    struct scene *scene = calloc(1, sizeof *scene);

    assert_non_null(scene);
    scene->random = seed;
    scene->busy = busy;
    scene->now = 123456789;
    deadlines_start(&scene->ring, scene->now);
    return scene;
}

static void each_comes_due_in_its_tick(void **state)
{
    struct scene *scene = scene_new(1, false);

    (void)state;
    for (int i = 0; i < STEPS; i++) {
        meddle(scene);
        if (random_below(&scene->random, 4) == 0)
            advance(scene, some_delay(&scene->random));
    }
    assert_true(scene->fired > 1000);
    free(scene);
}

static void they_may_be_set_and_removed_while_others_come_due(void **state)
{
    struct scene *scene = scene_new(2, true);

    (void)state;
    for (int i = 0; i < STEPS; i++) {
        meddle(scene);
        if (random_below(&scene->random, 4) == 0)
            advance(scene, some_delay(&scene->random));
    }
    assert_true(scene->fired > 1000);
    free(scene);
}

static void none_is_early(void **state)
{
    struct scene *scene = scene_new(3, false);
    uint64_t begun = scene->now;

    (void)state;
    for (size_t i = 0; i < TIMERS; i++)
        set_timer(scene, &scene->timers[i], begun + 1 + 7 * i);
    while (scene->fired < TIMERS)
        advance(scene, 1);
    /* The last one was asked for 1 + 7 * 299 ms after the beginning. */
    assert_true(scene->now >= begun + 1 + (uint64_t)7 * (TIMERS - 1));
    assert_true(scene->now < begun + 1 + (uint64_t)7 * (TIMERS - 1) + TICK);
    free(scene);
}

static void after_a_long_pause_all_come_at_once(void **state)
{
    struct scene *scene = scene_new(4, false);
    const uint64_t round = (uint64_t)DEADLINES_SLOTS * TICK;

    (void)state;
    for (size_t i = 0; i < TIMERS; i++)
        set_timer(scene, &scene->timers[i], scene->now + i * round / 50);
    advance(scene, 1000 * round);
    assert_int_equal(scene->fired, TIMERS);
    /* The ring still works. */
    set_timer(scene, &scene->timers[0], scene->now + 10 * round);
    advance(scene, 10 * round - 2 * TICK);
    assert_int_equal(scene->fired, TIMERS);
    advance(scene, 3 * TICK);
    assert_int_equal(scene->fired, TIMERS + 1);
    free(scene);
}

static void a_clock_that_stands_still_or_goes_back_does_no_harm(void **state)
{
    struct scene *scene = scene_new(5, false);

    (void)state;
    set_timer(scene, &scene->timers[0], scene->now + 500);
    deadlines_advance(&scene->ring, scene->now, on_due, scene);
    deadlines_advance(&scene->ring, 0, on_due, scene);
    assert_int_equal(scene->fired, 0);
    advance(scene, 600);
    assert_int_equal(scene->fired, 1);
    free(scene);
}

static void moving_one_forgets_its_first_time(void **state)
{
    struct scene *scene = scene_new(6, false);

    (void)state;
    set_timer(scene, &scene->timers[0], scene->now + 300);
    set_timer(scene, &scene->timers[0], scene->now + 900);
    set_timer(scene, &scene->timers[1], scene->now + 300);
    remove_timer(&scene->timers[1]);
    remove_timer(&scene->timers[1]);
    advance(scene, 500);
    assert_int_equal(scene->fired, 0);
    advance(scene, 500);
    assert_int_equal(scene->fired, 1);
    advance(scene, 200000);
    assert_int_equal(scene->fired, 1);
    free(scene);
}

/* due() that sets its own deadline into the past must not be called for ever. */
static void set_again_for_now(struct deadline *deadline, void *context)
{
    struct scene *scene = context;

    scene->fired++;
    assert_true(scene->fired < 10);
    deadlines_set(&scene->ring, deadline, 0);
}

static void one_that_sets_itself_for_now_comes_with_the_next_tick(void **state)
{
    struct scene *scene = scene_new(7, false);

    (void)state;
    deadlines_set(&scene->ring, &scene->timers[0].deadline, scene->now);
    for (unsigned i = 1; i < 5; i++) {
        deadlines_advance(&scene->ring, scene->now + i * (uint64_t)TICK, set_again_for_now, scene);
        assert_int_equal(scene->fired, i);
    }
    /* Nor once for each tick of a long pause. */
    deadlines_advance(&scene->ring, scene->now + 100000000, set_again_for_now, scene);
    assert_int_equal(scene->fired, 5);
    free(scene);
}

static bool has_no_time(void *context)
{
    unsigned *asked = context;

    ++*asked;
    return false;
}

static void count_due(struct deadline *deadline, void *context)
{
    unsigned *due = context;

    assert_null(deadline->link);
    ++*due;
}

/* A crowd that comes due in one tick is spread over many calls, and none is forgotten. */
static void those_for_whom_there_is_no_time_come_later(void **state)
{
    enum { CROWD = 3 * DEADLINES_LEAST + 5, LATER = 7 };
    static struct deadline crowd[CROWD], later[LATER];
    struct deadlines ring;
    unsigned asked = 0, due = 0, calls = 0;

    (void)state;
    deadlines_start(&ring, 0);
    ring.has_time = has_no_time;
    ring.time_context = &asked;
    for (unsigned i = 0; i < CROWD; i++)
        deadlines_set(&ring, &crowd[i], TICK);
    for (unsigned i = 0; i < LATER; i++)
        deadlines_set(&ring, &later[i], (uint64_t)TICK * (DEADLINES_SLOTS + 1));
    do {
        unsigned before = due;
        deadlines_advance(&ring, TICK, count_due, &due);
        assert_in_range(due - before, 1, DEADLINES_LEAST);
        if (++calls == 1)
            deadlines_remove(ring.late);
    } while (deadlines_are_late(&ring));
    assert_int_equal(calls, 4);
    assert_int_equal(due, CROWD - 1);
    assert_true(asked > 0);
    deadlines_advance(&ring, (uint64_t)TICK * (DEADLINES_SLOTS + 1), count_due, &due);
    assert_int_equal(due, CROWD - 1 + LATER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_comes_due_in_its_tick),
        cmocka_unit_test(they_may_be_set_and_removed_while_others_come_due),
        cmocka_unit_test(none_is_early),
        cmocka_unit_test(after_a_long_pause_all_come_at_once),
        cmocka_unit_test(a_clock_that_stands_still_or_goes_back_does_no_harm),
        cmocka_unit_test(moving_one_forgets_its_first_time),
        cmocka_unit_test(one_that_sets_itself_for_now_comes_with_the_next_tick),
        cmocka_unit_test(those_for_whom_there_is_no_time_come_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
