#include "log/log_database.h"

#include "log/log_files.h"
#include "log/log_rows.h"
#include "log/log_values.h"
#include "messages.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PRIVATE_FORMAT = 2 };

struct log_database {
    sqlite3 *sqlite;
    sqlite3_stmt *insert, *trim, *set_state, *revoke, *expire;
    struct log_values values;
    EVP_MD_CTX *digest;
    int mark;         /* descriptor of the file that says how far was written */
    uint64_t newest;  /* last row, also of the open transaction */
    uint64_t head;    /* last row of the last commit */
    uint64_t deleted; /* rows up to this sequence are gone */
    char path[LOG_FILES_PATH_SIZE];
};

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

/* ---- checksums ---- */

/* The connection that the row names. */
static uint64_t connid_of(const struct event *event)
{
    return event->except != 0 ? event->except : event->whisper;
}

static bool event_checksum(struct log_database *database, const struct stored_event *stored,
                           uint64_t previous, unsigned char out[LOG_CHECKSUM_SIZE])
{
    const struct event *event = &stored->event;
    const uint64_t numbers[] = {
        event->sequence,    previous,
        stored->wall_ms,    event->flags,
        connid_of(event),   event->topic_length,
        event->json_length, event->allowed_length,
        PRIVATE_FORMAT,
    };
    /* A daemon that knows no private events must not take such a row for one that anybody may hear:
     * to it the checksum is wrong. */
    bool is_private = (event->flags & ENVELOPE_PRIVATE) != 0;
    size_t numbers_size = is_private ? sizeof numbers : sizeof numbers - sizeof *numbers;
    const struct log_checked parts[] = {{numbers, numbers_size},
                                        {stored->key, sizeof stored->key},
                                        {event->topic, event->topic_length},
                                        {event->json, event->json_length},
                                        {event->allowed, event->allowed_length}};

    return log_rows_checksum(database->digest, parts, sizeof parts / sizeof *parts, out);
}

static bool state_checksum(struct log_database *database, const struct log_state *state,
                           unsigned char out[LOG_CHECKSUM_SIZE])
{
    const uint64_t numbers[] = {state->epoch, state->head, state->lost_through, state->unsure};
    const struct log_checked part = {numbers, sizeof numbers};

    return log_rows_checksum(database->digest, &part, 1, out);
}

static bool revocation_checksum(struct log_database *database, const struct log_revocation *kept,
                                unsigned char out[LOG_CHECKSUM_SIZE])
{
    const uint64_t numbers[] = {kept->kind, kept->at_ms, kept->until_ms, kept->name_length};
    const struct log_checked parts[] = {{numbers, sizeof numbers}, {kept->name, kept->name_length}};

    return log_rows_checksum(database->digest, parts, sizeof parts / sizeof *parts, out);
}

/* ---- opening ---- */

