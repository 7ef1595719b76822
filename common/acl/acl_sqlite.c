/* Registered topics in a SQLite file. With sqlite_pair.c the only file that knows sqlite3.h here.
 */
#include "acl/acl_backend.h"
#include "acl/sqlite_pair.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct acl_sqlite {
    struct acl base;   /* first: a struct acl * is a struct acl_sqlite * */
    sqlite3 *database; /* NULL: not open */
    sqlite3_stmt *statements[ACL_QUERY_COUNT];
    struct sqlite_pair
        pair; /* the files that were read last; when others are there now, those count */
};

#define COLUMNS "topic, owner, pub, sub, pub_password"

static const char *const queries[ACL_QUERY_COUNT] = {
    [ACL_CHECK] =
        "SELECT 1 FROM registered_topics LEFT JOIN topic_followers ON topic_id = id LIMIT 1",
    [ACL_EXAMINE] =
        "SELECT 'its journal_mode is ' || journal_mode || ': writers and readers would wait"
        " for each other; say PRAGMA journal_mode = WAL in it'"
        " FROM pragma_journal_mode WHERE journal_mode <> 'wal'",
    [ACL_FIND_TOPIC] = "SELECT " COLUMNS " FROM registered_topics WHERE topic = ?",
    [ACL_LIST_TOPICS] = "SELECT " COLUMNS " FROM registered_topics ORDER BY topic",
    [ACL_ADD_TOPIC] = "INSERT INTO registered_topics (" COLUMNS ") VALUES (?, ?, ?, ?, ?)",
    [ACL_CHANGE_TOPIC] = "UPDATE registered_topics SET owner = COALESCE(?, owner),"
                         " pub = COALESCE(?, pub), sub = COALESCE(?, sub),"
                         " pub_password = COALESCE(?, pub_password)"
                         " WHERE topic = ? AND pub IS COALESCE(?, pub) AND sub IS COALESCE(?, sub)",
    [ACL_REMOVE_TOPIC] = "DELETE FROM registered_topics WHERE topic = ?",
    [ACL_FIND_FOLLOWERS] = "SELECT user_id FROM topic_followers JOIN registered_topics"
                           " ON id = topic_id WHERE topic = ? ORDER BY user_id",
    [ACL_LIST_FOLLOWED] = "SELECT " COLUMNS " FROM registered_topics JOIN topic_followers"
                          " ON id = topic_id WHERE user_id = ? ORDER BY topic",
    [ACL_ADD_FOLLOWER] = "INSERT INTO topic_followers (user_id, topic_id)"
                         " SELECT ?, id FROM registered_topics WHERE topic = ?"
                         " ON CONFLICT DO UPDATE SET user_id = excluded.user_id",
    [ACL_REMOVE_FOLLOWER] = "DELETE FROM topic_followers WHERE topic_id ="
                            " (SELECT id FROM registered_topics WHERE topic = ?) AND user_id = ?",
};

static struct acl_sqlite *sqlite_of(struct acl *acl)
{
    return (struct acl_sqlite *)acl;
}

static void disconnect(struct acl_sqlite *self)
{
    for (size_t i = 0; i < ACL_QUERY_COUNT; i++) {
        (void)sqlite3_finalize(self->statements[i]);
        self->statements[i] = NULL;
    }
    (void)sqlite3_close(self->database);
    self->database = NULL;
}

/* Words for a result code; a failure that is not the values' fault ends the connection. */
static enum acl_status fail(struct acl_sqlite *self, int code)
{
    const char *words =
        self->database != NULL ? sqlite3_errmsg(self->database) : sqlite3_errstr(code);
    if (code == SQLITE_READONLY_ROLLBACK)
        words = "its last writer did not come to an end; esnctl or the application has to open it";
    (void)snprintf(self->base.error, sizeof self->base.error, "%s: %s", self->base.options->path,
                   words);
    if (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY)
        return ACL_EXISTS;
    if ((code & 0xff) == SQLITE_CONSTRAINT || code == SQLITE_TOOBIG)
        return ACL_INVALID;
    disconnect(self);
    return (code & 0xff) == SQLITE_NOMEM ? ACL_NO_MEMORY : ACL_UNAVAILABLE;
}

static int prepare_connection(struct acl_sqlite *self)
{
    int done;
    (void)sqlite3_extended_result_codes(self->database, 1);
    int code = sqlite3_busy_timeout(self->database, (int)self->base.options->limit_ms);
    if (code == SQLITE_OK)
        code = sqlite3_db_config(self->database, SQLITE_DBCONFIG_ENABLE_FKEY, 1, &done);
    if (code == SQLITE_OK)
        code = sqlite3_db_config(self->database, SQLITE_DBCONFIG_DEFENSIVE, 1, &done);
    /* Who only reads changes nothing by going, either. */
    if (code == SQLITE_OK && self->base.options->read_only)
        code = sqlite3_db_config(self->database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, &done);
    return code;
}

static enum acl_status refuse_pair(struct acl_sqlite *self, const char *fault)
{
    const char *path = self->base.options->path;
    disconnect(self);
    (void)snprintf(self->base.error, sizeof self->base.error, "%s: %s", path, fault);
    return ACL_UNAVAILABLE;
}

static int open_database(struct acl_sqlite *self)
{
    const struct acl_options *options = self->base.options;
    int flags = options->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    if (options->create)
        flags |= SQLITE_OPEN_CREATE;
    int code = sqlite3_open_v2(options->path, &self->database, flags | SQLITE_OPEN_NOMUTEX, NULL);
    return code == SQLITE_OK ? prepare_connection(self) : code;
}

