/* Drops in the log on disk: kept, replaced, deleted when they are over, and never believed when they
 * are damaged. */
#include "captured_messages.h"
#include "stored.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <string.h>

static struct log_database *open_log(const struct stored_files *files)
{
    char error[LOG_DATABASE_ERROR_SIZE] = "";
    struct log_database *database = log_database_open(files->path, true, error);

    if (database == NULL)
        fail_msg("%s", error);
    return database;
}

static void change(const struct stored_files *files, const char *sql)
{
    sqlite3 *sqlite;

    assert_int_equal(sqlite3_open(files->path, &sqlite), SQLITE_OK);
    assert_int_equal(sqlite3_exec(sqlite, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(sqlite), SQLITE_OK);
}

struct revoked {
    char names[8][8]; /* of users in capitals */
    size_t count;
    uint64_t at_ms, until_ms; /* of the last one */
};

static void note_revoked(const struct log_revocation *kept, void *context)
{
    struct revoked *revoked = context;
    char *name = revoked->names[revoked->count++];

    memcpy(name, kept->name, kept->name_length);
    if (kept->kind == DROP_USER)
        name[0] = (char)(name[0] - 'a' + 'A');
    revoked->at_ms = kept->at_ms;
    revoked->until_ms = kept->until_ms;
}

static void keep_drop(struct log_database *database, enum drop_kind kind, const char *name,
                      uint64_t at_ms, uint64_t until_ms)
{
    const struct log_revocation kept = {.kind = kind,
                                        .name = name,
                                        .name_length = strlen(name),
                                        .at_ms = at_ms,
                                        .until_ms = until_ms};
    struct log_state state = {.epoch = STORED_EPOCH};

    assert_true(log_database_begin(database));
    assert_true(log_database_revoke(database, &kept));
    assert_true(log_database_commit(database, &state, 0, 0));
}

static struct revoked read_revoked(const struct stored_files *files)
{
    struct log_database *database = open_log(files);
    struct revoked revoked = {0};
    char error[LOG_DATABASE_ERROR_SIZE];

    assert_true(log_database_load_revocations(database, note_revoked, &revoked, error));
    log_database_close(&database);
    return revoked;
}

static void drops_are_kept_until_they_are_over(void **state)
{
    struct stored_files files;

    (void)state;
    stored_files_make(&files);
    struct log_database *database = open_log(&files);
    keep_drop(database, DROP_USER, "ana", 1000, 5000);
    keep_drop(database, DROP_SESSION, "ana", 1000, 3000);
    keep_drop(database, DROP_USER, "ana", 2000, 6000);
    log_database_close(&database);
    struct revoked revoked = read_revoked(&files);
    assert_int_equal(revoked.count, 2);
    database = open_log(&files);
    keep_drop(database, DROP_SESSION, "eva", 3000, 9000); /* deletes what is over */
    log_database_close(&database);
    change(&files, "DELETE FROM revocations WHERE name = CAST('eva' AS BLOB)");
    revoked = read_revoked(&files);
    assert_int_equal(revoked.count, 1);
    assert_string_equal(revoked.names[0], "Ana");
    assert_int_equal(revoked.at_ms, 2000);
    assert_int_equal(revoked.until_ms, 6000);
    stored_files_remove(&files);
}

static void a_damaged_drop_is_not_believed(void **state)
{
    static const char *const changes[] = {"UPDATE revocations SET until_ms = until_ms + 1",
                                          "UPDATE revocations SET at_ms = 0",
                                          "UPDATE revocations SET kind = 2",
                                          "UPDATE revocations SET kind = 7",
                                          "UPDATE revocations SET name = CAST('eva' AS BLOB)",
                                          "UPDATE revocations SET checksum = x'00'"};

    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct stored_files files;
        stored_files_make(&files);
        struct log_database *database = open_log(&files);
        keep_drop(database, DROP_USER, "ana", 1000, 5000);
        log_database_close(&database);
        change(&files, changes[i]);
        captured_messages_begin();
        size_t believed = read_revoked(&files).count;
        unsigned said = captured_messages_count("drops on disk are damaged");
        captured_messages_end();
        if (believed != 0)
            fail_msg("believed after %s", changes[i]);
        if (said != 1)
            fail_msg("nothing is said of it after %s", changes[i]);
        stored_files_remove(&files);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drops_are_kept_until_they_are_over),
        cmocka_unit_test(a_damaged_drop_is_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
