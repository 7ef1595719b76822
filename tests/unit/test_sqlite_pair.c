/* SQLite files that are exchanged while a -wal of the old one is there: what it holds must not
 * count for the new one, and must not be written into it. */
#include "acl_fixture.h"
#include "random.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* The application writes and stays connected; handlers read. */
struct scene {
    struct sql_options writing, reading;
    char folder[64], file[80], backup[80];
    struct acl *application, *handler;
};

/* In the scene's folder. */
static void run_command(const struct scene *scene, const char *text)
{
    char command[600];
    (void)snprintf(command, sizeof command, "cd %s && { %s; }", scene->folder, text);
    if (system(command) != 0)
        fail_msg("%s", command);
}

static void script(struct acl *acl, const char *sql)
{
    if (acl_run_script(acl, sql) != SQL_OK)
        fail_msg("%s: %s", sql, acl_error(acl));
}

/* Whether luis may hear topic "a", as somebody who opens the file now (acl NULL) or has it open
 * reads it. */
static enum sql_status read_right(const struct scene *scene, struct acl *acl, bool *heard)
{
    struct acl *fresh = acl == NULL ? acl_fixture_open_with(&scene->reading) : NULL;
    struct acl_topic row = ACL_TOPIC_EMPTY;
    enum sql_status status = acl_find_topic(acl != NULL ? acl : fresh, "a", 1, &row);
    *heard = status == SQL_OK && strstr(row.sub.text, "luis") != NULL;
    acl_topic_free(&row);
    acl_close(&fresh);
    return status;
}

static void expect(const struct scene *scene, struct acl *acl, enum sql_status wanted,
                   bool wanted_heard)
{
    bool heard;
    enum sql_status status = read_right(scene, acl, &heard);
    if (status != wanted)
        fail_msg("%s: %s", sql_status_words(status), acl != NULL ? acl_error(acl) : "");
    assert_int_equal(heard, wanted_heard);
}

/* luis had no right when the backup was made, and was given one since; the -wal alone has it. */
static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    (void)snprintf(scene->folder, sizeof scene->folder, "/tmp/esn-pair-XXXXXX");
    assert_non_null(mkdtemp(scene->folder));
    (void)snprintf(scene->file, sizeof scene->file, "%s/topics.db", scene->folder);
    (void)snprintf(scene->backup, sizeof scene->backup, "%s/backup.db", scene->folder);
    scene->writing = (struct sql_options){.kind = SQL_SQLITE,
                                          .limit_ms = ACL_FIXTURE_GENEROUS_MS,
                                          .path = scene->file,
                                          .create = true};
    scene->reading = scene->writing;
    scene->reading.create = false;
    scene->reading.read_only = true;
    scene->application = acl_fixture_open_with(&scene->writing);
    acl_fixture_run_file(scene->application, "schema/sqlite.sql");
    script(scene->application, "INSERT INTO registered_topics (topic, owner) VALUES ('a', 'ana');"
                               "PRAGMA wal_checkpoint(TRUNCATE)");
    run_command(scene, "cp topics.db backup.db");
    script(scene->application, "UPDATE registered_topics SET sub = '[\"luis\"]'");
    scene->handler = acl_fixture_open_with(&scene->reading);
    expect(scene, scene->handler, SQL_OK, true);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    acl_close(&scene->handler);
    acl_close(&scene->application);
    run_command(scene, "rm -rf $PWD");
    free(scene);
    return 0;
}

/* What was put in place stays as it is, whoever comes and goes; with the -wal away it is read. */
static void expect_refused_until_mended(struct scene *scene, bool heard_then)
{
    for (int i = 0; i < 3; i++) {
        expect(scene, scene->handler, SQL_UNAVAILABLE, false);
        assert_non_null(strstr(acl_error(scene->handler), "-wal beside it is not its own"));
        expect(scene, NULL, SQL_UNAVAILABLE, false);
    }
    acl_close(&scene->handler);
    acl_close(&scene->application);
    run_command(scene, "cmp topics.db backup.copy");
    scene->handler = acl_fixture_open_with(&scene->reading);
    expect(scene, scene->handler, SQL_UNAVAILABLE, false);
    run_command(scene, "rm -f topics.db-wal topics.db-shm");
    expect(scene, scene->handler, SQL_OK, heard_then);
    expect(scene, NULL, SQL_OK, heard_then);
}

