#include "stored.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "random.h"

enum { DAMAGES = 500 };

static uint64_t random_state = 5;

static struct log_database *open_log(const struct stored_files *files)
{
    char error[LOG_DATABASE_ERROR_SIZE] = "";
    struct log_database *database = log_database_open(files->path, true, error);

    if (database == NULL)
        fail_msg("%s", error);
    return database;
}

static void load(struct log_database *database, struct log_past *past, struct stored_list *list)
{
    char error[LOG_DATABASE_ERROR_SIZE];

    *list = (struct stored_list){0};
    if (!log_database_load(database, past, stored_list_visit, list, error))
        fail_msg("%s", error);
    assert_int_equal(list->wrong, 0);
    stored_list_forget(list, past->forgotten);
}

static void write_events(struct log_database *database, struct log_state *state, uint64_t first,
                         uint64_t last, uint64_t forgotten)
{
    assert_true(log_database_begin(database));
    for (uint64_t sequence = first; sequence <= last; sequence++)
        assert_true(log_database_add(database, stored_event_make(sequence)));
    assert_true(log_database_commit(database, state, forgotten, 0));
}

/* What a daemon that is started now believes. */
static void read_log(const struct stored_files *files, struct log_past *past,
                     struct stored_list *list)
{
    struct log_database *database = open_log(files);

    load(database, past, list);
    log_database_close(&database);
}

static void assert_range(const struct stored_list *list, uint64_t first, uint64_t last)
{
    assert_int_equal(list->count, last - first + 1);
    for (size_t i = 0; i < list->count; i++)
        assert_int_equal(list->sequences[i], first + i);
}

