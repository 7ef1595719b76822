#include "log/log_checksums.h"
#include "log/log_database.h"
#include "log/log_database_parts.h"
#include "log/log_files.h"
#include "log/log_rows.h"
#include "log/log_values.h"
#include "messages.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS events (sequence INTEGER PRIMARY KEY, previous INTEGER NOT NULL,"
    " wall_ms INTEGER NOT NULL, flags INTEGER NOT NULL, whisper INTEGER NOT NULL, key BLOB NOT "
    "NULL,"
    " topic BLOB NOT NULL, json BLOB NOT NULL, allowed BLOB NOT NULL, checksum BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS state (one INTEGER PRIMARY KEY, epoch INTEGER NOT NULL,"
    " head INTEGER NOT NULL, lost_through INTEGER NOT NULL, unsure INTEGER NOT NULL,"
    " checksum BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS revocations (kind INTEGER NOT NULL, name BLOB NOT NULL,"
    " at_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL, checksum BLOB NOT NULL,"
    " PRIMARY KEY (kind, name));"
    "CREATE INDEX IF NOT EXISTS revocations_until ON revocations (until_ms);" LOG_VALUES_SCHEMA;

/* ---- opening ---- */

bool log_database_run(struct log_database *database, const char *sql)
{
    return sqlite3_exec(database->sqlite, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/* A query for one number; -1 when there is none. */
static sqlite3_int64 ask_number(struct log_database *database, const char *sql)
{
    sqlite3_stmt *query = NULL;
    sqlite3_int64 number = -1;

    if (sqlite3_prepare_v2(database->sqlite, sql, -1, &query, NULL) == SQLITE_OK &&
        sqlite3_step(query) == SQLITE_ROW)
        number = sqlite3_column_int64(query, 0);
    sqlite3_finalize(query);
    return number;
}

static bool is_sound(struct log_database *database)
{
    sqlite3_stmt *check = NULL;
    bool sound = sqlite3_prepare_v2(database->sqlite, "PRAGMA quick_check(1)", -1, &check, NULL) ==
                     SQLITE_OK &&
                 sqlite3_step(check) == SQLITE_ROW && sqlite3_column_text(check, 0) != NULL &&
                 strcmp((const char *)sqlite3_column_text(check, 0), "ok") == 0;

    sqlite3_finalize(check);
    return sound;
}

static bool prepare(struct log_database *database)
{
    sqlite3 *sqlite = database->sqlite;

    return sqlite3_prepare_v2(sqlite, "INSERT INTO events VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)",
                              -1, &database->insert, NULL) == SQLITE_OK &&
           sqlite3_prepare_v2(sqlite, "DELETE FROM events WHERE sequence <= ?1", -1,
                              &database->trim, NULL) == SQLITE_OK &&
           sqlite3_prepare_v2(sqlite, "INSERT OR REPLACE INTO state VALUES (1,?1,?2,?3,?4,?5)", -1,
                              &database->set_state, NULL) == SQLITE_OK &&
           sqlite3_prepare_v2(sqlite, "INSERT OR REPLACE INTO revocations VALUES (?1,?2,?3,?4,?5)",
                              -1, &database->revoke, NULL) == SQLITE_OK &&
           sqlite3_prepare_v2(sqlite, "DELETE FROM revocations WHERE until_ms <= ?1", -1,
                              &database->expire, NULL) == SQLITE_OK &&
           log_values_prepare(&database->values, sqlite);
}

/* A database without our tables, but with others, is somebody else's. */
static bool is_foreign(struct log_database *database)
{
    return ask_number(database, "SELECT count(*) FROM sqlite_schema") > 0 &&
           ask_number(database, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND"
                                " name IN ('events', 'state')") == 0;
}

enum opening { OPENED, NOT_OPENED, DAMAGED, FOREIGN };

static bool is_damage(int error)
{
    return error == SQLITE_CORRUPT || error == SQLITE_NOTADB || error == SQLITE_ERROR ||
           error == SQLITE_SCHEMA || error == SQLITE_MISMATCH || error == SQLITE_CONSTRAINT ||
           error == SQLITE_FORMAT;
}

/* looks: what is in it is read, which takes as long as it is large. */
static enum opening open_sqlite(struct log_database *database, bool sync_each, bool looks)
{
    bool good =
        sqlite3_open_v2(database->path, &database->sqlite,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        NULL) == SQLITE_OK &&
        sqlite3_db_config(database->sqlite, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL) == SQLITE_OK &&
        log_database_run(database, "PRAGMA trusted_schema = OFF") &&
        /* Two daemons on one log would give the same ids to different events. */
        log_database_run(database, "PRAGMA locking_mode = EXCLUSIVE") &&
        log_database_run(database, "PRAGMA journal_mode = WAL") &&
        log_database_run(database,
                         sync_each ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");

    if (!good)
        return is_damage(sqlite3_errcode(database->sqlite)) ? DAMAGED : NOT_OPENED;
    if (looks && !is_sound(database))
        return DAMAGED;
    if (is_foreign(database))
        return FOREIGN;
    /* Takes the lock, if nothing did before. */
    if (log_database_run(database, "BEGIN IMMEDIATE") && log_database_run(database, schema) &&
        log_database_run(database, "COMMIT") && prepare(database))
        return OPENED;
    return is_damage(sqlite3_errcode(database->sqlite)) ? DAMAGED : NOT_OPENED;
}

static void close_sqlite(struct log_database *database)
{
    sqlite3_finalize(database->insert);
    sqlite3_finalize(database->trim);
    sqlite3_finalize(database->set_state);
    sqlite3_finalize(database->revoke);
    sqlite3_finalize(database->expire);
    log_values_close(&database->values);
    database->insert = database->trim = database->set_state = NULL;
    database->revoke = database->expire = NULL;
    if (sqlite3_close(database->sqlite) != SQLITE_OK)
        message_error("the event log was not closed", message_text("file", database->path));
    database->sqlite = NULL;
}

/* ---- its state ---- */

static bool read_state(struct log_database *database, sqlite3_stmt *row, struct log_state *state)
{
    *state = (struct log_state){.epoch = log_rows_number(row, 0),
                                .head = log_rows_number(row, 1),
                                .lost_through = log_rows_number(row, 2),
                                .unsure = log_rows_number(row, 3) != 0};
    unsigned char sum[LOG_CHECKSUM_SIZE];
    return log_checksum_state(database->digest, state, sum) && log_rows_same_checksum(row, 4, sum);
}

bool log_database_get_state(struct log_database *database, struct log_state *state)
{
    sqlite3_stmt *query = NULL;
    int result = sqlite3_prepare_v2(database->sqlite,
                                    "SELECT epoch, head, lost_through, unsure, checksum FROM state",
                                    -1, &query, NULL);
    bool good = false;

    *state = (struct log_state){0};
    if (result == SQLITE_OK)
        result = sqlite3_step(query);
    if (result == SQLITE_ROW)
        good = read_state(database, query, state) && sqlite3_step(query) == SQLITE_DONE;
    else if (result == SQLITE_DONE)
        good = ask_number(database, "SELECT count(*) FROM events") == 0;
    sqlite3_finalize(query);
    return good;
}

/* ---- its files ---- */

static enum opening open_files(struct log_database *database, bool sync_each)
{
    enum opening opening = NOT_OPENED;

    if (log_files_make(database->path))
        opening = open_sqlite(database, sync_each, true);
    struct log_state state;
    if (opening == OPENED && !log_database_get_state(database, &state))
        opening = DAMAGED;
    if (opening == DAMAGED) {
        close_sqlite(database);
        if (!log_files_set_aside(database->path) || !log_files_make(database->path))
            return NOT_OPENED;
        opening = open_sqlite(database, sync_each, true);
    }
    database->mark = opening == OPENED ? log_mark_open(database->path) : -1;
    return opening == OPENED && database->mark < 0 ? NOT_OPENED : opening;
}

static const char *why_not_opened(struct log_database *database, enum opening opening)
{
    int error = sqlite3_errcode(database->sqlite);

    if (opening == FOREIGN)
        return "it is a database of something else";
    if (error == SQLITE_BUSY || error == SQLITE_LOCKED)
        return "another process has it open";
    if (database->sqlite == NULL || error == SQLITE_OK)
        return strerror(errno);
    return sqlite3_errmsg(database->sqlite);
}

static bool start_digest(struct log_database *database)
{
    database->digest = EVP_MD_CTX_new();
    return database->digest != NULL &&
           EVP_DigestInit_ex2(database->digest, EVP_sha256(), NULL) == 1;
}

static struct log_database *new_database(const char *path, char error[LOG_DATABASE_ERROR_SIZE])
{
    struct log_database *database = calloc(1, sizeof *database);

    if (database == NULL) {
        (void)snprintf(error, LOG_DATABASE_ERROR_SIZE, "no memory for the event log");
        return NULL;
    }
    database->mark = -1;
    if (!start_digest(database) || (size_t)snprintf(database->path, sizeof database->path, "%s",
                                                    path) >= sizeof database->path) {
        (void)snprintf(error, LOG_DATABASE_ERROR_SIZE,
                       "no memory for the event log, or its path is too long");
        log_database_close(&database);
    }
    return database;
}

struct log_database *log_database_open(const char *path, bool sync_each,
                                       char error[LOG_DATABASE_ERROR_SIZE])
{
    struct log_database *database = new_database(path, error);

    if (database == NULL)
        return NULL;
    enum opening opening = open_files(database, sync_each);
    if (opening != OPENED) {
        (void)snprintf(error, LOG_DATABASE_ERROR_SIZE, "cannot open the event log %.200s: %.100s",
                       path, why_not_opened(database, opening));
        log_database_close(&database);
    }
    return database;
}

/* Without reading more than the newest row's number. */
static bool is_as_left(struct log_database *database, struct log_state *state)
{
    sqlite3_int64 newest = ask_number(database, "SELECT max(sequence) FROM events");

    if (!log_database_get_state(database, state) || state->unsure ||
        log_mark_is_ahead(database->mark, state->epoch, state->head))
        return false;
    database->newest = database->head = state->head;
    return newest < 0 ||
           (uint64_t)newest <= state->head; /* the newest may have been damaged once */
}

struct log_database *log_database_take_up(const char *path, bool sync_each, struct log_state *state,
                                          char error[LOG_DATABASE_ERROR_SIZE])
{
    struct log_database *database = new_database(path, error);

    if (database == NULL)
        return NULL;
    enum opening opening = open_sqlite(database, sync_each, false);
    if (opening == OPENED)
        database->mark = log_mark_open(path);
    if (opening == OPENED && database->mark >= 0 && is_as_left(database, state))
        return database;
    (void)snprintf(
        error, LOG_DATABASE_ERROR_SIZE, "cannot take up the event log %.200s: %.100s", path,
        opening == OPENED ? "it is not as it was left" : why_not_opened(database, opening));
    log_database_close(&database);
    return NULL;
}

void log_database_close(struct log_database **database)
{
    struct log_database *old = *database;

    if (old == NULL)
        return;
    *database = NULL;
    close_sqlite(old);
    if (old->mark >= 0)
        (void)close(old->mark);
    EVP_MD_CTX_free(old->digest);
    free(old);
}

const char *log_database_error(const struct log_database *database)
{
    return sqlite3_errmsg(database->sqlite);
}