/* `found` was looked at before: if the files are exchanged in between, the next call sees that and
 * opens again. */
static enum acl_status connect_anew(struct acl_sqlite *self, const struct sqlite_pair *found)
{
    const char *path = self->base.options->path;
    int code = open_database(self);
    if (code != SQLITE_OK)
        return fail(self, code);
    const char *fault = sqlite_pair_find_fault(found, &self->pair, path, self->database);
    if (fault != NULL)
        return refuse_pair(self, fault);
    code = sqlite3_exec(self->database, "SELECT 1 FROM sqlite_schema LIMIT 1", NULL, NULL, NULL);
    if (code != SQLITE_OK)
        return fail(self, code);
    sqlite_pair_watch(&self->pair, path, self->database);
    if (found->database.inode != 0)
        self->pair.database = found->database;
    sqlite_pair_mark(&self->pair, path);
    return ACL_OK;
}

static enum acl_status connect_file(struct acl_sqlite *self)
{
    const char *path = self->base.options->path;
    struct sqlite_pair found;
    bool there = sqlite_pair_look(&found, path);
    if (self->database != NULL && sqlite3_get_autocommit(self->database) == 0)
        return ACL_OK; /* in the middle of a transaction that an earlier script began */
    if (self->database != NULL && there && sqlite_pair_is_of_same_files(&found, &self->pair)) {
        if (found.database.changed_ns == self->pair.database.changed_ns)
            return ACL_OK;
        if (sqlite_pair_was_overwritten(&self->pair, &found, path, self->database))
            return refuse_pair(self, SQLITE_PAIR_FAULT);
        sqlite_pair_watch(&self->pair, path, self->database);
        return ACL_OK;
    }
    disconnect(self);
    if (!there && !self->base.options->create)
        return fail(self, SQLITE_CANTOPEN);
    return connect_anew(self, &found);
}

static int bind_values(sqlite3_stmt *statement, const struct acl_run *run)
{
    int code = SQLITE_OK;
    for (size_t i = 0; i < run->value_count && code == SQLITE_OK; i++) {
        const struct acl_text *value = &run->values[i];
        if (value->text == NULL)
            code = sqlite3_bind_null(statement, (int)i + 1);
        else
            code = sqlite3_bind_text64(statement, (int)i + 1, value->text, value->length,
                                       SQLITE_STATIC, SQLITE_UTF8);
    }
    return code;
}

/* False when a column's text could not be had for want of memory. */
static bool read_columns(sqlite3_stmt *statement, struct acl_text columns[ACL_COLUMNS_MAX])
{
    int count = sqlite3_column_count(statement);
    for (int i = 0; i < count && i < ACL_COLUMNS_MAX; i++) {
        bool null = sqlite3_column_type(statement, i) == SQLITE_NULL;
        columns[i].text = (const char *)sqlite3_column_text(statement, i);
        columns[i].length = (size_t)sqlite3_column_bytes(statement, i);
        if (!null && columns[i].text == NULL)
            return false;
    }
    return true;
}

static int step_through(sqlite3_stmt *statement, const struct acl_run *run)
{
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct acl_text columns[ACL_COLUMNS_MAX] = {0};
        if (run->row == NULL)
            continue;
        if (!read_columns(statement, columns))
            return SQLITE_NOMEM;
        if (!run->row(columns, run->context))
            return SQLITE_OK;
    }
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

static enum acl_status run_query(struct acl *acl, struct acl_run *run)
{
    struct acl_sqlite *self = sqlite_of(acl);
    enum acl_status status = connect_file(self);
    if (status != ACL_OK)
        return status;
    sqlite3_stmt **statement = &self->statements[run->query];
    int code = SQLITE_OK;
    if (*statement == NULL)
        code = sqlite3_prepare_v3(self->database, queries[run->query], -1,
                                  SQLITE_PREPARE_PERSISTENT, statement, NULL);
    if (code == SQLITE_OK)
        code = bind_values(*statement, run);
    if (code == SQLITE_OK)
        code = step_through(*statement, run);
    if (code == SQLITE_OK && run->row == NULL)
        run->matched = (uint64_t)sqlite3_changes64(self->database);
    status = code == SQLITE_OK ? ACL_OK : fail(self, code);
    /* A statement left standing would hold its snapshot, and the values are the caller's. */
    if (*statement != NULL) {
        (void)sqlite3_reset(*statement);
        (void)sqlite3_clear_bindings(*statement);
    }
    return status;
}

static enum acl_status run_script(struct acl *acl, const char *sql)
{
    struct acl_sqlite *self = sqlite_of(acl);
    enum acl_status status = connect_file(self);
    if (status != ACL_OK)
        return status;
    int code = sqlite3_exec(self->database, sql, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        return ACL_OK;
    status = fail(self, code);
    if (self->database != NULL && sqlite3_get_autocommit(self->database) == 0)
        disconnect(self); /* which rolls back */
    return status;
}

static void close_file(struct acl *acl)
{
    disconnect(sqlite_of(acl));
    free(acl);
}

static const struct acl_operations operations = {run_query, run_script, close_file};

struct acl *acl_sqlite_open(void)
{
    struct acl_sqlite *self = calloc(1, sizeof *self);
    if (self == NULL)
        return NULL;
    self->base.operations = &operations;
    return &self->base;
}
