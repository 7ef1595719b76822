#include "stored.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "log/log_store.h"
#include "random.h"

enum { EPOCH = 99, LIMIT_SECONDS = 120, KILLS = 20 };

struct scene {
    struct stored_files files;
    struct log_store *store;
    struct log_past past;
    struct stored_list loaded;
    uv_loop_t loop;
    uint64_t back, stored; /* entries that came back, and how many of them are kept */
    uint64_t last_back;
    int calls;
    int tell; /* where each stored sequence is written to, or -1 */
};

/* As the daemon does it, but in small portions. */
static void take_some(void *context)
{
    struct scene *scene = context;
    const struct log_entry *entry = NULL;
    bool stored;

    scene->calls++;
    for (int i = 0; i < 10 && (entry = log_store_next(scene->store, &stored)) != NULL; i++) {
        assert_true(entry->stored.event.sequence > scene->last_back);
        assert_true(stored_event_is_made(&entry->stored));
        assert_int_equal(entry->publisher, entry->stored.event.sequence + 1);
        assert_int_equal(entry->asked_as, entry->stored.event.sequence + 2);
        scene->last_back = entry->stored.event.sequence;
        scene->back++;
        scene->stored += stored;
        if (stored && scene->tell >= 0)
            assert_int_equal(write(scene->tell, &entry->stored.event.sequence, 8), 8);
    }
    if (entry != NULL)
        log_store_call_again(scene->store);
}

static void open_store(struct scene *scene, enum log_sync sync, uint64_t interval_ms,
                       uint64_t max_bytes)
{
    const struct log_store_options options = {.path = scene->files.path,
                                              .sync = sync,
                                              .interval_ms = interval_ms,
                                              .max_bytes = max_bytes};
    char error[LOG_DATABASE_ERROR_SIZE];

    scene->loaded = (struct stored_list){0};
    scene->back = scene->stored = scene->last_back = 0;
    scene->calls = 0;
    scene->tell = -1;
    assert_int_equal(uv_loop_init(&scene->loop), 0);
    scene->store = log_store_open(&options, error);
    if (scene->store == NULL ||
        !log_store_load(scene->store, &scene->past, stored_list_visit, &scene->loaded, error))
        fail_msg("%s", error);
    assert_int_equal(scene->loaded.wrong, 0);
    stored_list_forget(&scene->loaded, scene->past.forgotten);
    if (!log_store_start(scene->store, EPOCH, 0, &scene->loop, take_some, scene, error))
        fail_msg("%s", error);
}

static void close_store(struct scene *scene)
{
    log_store_stop(scene->store);
    log_store_stop(scene->store);
    take_some(scene);
    (void)uv_run(&scene->loop, UV_RUN_DEFAULT);
    log_store_close(&scene->store);
    assert_null(scene->store);
    assert_int_equal(uv_loop_close(&scene->loop), 0);
}

static bool append(struct scene *scene, uint64_t sequence, uint64_t forgotten)
{
    const struct log_entry entry = {.stored = *stored_event_make(sequence),
                                    .forgotten = forgotten,
                                    .publisher = sequence + 1,
                                    .asked_as = sequence + 2};

    return log_store_append(scene->store, &entry);
}

static void append_all(struct scene *scene, uint64_t first, uint64_t last)
{
    for (uint64_t sequence = first; sequence <= last; sequence++)
        assert_true(append(scene, sequence, 0));
}

static void turn_until_back(struct scene *scene, uint64_t count)
{
    time_t limit = time(NULL) + LIMIT_SECONDS;

    while (scene->back < count) {
        (void)uv_run(&scene->loop, UV_RUN_NOWAIT);
        if (time(NULL) > limit)
            fail_msg("%llu of %llu came back", (unsigned long long)scene->back,
                     (unsigned long long)count);
    }
}

static void everything_comes_back_in_order_and_is_there(void **state)
{
    struct scene scene;

    (void)state;
    stored_files_make(&scene.files);
    open_store(&scene, LOG_SYNC_ALWAYS, 0, 1 << 20);
    append_all(&scene, 1, 500);
    turn_until_back(&scene, 500);
    assert_int_equal(scene.stored, 500);
    assert_true(scene.calls >= 50);
    assert_int_equal(log_store_figures(scene.store).stored, 500);
    assert_int_equal(log_store_figures(scene.store).failed, 0);
    assert_true(log_store_figures(scene.store).transactions < 500);
    assert_true(append(&scene, 501, 400));
    turn_until_back(&scene, 501);
    close_store(&scene);
    open_store(&scene, LOG_SYNC_ALWAYS, 0, 1 << 20);
    assert_int_equal(scene.past.state.epoch, EPOCH);
    assert_int_equal(scene.loaded.count, 101);
    assert_int_equal(scene.loaded.sequences[0], 401);
    assert_int_equal(scene.past.forgotten, 400);
    close_store(&scene);
    stored_files_remove(&scene.files);
}

