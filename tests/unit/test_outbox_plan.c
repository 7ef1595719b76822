/* In which order esn-outbox publishes rows, and how long it waits. */
#include "failing_memory.h"
#include "outbox/outbox_config.h"
#include "pace.h"
#include "queue_plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct sql_text text_of(const char *text)
{
    return (struct sql_text){text, strlen(text)};
}

enum { ROWS_MAX = 16 };

struct scene {
    struct outbox_row rows[ROWS_MAX];
    struct outbox_rows list;
    struct queue_plan plan;
};

/* One row for each word, the queue's name, with ids 1, 2, ... */
static void make(struct scene *scene, const char *const *queues)
{
    *scene = (struct scene){.list = {.rows = scene->rows}};
    for (size_t i = 0; queues[i] != NULL; i++) {
        scene->rows[i] = (struct outbox_row){.id = i + 1, .queue = text_of(queues[i])};
        scene->list.count++;
    }
    assert_true(queue_plan_make(&scene->plan, &scene->list));
}

static void expect_wave(struct scene *scene, const char *ids)
{
    const struct outbox_row *wave[ROWS_MAX];
    size_t count = queue_plan_next(&scene->plan, wave);
    assert_int_equal(count, strlen(ids));
    for (size_t i = 0; i < count; i++)
        assert_int_equal(wave[i]->id, (uint64_t)(ids[i] - '0'));
}

static void a_wave_has_the_first_row_of_each_queue(void **state)
{
    static const char *const queues[] = {"b", "a", "b", "", "a", "b", "ab", NULL};
    struct scene scene;
    (void)state;
    make(&scene, queues);
    expect_wave(&scene, "1247");
    expect_wave(&scene, "35");
    expect_wave(&scene, "6");
    expect_wave(&scene, "");
    queue_plan_free(&scene.plan);
}

static void a_queue_that_is_stopped_has_no_more(void **state)
{
    static const char *const queues[] = {"a", "b", "a", "b", NULL};
    struct scene scene;
    (void)state;
    make(&scene, queues);
    expect_wave(&scene, "12");
    queue_plan_stop(&scene.plan, &scene.rows[0]);
    expect_wave(&scene, "4");
    expect_wave(&scene, "");
    queue_plan_free(&scene.plan);
}

static void nothing_makes_no_wave(void **state)
{
    static const char *const none[] = {NULL};
    struct scene scene;
    (void)state;
    make(&scene, none);
    expect_wave(&scene, "");
    queue_plan_free(&scene.plan);
}

static void expect_names(const struct held_queues *held, const char *names)
{
    struct bytes out = BYTES_EMPTY;
    held_queues_write(held, &out);
    assert_string_equal(bytes_terminate(&out), names);
    bytes_free(&out);
}

static void queues_are_held_until_their_moment(void **state)
{
    static struct held_queues held;
    const struct sql_text one = text_of("o\"ne"), two = text_of("\xff,");
    (void)state;
    expect_names(&held, ",");
    assert_true(held_queues_first(&held) == UINT64_MAX);
    assert_true(held_queues_add(&held, &one, 100));
    assert_true(held_queues_add(&held, &two, 50));
    expect_names(&held, ",6F226E65,FF2C,");
    assert_int_equal(held_queues_first(&held), 50);
    held_queues_expire(&held, 50);
    assert_true(held_queues_has(&held, &one));
    assert_false(held_queues_has(&held, &two));
    held_queues_free(&held);
    assert_false(held_queues_has(&held, &one));
}

static void no_more_queues_are_held_than_there_is_room_for(void **state)
{
    static struct held_queues held;
    const struct sql_text name = text_of("q");
    (void)state;
    for (int i = 0; i < HELD_QUEUES_MAX; i++)
        assert_true(held_queues_add(&held, &name, 1));
    assert_false(held_queues_add(&held, &name, 1));
    held_queues_free(&held);
}

static void a_queue_is_not_held_without_memory_for_its_name(void **state)
{
    static struct held_queues held;
    const struct sql_text name = text_of("q");
    (void)state;
    failing_memory_at(1);
    assert_false(held_queues_add(&held, &name, 1));
    assert_true(failing_memory_stop());
    assert_false(held_queues_has(&held, &name));
    held_queues_free(&held);
}