static bool run(struct log_database *database, const char *sql)
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
        run(database, "PRAGMA trusted_schema = OFF") &&
        /* Two daemons on one log would give the same ids to different events. */
        run(database, "PRAGMA locking_mode = EXCLUSIVE") &&
        run(database, "PRAGMA journal_mode = WAL") &&
        run(database, sync_each ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");

    if (!good)
        return is_damage(sqlite3_errcode(database->sqlite)) ? DAMAGED : NOT_OPENED;
    if (looks && !is_sound(database))
        return DAMAGED;
    if (is_foreign(database))
        return FOREIGN;
    /* Takes the lock, if nothing did before. */
    if (run(database, "BEGIN IMMEDIATE") && run(database, schema) && run(database, "COMMIT") &&
        prepare(database))
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

static bool get_state(struct log_database *database, struct log_state *state);

static enum opening open_files(struct log_database *database, bool sync_each)
{
    enum opening opening = NOT_OPENED;

    if (log_files_make(database->path))
        opening = open_sqlite(database, sync_each, true);
    struct log_state state;
    if (opening == OPENED && !get_state(database, &state))
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

    if (!get_state(database, state) || state->unsure ||
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

/* ---- reading ---- */

static bool read_state(struct log_database *database, sqlite3_stmt *row, struct log_state *state)
{
    *state = (struct log_state){.epoch = log_rows_number(row, 0),
                                .head = log_rows_number(row, 1),
                                .lost_through = log_rows_number(row, 2),
                                .unsure = log_rows_number(row, 3) != 0};
    unsigned char sum[LOG_CHECKSUM_SIZE];
    return state_checksum(database, state, sum) && log_rows_same_checksum(row, 4, sum);
}

/* False when the state is not what was once written; all 0 when none was. */
static bool get_state(struct log_database *database, struct log_state *state)
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

/* True when the row is what was once written. */
static bool read_row(struct log_database *database, sqlite3_stmt *row, struct stored_event *stored,
                     uint64_t *previous)
{
    struct event *event = &stored->event;
    size_t key_length;
    const char *key = log_rows_bytes(row, 5, &key_length);

    *stored = (struct stored_event){.event.sequence = log_rows_number(row, 0),
                                    .wall_ms = log_rows_number(row, 2)};
    *previous = log_rows_number(row, 1);
    uint64_t flags = log_rows_number(row, 3);
    event->flags = (uint16_t)flags;
    *((flags & ENVELOPE_EXCEPT) != 0 ? &event->except : &event->whisper) = log_rows_number(row, 4);
    event->topic = log_rows_bytes(row, 6, &event->topic_length);
    event->json = log_rows_bytes(row, 7, &event->json_length);
    event->allowed = log_rows_bytes(row, 8, &event->allowed_length);
    /* Flags of a later version could narrow who may hear the event. */
    if (key_length != sizeof stored->key || !envelope_flags_are_sound(flags))
        return false;
    memcpy(stored->key, key, sizeof stored->key);
    unsigned char sum[LOG_CHECKSUM_SIZE];
    return event_checksum(database, stored, *previous, sum) && log_rows_same_checksum(row, 9, sum);
}

/* What was found while the rows were walked. */
struct walk {
    uint64_t last;    /* newest good row */
    uint64_t damaged; /* rows up to this sequence are not to be believed */
    bool any, gap;    /* gap: something is missing before the next good row */
};

static void look_at_row(struct log_database *database, sqlite3_stmt *row, struct walk *walk,
                        struct log_past *past, void (*visit)(const struct stored_event *, void *),
                        void *context)
{
    struct stored_event stored;
    uint64_t previous;

    if (!read_row(database, row, &stored, &previous) || stored.event.sequence <= walk->last) {
        walk->gap = true;
        return;
    }
    if (!walk->any && !walk->gap)
        past->forgotten = previous;
    else if (walk->gap || previous != walk->last)
        walk->damaged = stored.event.sequence - 1;
    walk->any = true;
    walk->gap = false;
    walk->last = stored.event.sequence;
    visit(&stored, context);
}

static void conclude(struct log_database *database, const struct walk *walk, struct log_past *past)
{
    uint64_t damaged = walk->damaged, head = past->state.head;

    if (walk->gap || (walk->any && walk->last != head))
        damaged = walk->last > head ? walk->last : head;
    if (damaged > 0)
        message_error("events on disk are damaged: they and those before them are not replayed",
                      message_text("file", database->path),
                      message_number("through", (int64_t)damaged));
    if (damaged > past->forgotten)
        past->forgotten = damaged;
    if (!walk->any)
        past->forgotten = head;
    past->tail_missing = log_mark_is_ahead(database->mark, past->state.epoch, head);
    if (past->tail_missing)
        message_error("the newest events on disk are missing: clients are told of the gap",
                      message_text("file", database->path));
    database->newest = database->head = head;
    database->deleted = 0; /* damaged rows are still there */
}

bool log_database_load(struct log_database *database, struct log_past *past,
                       void (*visit)(const struct stored_event *event, void *context),
                       void *context, char error[LOG_DATABASE_ERROR_SIZE])
{
    sqlite3_stmt *rows = NULL;
    struct walk walk = {0};

    *past = (struct log_past){0};
    int result = get_state(database, &past->state)
                     ? sqlite3_prepare_v2(database->sqlite,
                                          "SELECT * FROM events ORDER BY sequence", -1, &rows, NULL)
                     : SQLITE_ERROR;
    while (result == SQLITE_OK && (result = sqlite3_step(rows)) == SQLITE_ROW) {
        look_at_row(database, rows, &walk, past, visit, context);
        result = SQLITE_OK;
    }
    sqlite3_finalize(rows);
    if (result != SQLITE_DONE) {
        (void)snprintf(error, LOG_DATABASE_ERROR_SIZE, "cannot read the event log %.200s: %.100s",
                       database->path, sqlite3_errmsg(database->sqlite));
        return false;
    }
    conclude(database, &walk, past);
    return true;
}

/* False: it is damaged. */
static bool read_revocation(struct log_database *database, sqlite3_stmt *row,
                            struct log_revocation *kept)
{
    unsigned char sum[LOG_CHECKSUM_SIZE];
    int kind = sqlite3_column_int(row, 0);

    *kept = (struct log_revocation){.kind = kind == DROP_USER ? DROP_USER : DROP_SESSION,
                                    .name = sqlite3_column_blob(row, 1),
                                    .name_length = (size_t)sqlite3_column_bytes(row, 1),
                                    .at_ms = (uint64_t)sqlite3_column_int64(row, 2),
                                    .until_ms = (uint64_t)sqlite3_column_int64(row, 3)};
    return (kind == DROP_USER || kind == DROP_SESSION) && kept->name != NULL &&
           sqlite3_column_bytes(row, 4) == LOG_CHECKSUM_SIZE &&
           revocation_checksum(database, kept, sum) &&
           memcmp(sqlite3_column_blob(row, 4), sum, sizeof sum) == 0;
}

bool log_database_load_revocations(struct log_database *database,
                                   void (*visit)(const struct log_revocation *, void *context),
                                   void *context, char error[LOG_DATABASE_ERROR_SIZE])
{
    sqlite3_stmt *rows = NULL;
    int64_t damaged = 0;
    int result = sqlite3_prepare_v2(database->sqlite, "SELECT * FROM revocations", -1, &rows, NULL);

    while (result == SQLITE_OK && (result = sqlite3_step(rows)) == SQLITE_ROW) {
        struct log_revocation kept;
        if (read_revocation(database, rows, &kept))
            visit(&kept, context);
        else
            damaged++;
        result = SQLITE_OK;
    }
    sqlite3_finalize(rows);
    if (damaged > 0)
        message_error("drops on disk are damaged: proofs of before count again",
                      message_text("file", database->path), message_number("drops", damaged));
    if (result == SQLITE_DONE)
        return true;
    (void)snprintf(error, LOG_DATABASE_ERROR_SIZE, "cannot read the event log %.200s: %.100s",
                   database->path, sqlite3_errmsg(database->sqlite));
    return false;
}

bool log_database_load_values(struct log_database *database,
                              void (*visit)(const struct event *, void *context), void *context,
                              char error[LOG_DATABASE_ERROR_SIZE])
{
    int64_t damaged;
    bool loaded = log_values_load(database->sqlite, database->digest, database->head, visit,
                                  context, &damaged);

    if (damaged > 0)
        message_error("last values of topics on disk are damaged: they are not there any more",
                      message_text("file", database->path), message_number("values", damaged));
    if (!loaded)
        (void)snprintf(error, LOG_DATABASE_ERROR_SIZE, "cannot read the event log %.200s: %.100s",
                       database->path, sqlite3_errmsg(database->sqlite));
    return loaded;
}

/* ---- writing ---- */

bool log_database_begin(struct log_database *database)
{
    return run(database, "BEGIN IMMEDIATE");
}

bool log_database_add(struct log_database *database, const struct stored_event *stored)
{
    sqlite3_stmt *row = database->insert;
    const struct event *event = &stored->event;
    unsigned char sum[LOG_CHECKSUM_SIZE];
    bool bound = event_checksum(database, stored, database->newest, sum) &&
                 log_rows_bind_number(row, 1, event->sequence) &&
                 log_rows_bind_number(row, 2, database->newest) &&
                 log_rows_bind_number(row, 3, stored->wall_ms) &&
                 log_rows_bind_number(row, 4, event->flags) &&
                 log_rows_bind_number(row, 5, connid_of(event)) &&
                 log_rows_bind_bytes(row, 6, stored->key, sizeof stored->key) &&
                 log_rows_bind_bytes(row, 7, event->topic, event->topic_length) &&
                 log_rows_bind_bytes(row, 8, event->json, event->json_length) &&
                 log_rows_bind_bytes(row, 9, event->allowed, event->allowed_length) &&
                 log_rows_bind_bytes(row, 10, sum, sizeof sum);

    if (!log_rows_carry_out(row, bound))
        return false;
    database->newest = event->sequence;
    return (event->flags & ENVELOPE_KEEP) == 0 ||
           log_values_write(&database->values, database->digest, event);
}

bool log_database_revoke(struct log_database *database, const struct log_revocation *revocation)
{
    sqlite3_stmt *row = database->revoke;
    unsigned char sum[LOG_CHECKSUM_SIZE];

    return log_rows_carry_out(database->expire,
                              log_rows_bind_number(database->expire, 1, revocation->at_ms)) &&
           log_rows_carry_out(
               row, revocation_checksum(database, revocation, sum) &&
                        log_rows_bind_number(row, 1, revocation->kind) &&
                        log_rows_bind_bytes(row, 2, revocation->name, revocation->name_length) &&
                        log_rows_bind_number(row, 3, revocation->at_ms) &&
                        log_rows_bind_number(row, 4, revocation->until_ms) &&
                        log_rows_bind_bytes(row, 5, sum, sizeof sum));
}

static bool delete_rows(struct log_database *database, uint64_t through)
{
    return through <= database->deleted ||
           log_rows_carry_out(database->trim, log_rows_bind_number(database->trim, 1, through));
}

static bool write_state(struct log_database *database, const struct log_state *state)
{
    sqlite3_stmt *row = database->set_state;
    unsigned char sum[LOG_CHECKSUM_SIZE];

    return log_rows_carry_out(row, state_checksum(database, state, sum) &&
                                       log_rows_bind_number(row, 1, state->epoch) &&
                                       log_rows_bind_number(row, 2, state->head) &&
                                       log_rows_bind_number(row, 3, state->lost_through) &&
                                       log_rows_bind_number(row, 4, state->unsure) &&
                                       log_rows_bind_bytes(row, 5, sum, sizeof sum));
}

bool log_database_commit(struct log_database *database, struct log_state *state, uint64_t forgotten,
                         uint64_t let_go)
{
    struct log_state written = *state;

    written.head = database->newest;
    /* The newest row stays, so that what was forgotten can be told from what is missing. */
    if (forgotten >= written.head)
        forgotten = written.head > 0 ? written.head - 1 : 0;
    if (!delete_rows(database, forgotten) || !log_values_trim(&database->values, let_go) ||
        !write_state(database, &written) || !run(database, "COMMIT"))
        return false;
    *state = written;
    if (forgotten > database->deleted)
        database->deleted = forgotten;
    if (let_go > database->values.deleted)
        database->values.deleted = let_go;
    database->head = written.head;
    log_mark_write(database->mark, written.epoch, written.head);
    return true;
}

void log_database_undo(struct log_database *database)
{
    database->newest = database->head;
    if (!sqlite3_get_autocommit(database->sqlite))
        (void)run(database, "ROLLBACK");
}

const char *log_database_error(const struct log_database *database)
{
    return sqlite3_errmsg(database->sqlite);
}

bool log_database_sync_each(struct log_database *database)
{
    return run(database, "PRAGMA synchronous = FULL");
}
