/* Statements for a SQLite file. With sqlite_pair.c the only file that knows sqlite3.h here.
 */
#include "sql/sql_backend.h"
#include "sql/sqlite_pair.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sql_sqlite {
    struct sql base;   /* first: a struct sql * is a struct sql_sqlite * */
    sqlite3 *database; /* NULL: not open */
    sqlite3_stmt *statements[SQL_STATEMENTS_MAX];
    struct sqlite_pair
        pair; /* the files that were read last; when others are there now, those count */
};

static struct sql_sqlite *sqlite_of(struct sql *sql)
{
    return (struct sql_sqlite *)sql;
}

static void disconnect(struct sql_sqlite *self)
{
    for (size_t i = 0; i < SQL_STATEMENTS_MAX; i++) {
        (void)sqlite3_finalize(self->statements[i]);
        self->statements[i] = NULL;
    }
    (void)sqlite3_close(self->database);
    self->database = NULL;
}

/* Words for a result code; a failure that is not the values' fault ends the connection. */
static enum sql_status fail(struct sql_sqlite *self, int code)
{
    const char *words =
        self->database != NULL ? sqlite3_errmsg(self->database) : sqlite3_errstr(code);
    if (code == SQLITE_READONLY_ROLLBACK)
        words = "its last writer did not come to an end; esnctl or the application has to open it";
    (void)snprintf(self->base.error, sizeof self->base.error, "%s: %s", self->base.options->path,
                   words);
    if (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY)
        return SQL_EXISTS;
    if ((code & 0xff) == SQLITE_CONSTRAINT || code == SQLITE_TOOBIG)
        return SQL_INVALID;
    disconnect(self);
    return (code & 0xff) == SQLITE_NOMEM ? SQL_NO_MEMORY : SQL_UNAVAILABLE;
}

static int prepare_connection(struct sql_sqlite *self)
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

static enum sql_status refuse_pair(struct sql_sqlite *self, const char *fault)
{
    const char *path = self->base.options->path;
    disconnect(self);
    (void)snprintf(self->base.error, sizeof self->base.error, "%s: %s", path, fault);
    return SQL_UNAVAILABLE;
}

static int open_database(struct sql_sqlite *self)
{
    const struct sql_options *options = self->base.options;
    int flags = options->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    if (options->create)
        flags |= SQLITE_OPEN_CREATE;
    int code = sqlite3_open_v2(options->path, &self->database, flags | SQLITE_OPEN_NOMUTEX, NULL);
    return code == SQLITE_OK ? prepare_connection(self) : code;
}

/* `found` was looked at before: if the files are exchanged in between, the next call sees that and
 * opens again. */
static enum sql_status connect_anew(struct sql_sqlite *self, const struct sqlite_pair *found)
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
    return SQL_OK;
}

static enum sql_status connect_file(struct sql_sqlite *self)
{
    const char *path = self->base.options->path;
    struct sqlite_pair found;
    bool there = sqlite_pair_look(&found, path);
    if (self->database != NULL && sqlite3_get_autocommit(self->database) == 0)
        return SQL_OK; /* in the middle of a transaction that an earlier script began */
    if (self->database != NULL && there && sqlite_pair_is_of_same_files(&found, &self->pair)) {
        if (found.database.changed_ns == self->pair.database.changed_ns)
            return SQL_OK;
        if (sqlite_pair_was_overwritten(&self->pair, &found, path, self->database))
            return refuse_pair(self, SQLITE_PAIR_FAULT);
        sqlite_pair_watch(&self->pair, path, self->database);
        return SQL_OK;
    }
    disconnect(self);
    if (!there && !self->base.options->create)
        return fail(self, SQLITE_CANTOPEN);
    return connect_anew(self, &found);
}

static int bind_values(sqlite3_stmt *statement, const struct sql_run *run)
{
    int code = SQLITE_OK;
    for (size_t i = 0; i < run->value_count && code == SQLITE_OK; i++) {
        const struct sql_text *value = &run->values[i];
        if (value->text == NULL)
            code = sqlite3_bind_null(statement, (int)i + 1);
        else
            code = sqlite3_bind_text64(statement, (int)i + 1, value->text, value->length,
                                       SQLITE_STATIC, SQLITE_UTF8);
    }
    return code;
}

/* False when a column's text could not be had for want of memory. */
static bool read_columns(sqlite3_stmt *statement, struct sql_text columns[SQL_COLUMNS_MAX])
{
    int count = sqlite3_column_count(statement);
    for (int i = 0; i < count && i < SQL_COLUMNS_MAX; i++) {
        bool null = sqlite3_column_type(statement, i) == SQLITE_NULL;
        columns[i].text = (const char *)sqlite3_column_text(statement, i);
        columns[i].length = (size_t)sqlite3_column_bytes(statement, i);
        if (!null && columns[i].text == NULL)
            return false;
    }
    return true;
}

static int step_through(sqlite3_stmt *statement, const struct sql_run *run)
{
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct sql_text columns[SQL_COLUMNS_MAX] = {0};
        if (run->row == NULL)
            continue;
        if (!read_columns(statement, columns))
            return SQLITE_NOMEM;
        if (!run->row(columns, run->context))
            return SQLITE_OK;
    }
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

static enum sql_status run_query(struct sql *sql, struct sql_run *run)
{
    struct sql_sqlite *self = sqlite_of(sql);
    enum sql_status status = connect_file(self);
    if (status != SQL_OK)
        return status;
    sqlite3_stmt **statement = &self->statements[run->statement];
    int code = SQLITE_OK;
    if (*statement == NULL)
        code = sqlite3_prepare_v3(self->database, self->base.statements[run->statement].text, -1,
                                  SQLITE_PREPARE_PERSISTENT, statement, NULL);
    if (code == SQLITE_OK)
        code = bind_values(*statement, run);
    if (code == SQLITE_OK)
        code = step_through(*statement, run);
    if (code == SQLITE_OK && run->row == NULL)
        run->matched = (uint64_t)sqlite3_changes64(self->database);
    status = code == SQLITE_OK ? SQL_OK : fail(self, code);
    /* A statement left standing would hold its snapshot, and the values are the caller's. */
    if (*statement != NULL) {
        (void)sqlite3_reset(*statement);
        (void)sqlite3_clear_bindings(*statement);
    }
    return status;
}

static enum sql_status run_script(struct sql *sql, const char *script)
{
    struct sql_sqlite *self = sqlite_of(sql);
    enum sql_status status = connect_file(self);
    if (status != SQL_OK)
        return status;
    int code = sqlite3_exec(self->database, script, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        return SQL_OK;
    status = fail(self, code);
    if (self->database != NULL && sqlite3_get_autocommit(self->database) == 0)
        disconnect(self); /* which rolls back */
    return status;
}

static void close_file(struct sql *sql)
{
    disconnect(sqlite_of(sql));
    free(sql);
}

static const struct sql_operations operations = {run_query, run_script, close_file};

struct sql *sql_sqlite_open(void)
{
    struct sql_sqlite *self = calloc(1, sizeof *self);
    if (self == NULL)
        return NULL;
    self->base.operations = &operations;
    return &self->base;
}
