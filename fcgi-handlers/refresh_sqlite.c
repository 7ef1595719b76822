#include "refresh_store.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EXPIRE_AT_ONCE = 20 };

struct refresh_store {
    sqlite3 *database;
    const char *path;
};

static const char schema[] =
    "PRAGMA journal_mode = WAL;"
    "PRAGMA synchronous = NORMAL;"
    "CREATE TABLE IF NOT EXISTS refresh_families ("
    " id TEXT PRIMARY KEY, user TEXT NOT NULL, claims TEXT, session TEXT, expires_ms INTEGER NOT "
    "NULL,"
    " hash TEXT NOT NULL, used_hash TEXT, used_ms INTEGER NOT NULL DEFAULT 0,"
    " proof TEXT NOT NULL DEFAULT '') WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS refresh_families_by_end ON refresh_families (expires_ms);";

static bool fail(const struct refresh_store *store, char error[REFRESH_STORE_ERROR_SIZE])
{
    (void)snprintf(error, REFRESH_STORE_ERROR_SIZE, "%.120s: %.100s", store->path,
                   store->database != NULL ? sqlite3_errmsg(store->database) : "no memory");
    return false;
}

/* ---- opening ---- */

/* SQLite would make it readable for everybody. Nobody else needs it, nor the two files beside it, which get its mode:
 * the folder is that of the registered topics, which esn-event writes. */
static void make_file(const char *path)
{
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file >= 0)
        (void)close(file);
}

static void refresh_sqlite_close(struct refresh_store *store)
{
    (void)sqlite3_close(store->database);
    free(store);
}

static struct refresh_store *refresh_sqlite_open(const struct config *config,
                                                 const struct redis_config *redis,
                                                 char error[REFRESH_STORE_ERROR_SIZE])
{
    (void)redis;
    struct refresh_store *store = calloc(1, sizeof *store);
    (void)snprintf(error, REFRESH_STORE_ERROR_SIZE, "no memory");
    if (store == NULL)
        return NULL;
    store->path = config->token_store_file;
    make_file(store->path);
    if (sqlite3_open_v2(store->path, &store->database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                        NULL) == SQLITE_OK &&
        sqlite3_busy_timeout(store->database, REFRESH_SQLITE_BUSY_MS) == SQLITE_OK &&
        sqlite3_exec(store->database, schema, NULL, NULL, NULL) == SQLITE_OK)
        return store;
    (void)fail(store, error);
    refresh_sqlite_close(store);
    return NULL;
}

/* ---- statements ---- */

static sqlite3_stmt *prepare(struct refresh_store *store, const char *text)
{
    sqlite3_stmt *statement = NULL;
    (void)sqlite3_prepare_v2(store->database, text, -1, &statement, NULL);
    return statement;
}

static void bind_text(sqlite3_stmt *statement, int place, const char *text)
{
    (void)sqlite3_bind_text(statement, place, text, -1, SQLITE_STATIC);
}

static bool run(sqlite3_stmt *statement)
{
    bool done = statement != NULL && sqlite3_step(statement) == SQLITE_DONE;
    (void)sqlite3_finalize(statement);
    return done;
}

static bool execute(struct refresh_store *store, const char *text)
{
    return sqlite3_exec(store->database, text, NULL, NULL, NULL) == SQLITE_OK;
}

/* ---- families ---- */

/* A few at a time, so that nobody waits for it. */
static bool forget_old(struct refresh_store *store, uint64_t now_ms)
{
    sqlite3_stmt *statement =
        prepare(store, "DELETE FROM refresh_families WHERE id IN"
                       " (SELECT id FROM refresh_families WHERE expires_ms <= ?1 LIMIT ?2)");
    (void)sqlite3_bind_int64(statement, 1, (sqlite3_int64)now_ms);
    (void)sqlite3_bind_int(statement, 2, EXPIRE_AT_ONCE);
    return run(statement);
}

