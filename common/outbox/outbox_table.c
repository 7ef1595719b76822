#include "outbox/outbox_table.h"

#include "bytes.h"
#include "outbox/outbox_statements.h"
#include "sql/sql.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* A worker that stands still holds its lock no longer: it asks far more often than this. */
#define IDLE_LIMIT "SET SESSION wait_timeout = 30"

enum { READ_COLUMNS = 6 };

struct outbox_table {
    struct sql *sql;
    const struct sql_options *options;
    struct outbox_limits limits;
    struct sql_statement statements[OUTBOX_STATEMENT_COUNT];
    char *reads[2]; /* the texts of those that read, which have a limit */
    int lock_file;  /* -1: not open */
    bool locked;    /* by this connection, or process */
    char error[SQL_ERROR_SIZE];
};

static char *limit_read(const char *text, size_t rows)
{
    char *limited;
    return asprintf(&limited, "%s LIMIT %zu", text, rows) < 0 ? NULL : limited;
}

static bool prepare_statements(struct outbox_table *table)
{
    const struct sql_statement *all =
        table->options->kind == SQL_SQLITE ? outbox_statements_sqlite : outbox_statements_mariadb;
    memcpy(table->statements, all, sizeof table->statements);
    for (unsigned i = 0; i < 2; i++) {
        struct sql_statement *read = &table->statements[OUTBOX_READ + i];
        table->reads[i] = limit_read(read->text, table->limits.rows);
        if (table->reads[i] == NULL)
            return false;
        read->text = table->reads[i];
    }
    return true;
}

struct outbox_table *outbox_table_open(const struct sql_options *options,
                                       const struct outbox_limits *limits)
{
    struct outbox_table *table = calloc(1, sizeof *table);
    if (table == NULL)
        return NULL;
    table->lock_file = -1;
    table->options = options;
    table->limits = *limits;
    if (prepare_statements(table))
        table->sql = sql_open(options, table->statements, OUTBOX_STATEMENT_COUNT);
    if (table->sql == NULL)
        outbox_table_close(&table);
    return table;
}

void outbox_table_close(struct outbox_table **table)
{
    struct outbox_table *old = *table;
    if (old == NULL)
        return;
    *table = NULL;
    sql_close(&old->sql);
    if (old->lock_file >= 0)
        (void)close(old->lock_file);
    free(old->reads[0]);
    free(old->reads[1]);
    free(old);
}

const char *outbox_table_error(const struct outbox_table *table)
{
    return table->error;
}

static enum sql_status fail(struct outbox_table *table, enum sql_status status, const char *words)
{
    (void)snprintf(table->error, sizeof table->error, "%s", words);
    return status;
}

/* With the connection goes its lock. */
static enum sql_status note(struct outbox_table *table, enum sql_status status)
{
    if (status == SQL_OK)
        return status;
    if (table->options->kind == SQL_MARIADB)
        table->locked = false;
    return fail(table, status, sql_error(table->sql));
}

static enum sql_status run(struct outbox_table *table, struct sql_run *call)
{
    return note(table, sql_run(table->sql, call));
}

/* A number as a statement takes it. */
struct number_text {
    char digits[24];
};

static struct sql_text number_value(uint64_t number, struct number_text *text)
{
    int length = snprintf(text->digits, sizeof text->digits, "%llu", (unsigned long long)number);
    return (struct sql_text){text->digits, (size_t)length};
}

static uint64_t number_of(const struct sql_text *column)
{
    return column->text != NULL ? strtoull(column->text, NULL, 10) : 0;
}

/* ---- the lock ---- */

static enum sql_status fail_lock_file(struct outbox_table *table, const char *path)
{
    (void)snprintf(table->error, sizeof table->error, "%.300s: %s", path, strerror(errno));
    return SQL_UNAVAILABLE;
}

/* Beside the database: to close the database itself would drop the locks that SQLite has on it. */
static enum sql_status lock_file(struct outbox_table *table)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s-outbox", table->options->path);
    if (table->lock_file < 0)
        table->lock_file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0660);
    if (table->lock_file < 0)
        return fail_lock_file(table, path);
    table->locked = flock(table->lock_file, LOCK_EX | LOCK_NB) == 0;
    if (table->locked)
        return SQL_OK;
    return errno == EWOULDBLOCK ? SQL_CONFLICT : fail_lock_file(table, path);
}