static void test_a_backup_is_moved_into_place(void **state)
{
    struct scene *scene = *state;
    run_command(scene, "cp backup.db backup.copy; mv backup.db topics.db");
    expect_refused_until_mended(scene, false);
}

static void test_another_database_is_moved_into_place(void **state)
{
    struct scene *scene = *state;
    run_command(scene,
                "sqlite3 backup.db 'DROP TABLE topic_followers; CREATE TABLE other (text);"
                " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)"
                " INSERT INTO other SELECT randomblob(900) FROM n; PRAGMA wal_checkpoint(TRUNCATE)'"
                " >/dev/null; cp backup.db backup.copy; mv backup.db topics.db");
    expect_refused_until_mended(scene, false);
}

/* Longer than the clock of files ticks, else nothing could tell. */
static void let_the_clock_tick(const struct scene *scene)
{
    struct stat before, now;
    const struct timespec moment = {0, 1000000};
    assert_int_equal(stat(scene->folder, &before), 0);
    do {
        (void)nanosleep(&moment, NULL);
        run_command(scene, "touch .");
        assert_int_equal(stat(scene->folder, &now), 0);
    } while (now.st_mtim.tv_sec == before.st_mtim.tv_sec &&
             now.st_mtim.tv_nsec == before.st_mtim.tv_nsec);
}

static void test_a_backup_is_copied_into_place(void **state)
{
    struct scene *scene = *state;
    acl_close(&scene->application); /* the handler keeps the -wal */
    let_the_clock_tick(scene);
    run_command(scene, "cp backup.db backup.copy; cat backup.db>topics.db");
    expect_refused_until_mended(scene, false);
}

/* A page of the backup is as one of the -wal, as after a checkpoint. */
static void test_a_younger_backup_is_copied_into_place(void **state)
{
    struct scene *scene = *state;
    run_command(scene, "sqlite3 topics.db '.backup backup.db'");
    script(scene->application, "UPDATE registered_topics SET sub = '[]'");
    expect(scene, scene->handler, SQL_OK, false);
    acl_close(&scene->application);
    let_the_clock_tick(scene);
    run_command(scene, "cp backup.db backup.copy; cat backup.db>topics.db");
    expect_refused_until_mended(scene, true);
}

static void test_a_backup_is_copied_while_nobody_reads(void **state)
{
    struct scene *scene = *state;
    acl_close(&scene->application);
    acl_close(&scene->handler); /* leaves the -wal */
    run_command(scene, "test -s topics.db-wal");
    let_the_clock_tick(scene);
    run_command(scene, "cp backup.db backup.copy; cat backup.db>topics.db");
    scene->handler = acl_fixture_open_with(&scene->reading);
    expect_refused_until_mended(scene, false);
}

static void test_a_backup_is_moved_while_nobody_reads(void **state)
{
    struct scene *scene = *state;
    acl_close(&scene->application);
    acl_close(&scene->handler);
    run_command(scene, "test -s topics.db-wal; cp backup.db backup.copy; mv backup.db topics.db");
    scene->handler = acl_fixture_open_with(&scene->reading);
    expect_refused_until_mended(scene, false);
}

/* ---- what is no fault ---- */

static void test_files_that_stay_together(void **state)
{
    struct scene *scene = *state;
    /* Away and back. */
    run_command(scene, "mv topics.db away.db; cp backup.db topics.db");
    expect(scene, scene->handler, SQL_UNAVAILABLE, false);
    run_command(scene, "mv away.db topics.db");
    expect(scene, scene->handler, SQL_OK, true);
    expect(scene, NULL, SQL_OK, true);
    /* Copied together, with all attributes. */
    acl_close(&scene->application);
    acl_close(&scene->handler);
    run_command(scene, "mkdir new && cp -a topics.db topics.db-wal new &&"
                       " rm topics.db* && mv new/* .");
    scene->handler = acl_fixture_open_with(&scene->reading);
    expect(scene, scene->handler, SQL_OK, true);
}