static bool refresh_sqlite_begin(struct refresh_store *store, const struct refresh_family *family,
                                 const char *hash, char error[REFRESH_STORE_ERROR_SIZE])
{
    sqlite3_stmt *statement =
        prepare(store, "INSERT INTO refresh_families (id, user, claims, expires_ms, hash, used_ms,"
                       " session)"
                       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
    bind_text(statement, 1, family->id);
    bind_text(statement, 2, family->user);
    bind_text(statement, 3, family->claims);
    (void)sqlite3_bind_int64(statement, 4, (sqlite3_int64)family->expires_ms);
    bind_text(statement, 5, hash);
    (void)sqlite3_bind_int64(statement, 6, (sqlite3_int64)family->used_ms);
    bind_text(statement, 7, family->session);
    bool good = run(statement) && forget_old(store, family->used_ms);
    return good || fail(store, error);
}

static bool end_family(struct refresh_store *store, const char *id)
{
    sqlite3_stmt *statement = prepare(store, "DELETE FROM refresh_families WHERE id = ?1");
    bind_text(statement, 1, id);
    return run(statement);
}

static bool move_on(struct refresh_store *store, const struct refresh_use *use)
{
    sqlite3_stmt *statement =
        prepare(store, "UPDATE refresh_families SET hash = ?3, used_hash = ?2, used_ms = ?4,"
                       " proof = ?5 WHERE id = ?1");
    bind_text(statement, 1, use->family);
    bind_text(statement, 2, use->hash);
    bind_text(statement, 3, use->next_hash);
    (void)sqlite3_bind_int64(statement, 4, (sqlite3_int64)use->now_ms);
    bind_text(statement, 5, use->proof);
    return run(statement);
}

static bool column_is(sqlite3_stmt *row, int column, const char *text)
{
    const unsigned char *value = sqlite3_column_text(row, column);
    return value != NULL && strcmp((const char *)value, text) == 0;
}

static bool take_text(char **out, sqlite3_stmt *row, int column)
{
    const unsigned char *value = sqlite3_column_text(row, column);
    *out = value != NULL ? strdup((const char *)value) : NULL;
    return value == NULL || *out != NULL;
}

/* What the row says of the token. */
static enum refresh_result judge(sqlite3_stmt *row, const struct refresh_use *use)
{
    uint64_t used_ms = (uint64_t)sqlite3_column_int64(row, 5);
    bool is_next = column_is(row, 3, use->hash), is_used = column_is(row, 4, use->hash);
    if ((uint64_t)sqlite3_column_int64(row, 2) <= use->now_ms)
        return REFRESH_UNKNOWN;
    if (!is_next && !is_used)
        return use->was_ours ? REFRESH_REUSED : REFRESH_UNKNOWN;
    if (is_next)
        return REFRESH_DONE;
    bool is_repeated = *use->proof != '\0' && column_is(row, 6, use->proof) &&
                       column_is(row, 3, use->next_hash) &&
                       use->now_ms <= used_ms + REFRESH_REPEAT_MS;
    return is_repeated ? REFRESH_REPEATED : REFRESH_REUSED;
}

static enum refresh_result take_row(sqlite3_stmt *row, const struct refresh_use *use,
                                    struct refresh_family *family)
{
    enum refresh_result result = judge(row, use);
    (void)snprintf(family->id, sizeof family->id, "%s", use->family);
    (void)snprintf(family->user, sizeof family->user, "%s", sqlite3_column_text(row, 0));
    family->expires_ms = (uint64_t)sqlite3_column_int64(row, 2);
    family->used_ms = result == REFRESH_DONE ? use->now_ms : (uint64_t)sqlite3_column_int64(row, 5);
    bool good = take_text(&family->claims, row, 1);
    return take_text(&family->session, row, 7) && good ? result : REFRESH_UNAVAILABLE;
}

/* In a transaction. */
static enum refresh_result look(struct refresh_store *store, const struct refresh_use *use,
                                struct refresh_family *family)
{
    sqlite3_stmt *row = prepare(store, "SELECT user, claims, expires_ms, hash, used_hash, used_ms,"
                                       " proof, session FROM refresh_families WHERE id = ?1");
    bind_text(row, 1, use->family);
    int step = row != NULL ? sqlite3_step(row) : SQLITE_ERROR;
    enum refresh_result result = step == SQLITE_ROW    ? take_row(row, use, family)
                                 : step == SQLITE_DONE ? REFRESH_UNKNOWN
                                                       : REFRESH_UNAVAILABLE;
    (void)sqlite3_finalize(row);
    return result;
}

static enum refresh_result refresh_sqlite_use(struct refresh_store *store,
                                              const struct refresh_use *use,
                                              struct refresh_family *family,
                                              char error[REFRESH_STORE_ERROR_SIZE])
{
    *family = (struct refresh_family){0};
    bool good = execute(store, "BEGIN IMMEDIATE");
    enum refresh_result result = good ? look(store, use, family) : REFRESH_UNAVAILABLE;
    if (result == REFRESH_DONE)
        good = move_on(store, use);
    else if (result == REFRESH_REUSED)
        good = end_family(store, use->family);
    if (result != REFRESH_UNAVAILABLE && good && execute(store, "COMMIT"))
        return result;
    (void)fail(store, error);
    (void)execute(store, "ROLLBACK");
    refresh_family_free(family);
    return REFRESH_UNAVAILABLE;
}

static enum refresh_result refresh_sqlite_revoke(struct refresh_store *store,
                                                 const struct refresh_use *use,
                                                 struct refresh_family *family,
                                                 char error[REFRESH_STORE_ERROR_SIZE])
{
    sqlite3_stmt *statement =
        prepare(store, "DELETE FROM refresh_families WHERE id = ?1"
                       " AND (?3 OR hash = ?2 OR used_hash = ?2) RETURNING session");
    *family = (struct refresh_family){0};
    bind_text(statement, 1, use->family);
    bind_text(statement, 2, use->hash);
    (void)sqlite3_bind_int(statement, 3, use->was_ours);
    int step = statement != NULL ? sqlite3_step(statement) : SQLITE_ERROR;
    bool found = step == SQLITE_ROW;
    (void)snprintf(family->id, sizeof family->id, "%s", use->family);
    if (found && take_text(&family->session, statement, 0))
        step = sqlite3_step(statement);
    if (sqlite3_finalize(statement) == SQLITE_OK && step == SQLITE_DONE)
        return found ? REFRESH_DONE : REFRESH_UNKNOWN;
    (void)fail(store, error);
    return REFRESH_UNAVAILABLE;
}

const struct refresh_store_kind refresh_sqlite = {.open = refresh_sqlite_open,
                                                  .close = refresh_sqlite_close,
                                                  .begin = refresh_sqlite_begin,
                                                  .use = refresh_sqlite_use,
                                                  .revoke = refresh_sqlite_revoke};

void refresh_family_free(struct refresh_family *family)
{
    free(family->claims);
    free(family->session);
    *family = (struct refresh_family){0};
}