static void what_is_queued_is_written_before_the_end(void **state)
{
    static const enum log_sync policies[] = {LOG_SYNC_ALWAYS, LOG_SYNC_INTERVAL, LOG_SYNC_NEVER};

    (void)state;
    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
        struct scene scene;

        stored_files_make(&scene.files);
        open_store(&scene, policies[i], 3600000, 1 << 20);
        append_all(&scene, 1, 100);
        close_store(&scene);
        open_store(&scene, policies[i], 3600000, 1 << 20);
        assert_int_equal(scene.loaded.count, 100);
        assert_false(scene.past.state.unsure);
        assert_int_equal(scene.past.state.lost_through, 0);
        close_store(&scene);
        stored_files_remove(&scene.files);
    }
}

static void an_interval_is_one_transaction(void **state)
{
    struct scene scene;

    (void)state;
    stored_files_make(&scene.files);
    open_store(&scene, LOG_SYNC_INTERVAL, 3600000, 1 << 20);
    for (uint64_t sequence = 1; sequence <= 100; sequence++) {
        append_all(&scene, sequence, sequence);
        (void)uv_run(&scene.loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(scene.back, 0);
    close_store(&scene);
    open_store(&scene, LOG_SYNC_INTERVAL, 1, 1 << 20);
    assert_int_equal(scene.loaded.count, 100);
    append_all(&scene, 101, 101);
    turn_until_back(&scene, 1);
    close_store(&scene);
    stored_files_remove(&scene.files);
}

/* Rather than refusing what comes, an interval ends before its time when half of the room is used.
 */
static void an_interval_ends_early_when_room_grows_scarce(void **state)
{
    struct scene scene;

    (void)state;
    stored_files_make(&scene.files);
    open_store(&scene, LOG_SYNC_INTERVAL, 3600000, 100000);
    append_all(&scene, 1, 250);
    turn_until_back(&scene, 100);
    close_store(&scene);
    stored_files_remove(&scene.files);
}

static void what_has_no_room_is_refused_until_there_is_some(void **state)
{
    struct scene scene;
    uint64_t sequence = 0;

    (void)state;
    stored_files_make(&scene.files);
    open_store(&scene, LOG_SYNC_ALWAYS, 0, 10000);
    while (append(&scene, sequence + 1, 0))
        sequence++;
    assert_true(sequence >= 10 && sequence <= 100);
    assert_in_range(log_store_figures(scene.store).unsynced_bytes, 9000, 10000);
    /* Also when it is written, but not taken back. */
    assert_false(append(&scene, sequence + 1, 0));
    turn_until_back(&scene, sequence);
    (void)uv_run(&scene.loop, UV_RUN_NOWAIT);
    take_some(&scene);
    assert_int_equal(log_store_figures(scene.store).unsynced_bytes, 0);
    assert_true(append(&scene, sequence + 1, 0));
    turn_until_back(&scene, sequence + 1);
    close_store(&scene);
    /* One that is larger than all room is taken when nothing else waits. */
    open_store(&scene, LOG_SYNC_ALWAYS, 0, 1);
    assert_true(append(&scene, sequence + 2, 0));
    assert_false(append(&scene, sequence + 3, 0));
    turn_until_back(&scene, 1);
    close_store(&scene);
    stored_files_remove(&scene.files);
}

static void limit_file_size(rlim_t bytes)
{
    const struct rlimit limit = {.rlim_cur = bytes, .rlim_max = RLIM_INFINITY};

    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Fills the disk, makes room again; *kept: how many events must be there afterwards. */
static void fill_the_disk(struct scene *scene, uint64_t *kept, uint64_t *last_lost)
{
    uint64_t sequence = 0;

    limit_file_size(200000);
    while (scene->stored == scene->back) {
        append_all(scene, sequence + 1, sequence + 5);
        sequence += 5;
        turn_until_back(scene, sequence);
        assert_true(sequence < 1000);
    }
    append_all(scene, sequence + 1, sequence + 5);
    sequence += 5;
    turn_until_back(scene, sequence);
    *kept = scene->stored;
    *last_lost = sequence;
    assert_true(*kept < sequence - 5);
    limit_file_size(RLIM_INFINITY);
    append_all(scene, sequence + 1, sequence + 5);
    turn_until_back(scene, sequence + 5);
    assert_int_equal(scene->stored, *kept + 5);
    *kept += 5;
    assert_int_equal(log_store_figures(scene->store).failed, sequence + 5 - *kept);
}

static void a_full_disk_loses_what_is_said_to_be_lost_and_no_more(void **state)
{
    static const enum log_sync policies[] = {LOG_SYNC_ALWAYS, LOG_SYNC_NEVER};

    (void)state;
    assert_ptr_not_equal(signal(SIGXFSZ, SIG_IGN), SIG_ERR);
    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
        struct scene scene;
        uint64_t kept, last_lost;

        stored_files_make(&scene.files);
        open_store(&scene, policies[i], 0, 1 << 20);
        fill_the_disk(&scene, &kept, &last_lost);
        close_store(&scene);
        open_store(&scene, policies[i], 0, 1 << 20);
        assert_int_equal(scene.loaded.count, kept);
        assert_int_equal(scene.past.forgotten, 0);
        assert_false(scene.past.state.unsure);
        /* With always nobody was told that the lost ones were taken. */
        assert_int_equal(scene.past.state.lost_through,
                         policies[i] == LOG_SYNC_ALWAYS ? 0 : last_lost);
        close_store(&scene);
        stored_files_remove(&scene.files);
    }
}

/* ---- killed ---- */

static void append_until_killed(struct scene *scene, enum log_sync sync, int tell)
{
    open_store(scene, sync, 1, 1 << 20);
    scene->tell = tell;
    uint64_t sequence = scene->past.state.head;
    for (;;) {
        for (int i = 0; i < 3; i++)
            sequence += append(scene, sequence + 1, sequence > 600 ? sequence - 600 : 0);
        (void)uv_run(&scene->loop, UV_RUN_NOWAIT);
    }
}

/* Runs it in a process of its own, kills that at a random moment; returns the last sequence that it
 * said to be stored. */
static uint64_t run_and_kill(struct scene *scene, enum log_sync sync, uint64_t *random)
{
    const struct timespec while_ = {.tv_nsec = 1000000 + random_below(random, 30000000)};
    uint64_t sequence, last = 0;
    int ends[2], status;

    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        append_until_killed(scene, sync, ends[1]);
        _exit(0);
    }
    assert_int_equal(close(ends[1]), 0);
    assert_int_equal(read(ends[0], &last, sizeof last), sizeof last);
    assert_int_equal(nanosleep(&while_, NULL), 0);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    while (read(ends[0], &sequence, sizeof sequence) == sizeof sequence)
        last = sequence;
    assert_int_equal(close(ends[0]), 0);
    return last;
}

static void what_was_said_to_be_stored_is_there_after_a_kill(void **state)
{
    uint64_t random = 17, last;
    struct scene scene;

    (void)state;
    stored_files_make(&scene.files);
    for (int i = 0; i < KILLS; i++) {
        last = run_and_kill(&scene, LOG_SYNC_ALWAYS, &random);
        open_store(&scene, LOG_SYNC_ALWAYS, 0, 1 << 20);
        assert_true(scene.past.state.head >= last);
        assert_false(scene.past.tail_missing);
        assert_false(scene.past.state.unsure);
        assert_int_equal(scene.loaded.sequences[scene.loaded.count - 1], scene.past.state.head);
        assert_int_equal(scene.past.forgotten + scene.loaded.count, scene.past.state.head);
        close_store(&scene);
    }
    stored_files_remove(&scene.files);
}

static void a_kill_without_syncing_each_leaves_doubt(void **state)
{
    static const enum log_sync policies[] = {LOG_SYNC_INTERVAL, LOG_SYNC_NEVER};

    (void)state;
    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
        struct scene scene;
        uint64_t random = 3;

        stored_files_make(&scene.files);
        (void)run_and_kill(&scene, policies[i], &random);
        open_store(&scene, policies[i], 1, 1 << 20);
        assert_true(scene.past.state.unsure);
        close_store(&scene);
        open_store(&scene, policies[i], 1, 1 << 20);
        assert_false(scene.past.state.unsure);
        close_store(&scene);
        stored_files_remove(&scene.files);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_comes_back_in_order_and_is_there),
        cmocka_unit_test(what_is_queued_is_written_before_the_end),
        cmocka_unit_test(an_interval_is_one_transaction),
        cmocka_unit_test(an_interval_ends_early_when_room_grows_scarce),
        cmocka_unit_test(what_has_no_room_is_refused_until_there_is_some),
        cmocka_unit_test(a_full_disk_loses_what_is_said_to_be_lost_and_no_more),
        cmocka_unit_test(what_was_said_to_be_stored_is_there_after_a_kill),
        cmocka_unit_test(a_kill_without_syncing_each_leaves_doubt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