static void what_was_written_is_read(void **state)
{
    struct stored_files files;
    struct stored_list list;
    struct log_past past;
    struct stat status;

    (void)state;
    stored_files_make(&files);
    stored_log_write(&files, 200, false);
    read_log(&files, &past, &list);
    assert_range(&list, 1, 200);
    assert_int_equal(past.state.epoch, STORED_EPOCH);
    assert_int_equal(past.state.head, 200);
    assert_int_equal(past.forgotten, 0);
    assert_false(past.tail_missing);
    assert_int_equal(stat(files.path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    stored_files_remove(&files);
}

static void what_is_forgotten_is_deleted(void **state)
{
    struct stored_files files;
    struct stored_list list;
    struct log_past past;
    struct log_state now = {.epoch = STORED_EPOCH, .lost_through = 3, .unsure = true};

    (void)state;
    stored_files_make(&files);
    stored_log_write(&files, 20, false);
    struct log_database *database = open_log(&files);
    load(database, &past, &list);
    write_events(database, &now, 31, 40, 25);
    assert_int_equal(now.head, 40);
    log_database_close(&database);
    read_log(&files, &past, &list);
    assert_range(&list, 31, 40);
    assert_int_equal(past.forgotten, 20);
    assert_int_equal(past.state.lost_through, 3);
    assert_true(past.state.unsure);
    database = open_log(&files);
    load(database, &past, &list);
    write_events(database, &now, 41, 41, 1000);
    log_database_close(&database);
    read_log(&files, &past, &list);
    assert_range(&list, 41, 41);
    assert_int_equal(past.forgotten, 40);
    stored_files_remove(&files);
}

static void what_is_undone_was_never_there(void **state)
{
    struct stored_files files;
    struct stored_list list;
    struct log_past past;
    struct log_state now = {.epoch = STORED_EPOCH};

    (void)state;
    stored_files_make(&files);
    struct log_database *database = open_log(&files);
    load(database, &past, &list);
    write_events(database, &now, 1, 3, 0);
    assert_true(log_database_begin(database));
    assert_true(log_database_add(database, stored_event_make(4)));
    /* The same sequence again is an error of SQLite's. */
    assert_false(log_database_add(database, stored_event_make(4)));
    assert_true(strlen(log_database_error(database)) > 0);
    log_database_undo(database);
    log_database_undo(database);
    write_events(database, &now, 5, 6, 0);
    log_database_close(&database);
    read_log(&files, &past, &list);
    assert_int_equal(list.count, 5);
    assert_int_equal(list.sequences[3], 5);
    assert_int_equal(past.state.head, 6);
    assert_int_equal(past.forgotten, 0);
    stored_files_remove(&files);
}

/* ---- damage ---- */

static void change(const struct stored_files *files, const char *sql)
{
    sqlite3 *sqlite;

    assert_int_equal(sqlite3_open(files->path, &sqlite), SQLITE_OK);
    assert_int_equal(sqlite3_exec(sqlite, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(sqlite), SQLITE_OK);
}

struct change {
    const char *sql;
    uint64_t forgotten; /* of 20 events */
};

static void a_changed_or_missing_row_hides_it_and_those_before(void **state)
{
    static const struct change changes[] = {
        {"UPDATE events SET json = '{\"type\":\"y\"}' WHERE sequence = 7", 7},
        {"UPDATE events SET topic = 't/6' WHERE sequence = 1", 1},
        {"UPDATE events SET allowed = x'6100' WHERE sequence = 2", 2},
        {"UPDATE events SET whisper = 1 WHERE sequence = 3", 3},
        {"UPDATE events SET flags = flags + 65536 WHERE sequence = 8", 8},
        {"UPDATE events SET flags = flags + 512 WHERE sequence = 8", 8},
        {"UPDATE events SET flags = 0 WHERE sequence = 16", 16},
        {"UPDATE events SET flags = 5 WHERE sequence = 8", 8},
        {"UPDATE events SET key = zeroblob(16) WHERE sequence = 9", 9},
        {"UPDATE events SET key = x'00' WHERE sequence = 9", 9},
        {"UPDATE events SET wall_ms = 1 WHERE sequence = 10", 10},
        {"UPDATE events SET previous = 3 WHERE sequence = 11", 11},
        {"UPDATE events SET checksum = '' WHERE sequence = 12", 12},
        {"UPDATE events SET sequence = 1000000 WHERE sequence = 20", 20},
        {"UPDATE events SET json = 'a' WHERE sequence = 20", 20},
        {"DELETE FROM events WHERE sequence = 5", 5},
        {"DELETE FROM events WHERE sequence BETWEEN 5 AND 9", 9},
        {"DELETE FROM events WHERE sequence <= 9", 9},
        {"DELETE FROM events WHERE sequence = 20", 20},
        {"DELETE FROM events", 20},
    };

    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct stored_files files;
        struct stored_list list;
        struct log_past past;

        stored_files_make(&files);
        stored_log_write(&files, 20, false);
        change(&files, changes[i].sql);
        read_log(&files, &past, &list);
        if (past.forgotten != changes[i].forgotten || list.count != 20 - changes[i].forgotten)
            fail_msg("%s: %llu forgotten, %zu events", changes[i].sql,
                     (unsigned long long)past.forgotten, list.count);
        assert_int_equal(past.state.epoch, STORED_EPOCH);
        assert_int_equal(past.state.head, 20);
        stored_files_remove(&files);
    }
}

static void append_column(EVP_MD_CTX *digest, sqlite3_stmt *row, int column)
{
    assert_int_equal(EVP_DigestUpdate(digest, sqlite3_column_blob(row, column),
                                      (size_t)sqlite3_column_bytes(row, column)),
                     1);
}

/* As daemons made it that knew no private events. */
static bool has_checksum_of_before(sqlite3_stmt *row)
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    const uint64_t numbers[] = {
        (uint64_t)sqlite3_column_int64(row, 0), (uint64_t)sqlite3_column_int64(row, 1),
        (uint64_t)sqlite3_column_int64(row, 2), (uint64_t)sqlite3_column_int64(row, 3),
        (uint64_t)sqlite3_column_int64(row, 4), (uint64_t)sqlite3_column_bytes(row, 6),
        (uint64_t)sqlite3_column_bytes(row, 7), (uint64_t)sqlite3_column_bytes(row, 8)};
    EVP_MD_CTX *digest = EVP_MD_CTX_new();

    assert_non_null(digest);
    assert_int_equal(EVP_DigestInit_ex2(digest, EVP_sha256(), NULL), 1);
    assert_int_equal(EVP_DigestUpdate(digest, numbers, sizeof numbers), 1);
    for (int column = 5; column <= 8; column++)
        append_column(digest, row, column);
    assert_int_equal(EVP_DigestFinal_ex(digest, sum, NULL), 1);
    EVP_MD_CTX_free(digest);
    assert_int_equal(sqlite3_column_bytes(row, 9), 8);
    return memcmp(sqlite3_column_blob(row, 9), sum, 8) == 0;
}

/* A log of before is read as it is; one that goes back to such a daemon shows it no private event
 * as one that is open. */
static void a_log_goes_between_daemons_of_before_and_after_private_events(void **state)
{
    struct stored_files files;
    sqlite3 *sqlite = NULL;
    sqlite3_stmt *row = NULL;
    int private_rows = 0;

    (void)state;
    stored_files_make(&files);
    stored_log_write(&files, 20, false);
    assert_int_equal(sqlite3_open(files.path, &sqlite), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(sqlite, "SELECT * FROM events", -1, &row, NULL), SQLITE_OK);
    while (sqlite3_step(row) == SQLITE_ROW) {
        bool is_private = (sqlite3_column_int64(row, 3) & ENVELOPE_PRIVATE) != 0;
        assert_int_equal(has_checksum_of_before(row), !is_private);
        private_rows += is_private;
    }
    assert_int_equal(private_rows, 5);
    assert_int_equal(sqlite3_finalize(row), SQLITE_OK);
    assert_int_equal(sqlite3_close(sqlite), SQLITE_OK);
    stored_files_remove(&files);
}

static void it_goes_on_after_damage(void **state)
{
    struct stored_files files;
    struct stored_list list;
    struct log_past past;

    (void)state;
    stored_files_make(&files);
    stored_log_write(&files, 20, false);
    change(&files, "UPDATE events SET json = 'a' WHERE sequence IN (3, 20)");
    struct log_database *database = open_log(&files);
    load(database, &past, &list);
    write_events(database, &past.state, 31, 33, past.forgotten);
    log_database_close(&database);
    read_log(&files, &past, &list);
    assert_range(&list, 31, 33);
    assert_int_equal(past.forgotten, 20);
    database = open_log(&files);
    load(database, &past, &list);
    write_events(database, &past.state, 34, 34, 32);
    log_database_close(&database);
    read_log(&files, &past, &list);
    assert_range(&list, 33, 34);
    assert_int_equal(past.forgotten, 32);
    stored_files_remove(&files);
}

static void a_file_that_is_no_log_is_set_aside_and_nothing_of_it_is_lost(void **state)
{
    static const char *const changes[] = {"UPDATE state SET epoch = 1", "UPDATE state SET head = 5",
                                          "DELETE FROM state", "DROP TABLE state",
                                          "ALTER TABLE events DROP COLUMN whisper"};
    char garbage[5000];

    (void)state;
    memset(garbage, 'g', sizeof garbage);
    for (size_t i = 0; i <= sizeof changes / sizeof *changes; i++) {
        struct stored_files files;
        struct stored_list list;
        struct log_past past;

        stored_files_make(&files);
        if (i == 0) {
            stored_files_write(&files, "", garbage, sizeof garbage);
        } else {
            stored_log_write(&files, 20, false);
            change(&files, changes[i - 1]);
        }
        read_log(&files, &past, &list);
        assert_int_equal(past.state.epoch, 0);
        assert_int_equal(list.count, 0);
        assert_true(stored_files_count(&files, ".damaged-") >= 1);
        read_log(&files, &past, &list);
        stored_files_remove(&files);
    }
}

static void somebody_elses_database_is_left_alone(void **state)
{
    struct stored_files files;
    char error[LOG_DATABASE_ERROR_SIZE];

    (void)state;
    stored_files_make(&files);
    change(&files, "CREATE TABLE topics (name TEXT); INSERT INTO topics VALUES ('a')");
    assert_null(log_database_open(files.path, true, error));
    assert_non_null(strstr(error, "something else"));
    assert_int_equal(stored_files_count(&files, ".damaged-"), 0);
    change(&files, "INSERT INTO topics VALUES ('b')");
    stored_files_remove(&files);
}

static void a_place_where_no_file_can_be_is_an_error(void **state)
{
    char error[LOG_DATABASE_ERROR_SIZE] = "", path[5000];

    (void)state;
    int flags = fcntl(STDIN_FILENO, F_GETFD);
    assert_null(log_database_open("/proc/nowhere/log", true, error));
    assert_non_null(strstr(error, "/proc/nowhere/log"));
    assert_null(log_database_open("/tmp", true, error));
    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    assert_null(log_database_open(path, true, error));
    assert_int_equal(fcntl(STDIN_FILENO, F_GETFD), flags); /* nobody else's file was closed */
}

/* For what makes the module say a lot. Returns what to give back to hear it again. */
static int silence(void)
{
    int kept = dup(STDERR_FILENO), nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

    assert_true(kept >= 0 && nowhere >= 0 && dup2(nowhere, STDERR_FILENO) >= 0);
    assert_int_equal(close(nowhere), 0);
    return kept;
}

static void end_silence(int kept)
{
    assert_true(dup2(kept, STDERR_FILENO) >= 0);
    assert_int_equal(close(kept), 0);
}

static void assert_believable(const struct stored_files *files, uint64_t count, const char *what,
                              size_t at)
{
    const char *fault = stored_log_fault(files, count, true);

    if (fault != NULL)
        fail_msg("%s, byte %zu: %s", what, at, fault);
}

static void damage_all_over(const struct stored_files *whole, const char *suffix, uint64_t count)
{
    size_t length;
    char *bytes = stored_files_read(whole, suffix, &length);

    assert_non_null(bytes);
    unsigned step = (unsigned)(2 * length / DAMAGES + 1);
    for (size_t at = 0; at < length; at += 1 + random_below(&random_state, step)) {
        struct stored_files files;
        char was = bytes[at];

        stored_files_make(&files);
        stored_files_copy(whole, &files);
        bytes[at] = (char)(was ^ (1 << random_below(&random_state, 8)));
        stored_files_write(&files, suffix, bytes, length);
        assert_believable(&files, count, *suffix ? suffix : "database", at);
        bytes[at] = was;
        stored_files_remove(&files);
    }
    free(bytes);
}

static void cut_short(const struct stored_files *whole, const char *suffix, uint64_t count)
{
    size_t length;
    char *bytes = stored_files_read(whole, suffix, &length);

    for (size_t at = 0; at < length; at += 1 + random_below(&random_state, 2000)) {
        struct stored_files files;

        stored_files_make(&files);
        stored_files_copy(whole, &files);
        stored_files_write(&files, suffix, bytes, at);
        assert_believable(&files, count, "cut", at);
        stored_files_remove(&files);
    }
    free(bytes);
}

static void bytes_that_changed_anywhere_are_never_believed(void **state)
{
    static const char *const suffixes[] = {"", "-wal", "-mark"};
    struct stored_files ended, killed;
    int kept = silence();

    (void)state;
    stored_files_make(&ended);
    stored_files_make(&killed);
    stored_log_write(&ended, 60, false);
    stored_log_write(&killed, 60, true);
    damage_all_over(&ended, "", 60);
    cut_short(&ended, "", 60);
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        damage_all_over(&killed, suffixes[i], 60);
        cut_short(&killed, suffixes[i], 60);
    }
    stored_files_remove(&ended);
    stored_files_remove(&killed);
    end_silence(kept);
}