static bool keep_answer(const struct sql_text *columns, void *context)
{
    bool *locked = context;
    *locked = number_of(&columns[0]) == 1;
    return true;
}

static enum sql_status lock_server(struct outbox_table *table)
{
    bool locked = false;
    struct sql_run call = {.statement = OUTBOX_LOCK, .row = keep_answer, .context = &locked};
    enum sql_status status = outbox_table_run_script(table, IDLE_LIMIT);
    if (status == SQL_OK)
        status = run(table, &call);
    if (status != SQL_OK)
        return status;
    table->locked = locked;
    return locked ? SQL_OK : SQL_CONFLICT;
}

enum sql_status outbox_table_lock(struct outbox_table *table)
{
    if (table->locked)
        return SQL_OK;
    return table->options->kind == SQL_SQLITE ? lock_file(table) : lock_server(table);
}

/* ---- reading ---- */

void outbox_rows_clear(struct outbox_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        free(rows->rows[i].storage);
    rows->count = 0;
}

void outbox_rows_free(struct outbox_rows *rows)
{
    outbox_rows_clear(rows);
    free(rows->rows);
    *rows = (struct outbox_rows){0};
}

static bool make_room(struct outbox_rows *rows)
{
    if (rows->count < rows->capacity)
        return true;
    size_t capacity = rows->capacity > 0 ? rows->capacity * 2 : 64;
    struct outbox_row *larger = reallocarray(rows->rows, capacity, sizeof *larger);
    if (larger == NULL)
        return false;
    rows->rows = larger;
    rows->capacity = capacity;
    return true;
}

static void copy_text(struct sql_text *out, char **at, const struct sql_text *column)
{
    *out = (struct sql_text){*at, column->length};
    memcpy(*at, column->text != NULL ? column->text : "", column->length);
    (*at)[column->length] = '\0';
    *at += column->length + 1;
}

struct reading {
    const struct outbox_limits *limits;
    struct outbox_rows *rows;
    size_t bytes;
    bool no_memory;
};

static bool take_row(const struct sql_text *columns, void *context)
{
    struct reading *reading = context;
    struct outbox_rows *rows = reading->rows;
    size_t size = 0;
    for (int i = 1; i < READ_COLUMNS - 1; i++)
        size += columns[i].length + 1;
    char *storage = make_room(rows) ? malloc(size) : NULL;
    if (storage == NULL) {
        reading->no_memory = true;
        return false;
    }
    struct outbox_row *row = &rows->rows[rows->count++];
    *row = (struct outbox_row){.id = number_of(&columns[0]),
                               .created_ms = number_of(&columns[READ_COLUMNS - 1]),
                               .storage = storage};
    copy_text(&row->queue, &storage, &columns[1]);
    copy_text(&row->publisher, &storage, &columns[2]);
    copy_text(&row->body, &storage, &columns[3]);
    copy_text(&row->post_key, &storage, &columns[4]);
    reading->bytes += size;
    return reading->bytes < reading->limits->bytes;
}

enum sql_status outbox_table_read(struct outbox_table *table, const struct sql_text *held,
                                  struct outbox_rows *rows)
{
    struct reading reading = {.limits = &table->limits, .rows = rows};
    struct sql_run call = {.statement = table->limits.hold_failed ? OUTBOX_READ_HELD : OUTBOX_READ,
                           .values = held,
                           .value_count = 1,
                           .row = take_row,
                           .context = &reading};
    outbox_rows_clear(rows);
    enum sql_status status = run(table, &call);
    if (status == SQL_OK && reading.no_memory)
        status = fail(table, SQL_NO_MEMORY, "no memory for rows");
    if (status != SQL_OK)
        outbox_rows_clear(rows);
    return status;
}

/* ---- what became of rows ---- */

static bool ignore_row(const struct sql_text *columns, void *context)
{
    (void)columns;
    (void)context;
    return true;
}