static void test_a_restore_by_sqlite(void **state)
{
    struct scene *scene = *state;
    run_command(scene, "sqlite3 topics.db '.restore backup.db'");
    expect(scene, scene->handler, SQL_OK, false);
    expect(scene, NULL, SQL_OK, false);
    acl_close(&scene->application);
    acl_close(&scene->handler);
    expect(scene, NULL, SQL_OK, false);
}

/* Writers, checkpoints of each kind and vacuums in any order, seen from one that reads all the time
 * and from new ones. */
static void test_no_checkpoint_is_suspected(void **state)
{
    static const char *const steps[] = {
        "UPDATE registered_topics SET sub = '[\"luis\"]'",
        "UPDATE registered_topics SET sub = '[]'",
        ("INSERT INTO registered_topics (topic) SELECT hex(randomblob(500)) FROM registered_topics "
         "LIMIT 20"),
        "DELETE FROM registered_topics WHERE topic <> 'a' AND random() % 2",
        "PRAGMA wal_checkpoint(PASSIVE)",
        "PRAGMA wal_checkpoint(FULL)",
        "PRAGMA wal_checkpoint(RESTART)",
        "PRAGMA wal_checkpoint(TRUNCATE)",
        "VACUUM",
    };
    struct scene *scene = *state;
    struct acl *other = acl_fixture_open_with(&scene->writing);
    uint64_t random = 1;
    bool heard = true;
    for (int i = 0; i < 1000; i++) {
        size_t step = random_below(&random, (unsigned)(sizeof steps / sizeof *steps));
        script(random_below(&random, 2) == 0 ? scene->application : other, steps[step]);
        heard = step == 0 || (heard && step != 1);
        if (random_below(&random, 4) == 0)
            acl_close(&other), other = acl_fixture_open_with(&scene->writing);
        expect(scene, scene->handler, SQL_OK, heard);
        expect(scene, NULL, SQL_OK, heard);
        if (random_below(&random, 50) == 0) { /* all go, and some come back */
            acl_close(&scene->application);
            acl_close(&other);
            acl_close(&scene->handler);
            scene->handler = acl_fixture_open_with(&scene->reading);
            expect(scene, scene->handler, SQL_OK, heard);
            scene->application = acl_fixture_open_with(&scene->writing);
            other = acl_fixture_open_with(&scene->writing);
        }
    }
    acl_close(&other);
}

/* Reads while others checkpoint at the same moments. */
static void test_no_checkpoint_is_suspected_meanwhile(void **state)
{
    struct scene *scene = *state;
    char command[600];
    (void)snprintf(command, sizeof command,
                   "for i in $(seq 40); do sqlite3 %s \"PRAGMA busy_timeout = 60000;"
                   " UPDATE registered_topics SET sub = '[]';"
                   " INSERT INTO registered_topics (topic) VALUES (hex(randomblob(3000)));"
                   " PRAGMA wal_checkpoint\" >/dev/null || exit 1; done",
                   scene->file);
    FILE *others = popen(command, "r");
    assert_non_null(others);
    int descriptor = fileno(others);
    assert_int_equal(fcntl(descriptor, F_SETFL, O_NONBLOCK), 0);
    char byte;
    bool heard;
    while (read(descriptor, &byte, 1) != 0) {
        assert_int_equal(read_right(scene, scene->handler, &heard), SQL_OK);
        assert_int_equal(read_right(scene, NULL, &heard), SQL_OK);
    }
    assert_int_equal(pclose(others), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_backup_is_moved_into_place),
        TEST(test_another_database_is_moved_into_place),
        TEST(test_a_backup_is_copied_into_place),
        TEST(test_a_younger_backup_is_copied_into_place),
        TEST(test_a_backup_is_copied_while_nobody_reads),
        TEST(test_a_backup_is_moved_while_nobody_reads),
        TEST(test_files_that_stay_together),
        TEST(test_a_restore_by_sqlite),
        TEST(test_no_checkpoint_is_suspected),
        TEST(test_no_checkpoint_is_suspected_meanwhile),
    };
    return cmocka_run_group_tests_name("sqlite_pair", tests, NULL, NULL);
}