static void what_lies_there_after_a_kill_is_whole(void **state)
{
    struct stored_files files;
    struct stored_list list;
    struct log_past past;

    (void)state;
    stored_files_make(&files);
    stored_log_write(&files, 60, true);
    read_log(&files, &past, &list);
    assert_range(&list, 1, 60);
    assert_false(past.tail_missing);
    stored_files_remove(&files);
}

/* ---- a full disk ---- */

static void limit_file_size(rlim_t bytes)
{
    const struct rlimit limit = {.rlim_cur = bytes, .rlim_max = RLIM_INFINITY};

    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_full_disk_fails_transactions_and_nothing_else(void **state)
{
    struct stored_files files;
    struct stored_list list;
    struct log_past past;
    struct log_state now = {.epoch = STORED_EPOCH};
    uint64_t sequence = 0, refused_from, stored;
    bool good = true;

    (void)state;
    assert_ptr_not_equal(signal(SIGXFSZ, SIG_IGN), SIG_ERR);
    stored_files_make(&files);
    struct log_database *database = open_log(&files);
    load(database, &past, &list);
    limit_file_size(200000);
    while (good) {
        good = log_database_begin(database) &&
               log_database_add(database, stored_event_make(++sequence)) &&
               log_database_commit(database, &now, 0, 0);
        assert_true(sequence < 1000);
    }
    log_database_undo(database);
    refused_from = sequence;
    for (int i = 0; i < 5; i++) {
        assert_false(log_database_begin(database) &&
                     log_database_add(database, stored_event_make(++sequence)) &&
                     log_database_commit(database, &now, 0, 0));
        log_database_undo(database);
    }
    limit_file_size(RLIM_INFINITY);
    write_events(database, &now, sequence + 1, sequence + 3, 0);
    log_database_close(&database);
    read_log(&files, &past, &list);
    stored = refused_from - 1;
    assert_int_equal(list.count, stored + 3);
    assert_int_equal(list.sequences[stored - 1], stored);
    assert_int_equal(list.sequences[stored], sequence + 1);
    assert_int_equal(past.forgotten, 0);
    stored_files_remove(&files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(what_is_forgotten_is_deleted),
        cmocka_unit_test(what_is_undone_was_never_there),
        cmocka_unit_test(a_changed_or_missing_row_hides_it_and_those_before),
        cmocka_unit_test(a_log_goes_between_daemons_of_before_and_after_private_events),
        cmocka_unit_test(it_goes_on_after_damage),
        cmocka_unit_test(a_file_that_is_no_log_is_set_aside_and_nothing_of_it_is_lost),
        cmocka_unit_test(somebody_elses_database_is_left_alone),
        cmocka_unit_test(a_place_where_no_file_can_be_is_an_error),
        cmocka_unit_test(what_lies_there_after_a_kill_is_whole),
        cmocka_unit_test(bytes_that_changed_anywhere_are_never_believed),
        cmocka_unit_test(a_full_disk_fails_transactions_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