enum sql_status outbox_table_confirm(struct outbox_table *table)
{
    struct sql_run call = {.statement = OUTBOX_CONFIRM};
    if (table->options->kind == SQL_SQLITE)
        call.row = ignore_row; /* a commit that is seen is written */
    return run(table, &call);
}

enum sql_status outbox_table_delete(struct outbox_table *table, const uint64_t *ids, size_t count)
{
    struct bytes script = BYTES_EMPTY;
    bytes_append_text(&script, table->options->kind == SQL_SQLITE ? "BEGIN IMMEDIATE;"
                                                                  : "START TRANSACTION;");
    for (size_t i = 0; i < count; i++) {
        bytes_append_text(&script, "DELETE FROM outgoing_events WHERE id=");
        bytes_append_number(&script, ids[i]);
        bytes_append_text(&script, ";");
    }
    bytes_append_text(&script, "COMMIT");
    bytes_append(&script, "", 1);
    enum sql_status status = script.failed ? fail(table, SQL_NO_MEMORY, "no memory")
                                           : outbox_table_run_script(table, script.data);
    bytes_free(&script);
    return status;
}

enum sql_status outbox_table_fail(struct outbox_table *table, uint64_t id, const char *words)
{
    struct number_text number;
    const struct sql_text values[] = {{words, strlen(words)}, number_value(id, &number)};
    struct sql_run call = {.statement = OUTBOX_FAIL, .values = values, .value_count = 2};
    return run(table, &call);
}

enum sql_status outbox_table_run_script(struct outbox_table *table, const char *script)
{
    return note(table, sql_run_script(table->sql, script));
}

/* ---- the operator's ---- */

static bool keep_counts(const struct sql_text *columns, void *context)
{
    struct outbox_counts *counts = context;
    *counts = (struct outbox_counts){.waiting = number_of(&columns[0]),
                                     .failed = number_of(&columns[1]),
                                     .oldest_ms = number_of(&columns[2]),
                                     .now_ms = number_of(&columns[3])};
    return true;
}

enum sql_status outbox_table_count(struct outbox_table *table, struct outbox_counts *counts)
{
    struct sql_run call = {.statement = OUTBOX_COUNT, .row = keep_counts, .context = counts};
    *counts = (struct outbox_counts){0};
    return run(table, &call);
}

struct listing {
    bool (*visit)(const struct outbox_entry *entry, void *context);
    void *context;
};

static bool visit_entry(const struct sql_text *columns, void *context)
{
    const struct listing *listing = context;
    const struct outbox_entry entry = {.id = number_of(&columns[0]),
                                       .queue = columns[1],
                                       .publisher = columns[2],
                                       .created_ms = number_of(&columns[3]),
                                       .failed_ms = number_of(&columns[4]),
                                       .failure = columns[5],
                                       .start = columns[6]};
    return listing->visit(&entry, listing->context);
}

enum sql_status outbox_table_list(struct outbox_table *table, bool failed,
                                  bool (*visit)(const struct outbox_entry *entry, void *context),
                                  void *context)
{
    struct listing listing = {visit, context};
    struct number_text number;
    const struct sql_text value = number_value(failed, &number);
    struct sql_run call = {.statement = OUTBOX_LIST,
                           .values = &value,
                           .value_count = 1,
                           .row = visit_entry,
                           .context = &listing};
    return run(table, &call);
}

static enum sql_status change(struct outbox_table *table, enum outbox_statement one,
                              enum outbox_statement all, uint64_t id, uint64_t *done)
{
    struct number_text number;
    const struct sql_text value = number_value(id, &number);
    struct sql_run call = {
        .statement = id != 0 ? one : all, .values = &value, .value_count = id != 0 ? 1 : 0};
    enum sql_status status = run(table, &call);
    *done = status == SQL_OK ? call.matched : 0;
    return status;
}

enum sql_status outbox_table_retry(struct outbox_table *table, uint64_t id, uint64_t *done)
{
    return change(table, OUTBOX_RETRY, OUTBOX_RETRY_ALL, id, done);
}

enum sql_status outbox_table_drop(struct outbox_table *table, uint64_t id, uint64_t *done)
{
    return change(table, OUTBOX_DROP, OUTBOX_DROP_FAILED, id, done);
}