static void it_looks_ever_less_often_while_there_is_nothing(void **state)
{
    const struct config config = {.outbox_poll_min = 5, .outbox_poll_max = 30, .outbox_retry = 150};
    struct pace pace = {0};
    (void)state;
    assert_int_equal(pace_next(&pace, &config, TURN_IDLE, UINT64_MAX), 5);
    assert_int_equal(pace_next(&pace, &config, TURN_IDLE, UINT64_MAX), 10);
    assert_int_equal(pace_next(&pace, &config, TURN_IDLE, UINT64_MAX), 20);
    assert_int_equal(pace_next(&pace, &config, TURN_IDLE, UINT64_MAX), 30);
    assert_int_equal(pace_next(&pace, &config, TURN_IDLE, 7), 7);
    assert_int_equal(pace_next(&pace, &config, TURN_WORKED, UINT64_MAX), 5);
    (void)pace_next(&pace, &config, TURN_IDLE, UINT64_MAX);
    pace_hurry(&pace);
    assert_int_equal(pace_next(&pace, &config, TURN_IDLE, UINT64_MAX), 5);
    assert_int_equal(pace_next(&pace, &config, TURN_STANDBY, UINT64_MAX), 30);
}

static void it_tries_ever_less_often_while_nobody_answers(void **state)
{
    const struct config config = {.outbox_poll_min = 5, .outbox_poll_max = 30, .outbox_retry = 150};
    struct pace pace = {0};
    (void)state;
    assert_int_equal(pace_next(&pace, &config, TURN_AWAY, UINT64_MAX), 50);
    assert_int_equal(pace_next(&pace, &config, TURN_AWAY, UINT64_MAX), 100);
    assert_int_equal(pace_next(&pace, &config, TURN_AWAY, UINT64_MAX), 150);
    assert_int_equal(pace_next(&pace, &config, TURN_AWAY, UINT64_MAX), 150);
    (void)pace_next(&pace, &config, TURN_WORKED, UINT64_MAX);
    assert_int_equal(pace_next(&pace, &config, TURN_AWAY, UINT64_MAX), 50);
    assert_true(pace_is_deaf(TURN_AWAY) && pace_is_deaf(TURN_STANDBY));
    assert_false(pace_is_deaf(TURN_IDLE) || pace_is_deaf(TURN_WORKED));
}

/* The database of registered topics is only read by whoever looks rights up; rows are deleted. */
static void the_table_is_written_wherever_it_is(void **state)
{
    static char file[] = "/nowhere/topics.db", other[] = "/nowhere/shop.db";
    struct config config = {.outbox_kind = CONFIG_OUTBOX_ACL,
                            .acl_kind = CONFIG_ACL_SQLITE,
                            .acl_file = file,
                            .outbox_file = other,
                            .acl_time = 1000,
                            .outbox_time = 2000};
    struct outbox_config outbox;
    char error[SECRET_ERROR_SIZE];

    (void)state;
    assert_true(outbox_config_load(&outbox, &config, error));
    assert_string_equal(outbox.options.path, file);
    assert_false(outbox.options.read_only);
    assert_int_equal(outbox.options.limit_ms, 2000);
    outbox_config_free(&outbox);
    config.outbox_kind = CONFIG_OUTBOX_SQLITE;
    assert_true(outbox_config_load(&outbox, &config, error));
    assert_string_equal(outbox.options.path, other);
    assert_false(outbox.options.read_only);
    assert_int_equal(outbox.options.limit_ms, 2000);
    outbox_config_free(&outbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_written_wherever_it_is),
        cmocka_unit_test(a_wave_has_the_first_row_of_each_queue),
        cmocka_unit_test(a_queue_that_is_stopped_has_no_more),
        cmocka_unit_test(nothing_makes_no_wave),
        cmocka_unit_test(queues_are_held_until_their_moment),
        cmocka_unit_test(no_more_queues_are_held_than_there_is_room_for),
        cmocka_unit_test(a_queue_is_not_held_without_memory_for_its_name),
        cmocka_unit_test(it_looks_ever_less_often_while_there_is_nothing),
        cmocka_unit_test(it_tries_ever_less_often_while_nobody_answers),
    };
    return cmocka_run_group_tests_name("outbox_plan", tests, NULL, NULL);
}
