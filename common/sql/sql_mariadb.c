/* Statements for MariaDB. With mariadb_connect.c the only file that knows mysql.h. */
#include "sql/sql_backend.h"

#include "bytes.h"
#include "clock.h"
#include "sql/mariadb_connect.h"

#include <errmsg.h>
#include <mysqld_error.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sql_mariadb {
    struct sql base;                 /* first: a struct sql * is a struct sql_mariadb * */
    MYSQL *connection;               /* NULL: none */
    struct mariadb_attempt *attempt; /* to have one; NULL: none is under way */
    MYSQL_STMT *statements[SQL_STATEMENTS_MAX];
    struct bytes columns[SQL_COLUMNS_MAX]; /* rows are fetched into these */
    bool lost; /* the last failure was the connection's, not the statement's */
};

static struct sql_mariadb *mariadb_of(struct sql *sql)
{
    return (struct sql_mariadb *)sql;
}

static void disconnect(struct sql_mariadb *self)
{
    for (size_t i = 0; i < SQL_STATEMENTS_MAX; i++) {
        if (self->statements[i] != NULL)
            (void)mysql_stmt_close(self->statements[i]);
        self->statements[i] = NULL;
    }
    if (self->connection != NULL)
        mysql_close(self->connection);
    self->connection = NULL;
}

static bool is_fault_of_values(unsigned code)
{
    switch (code) {
    case ER_CONSTRAINT_FAILED:
    case ER_DATA_TOO_LONG:
    case ER_BAD_NULL_ERROR:
    case ER_TRUNCATED_WRONG_VALUE_FOR_FIELD:
    case ER_CANNOT_CONVERT_CHARACTER:
        return true;
    default:
        return false;
    }
}

/* A failure that is not the values' fault ends the connection. */
static enum sql_status fail(struct sql_mariadb *self, unsigned code, const char *words)
{
    (void)snprintf(self->base.error, sizeof self->base.error, "MariaDB error %u: %s", code, words);
    if (code == ER_DUP_ENTRY)
        return SQL_EXISTS;
    if (is_fault_of_values(code))
        return SQL_INVALID;
    self->lost = code == CR_SERVER_GONE_ERROR || code == CR_SERVER_LOST ||
                 code == CR_SSL_CONNECTION_ERROR || code == ER_CONNECTION_KILLED ||
                 code == ER_SERVER_SHUTDOWN;
    disconnect(self);
    return code == CR_OUT_OF_MEMORY ? SQL_NO_MEMORY : SQL_UNAVAILABLE;
}

static enum sql_status fail_connection(struct sql_mariadb *self)
{
    return fail(self, mysql_errno(self->connection), mysql_error(self->connection));
}

static enum sql_status fail_statement(struct sql_mariadb *self, MYSQL_STMT *statement)
{
    return fail(self, mysql_stmt_errno(statement), mysql_stmt_error(statement));
}

/* ---- connecting ---- */

/* A server may ignore what the client asked for when it connected, by
 * skip-character-set-client-handshake or init_connect; a proxy may do as it likes. */
static enum sql_status check_character_set(struct sql_mariadb *self)
{
    static const char query[] = "SELECT @@character_set_client, @@character_set_connection,"
                                " @@character_set_results";
    if (mysql_set_character_set(self->connection, MARIADB_CHARACTER_SET) != 0 ||
        mysql_real_query(self->connection, query, sizeof query - 1) != 0)
        return fail_connection(self);
    MYSQL_RES *result = mysql_store_result(self->connection);
    if (result == NULL)
        return fail_connection(self);
    MYSQL_ROW row = mysql_fetch_row(result);
    bool right = row != NULL && mysql_num_fields(result) == 3;
    for (int i = 0; right && i < 3; i++)
        right = row[i] != NULL && strcmp(row[i], MARIADB_CHARACTER_SET) == 0;
    mysql_free_result(result);
    return right ? SQL_OK
                 : fail(self, CR_UNKNOWN_ERROR,
                        "the session's character set is not " MARIADB_CHARACTER_SET
                        ", though it was asked for");
}

static enum sql_status connect_server(struct sql_mariadb *self)
{
    unsigned code;
    char words[SQL_ERROR_SIZE];
    if (self->connection != NULL)
        return SQL_OK;
    self->connection = mariadb_attempt_connect(&self->attempt, self->base.options, &code, words);
    return self->connection != NULL ? check_character_set(self) : fail(self, code, words);
}

/* ---- running statements ---- */

static enum sql_status prepare(struct sql_mariadb *self, unsigned number)
{
    const char *text = self->base.statements[number].text;
    if (self->statements[number] != NULL)
        return SQL_OK;
    MYSQL_STMT *statement = mysql_stmt_init(self->connection);
    if (statement == NULL)
        return fail_connection(self);
    self->statements[number] = statement;
    if (mysql_stmt_prepare(statement, text, strlen(text)) != 0)
        return fail_statement(self, statement);
    return SQL_OK;
}

static enum sql_status execute(struct sql_mariadb *self, MYSQL_STMT *statement,
                               const struct sql_run *run)
{
    MYSQL_BIND binds[SQL_VALUES_MAX];
    unsigned long lengths[SQL_VALUES_MAX];
    memset(binds, 0, sizeof binds);
    for (size_t i = 0; i < run->value_count && i < SQL_VALUES_MAX; i++) {
        const struct sql_text *value = &run->values[i];
        lengths[i] = value->length;
        binds[i].buffer_type = value->text != NULL ? MYSQL_TYPE_STRING : MYSQL_TYPE_NULL;
        /* The library wants a pointer to non-const, but only reads what is bound as a parameter. */
        memcpy(&binds[i].buffer, &value->text, sizeof binds[i].buffer);
        binds[i].buffer_length = value->length;
        binds[i].length = &lengths[i];
    }
    if ((run->value_count > 0 && mysql_stmt_bind_param(statement, binds) != 0) ||
        mysql_stmt_execute(statement) != 0)
        return fail_statement(self, statement);
    return SQL_OK;
}

/* What one fetch needs to know of the columns. */
struct fetch {
    MYSQL_BIND binds[SQL_COLUMNS_MAX];
    unsigned long lengths[SQL_COLUMNS_MAX];
    my_bool nulls[SQL_COLUMNS_MAX];
    unsigned count;
};

static bool bind_columns(struct sql_mariadb *self, MYSQL_STMT *statement, struct fetch *fetch)
{
    memset(fetch, 0, sizeof *fetch);
    fetch->count = mysql_stmt_field_count(statement);
    for (unsigned i = 0; i < fetch->count && i < SQL_COLUMNS_MAX; i++) {
        fetch->binds[i].buffer_type = MYSQL_TYPE_STRING;
        fetch->binds[i].buffer = self->columns[i].data;
        fetch->binds[i].buffer_length = self->columns[i].capacity;
        fetch->binds[i].length = &fetch->lengths[i];
        fetch->binds[i].is_null = &fetch->nulls[i];
    }
    return mysql_stmt_bind_result(statement, fetch->binds) == 0;
}

/* Fetches the columns that did not fit once more, into more room. False without memory. */
static bool widen_columns(struct sql_mariadb *self, MYSQL_STMT *statement, struct fetch *fetch,
                          bool *widened)
{
    for (unsigned i = 0; i < fetch->count && i < SQL_COLUMNS_MAX; i++) {
        struct bytes *column = &self->columns[i];
        if (fetch->nulls[i] || fetch->lengths[i] < column->capacity)
            continue;
        bytes_clear(column);
        if (!bytes_reserve(column, fetch->lengths[i] + 1))
            return false;
        fetch->binds[i].buffer = column->data;
        fetch->binds[i].buffer_length = column->capacity;
        if (mysql_stmt_fetch_column(statement, &fetch->binds[i], i, 0) != 0)
            return false;
        *widened = true;
    }
    return true;
}

static bool hand_over_row(struct sql_mariadb *self, const struct fetch *fetch,
                          const struct sql_run *run)
{
    struct sql_text columns[SQL_COLUMNS_MAX] = {0};
    for (unsigned i = 0; i < fetch->count && i < SQL_COLUMNS_MAX; i++) {
        if (fetch->nulls[i])
            continue;
        self->columns[i].data[fetch->lengths[i]] = '\0';
        columns[i] = (struct sql_text){self->columns[i].data, fetch->lengths[i]};
    }
    return run->row(columns, run->context);
}

static enum sql_status fetch_rows(struct sql_mariadb *self, MYSQL_STMT *statement,
                                  const struct sql_run *run)
{
    struct fetch fetch;
    for (size_t i = 0; i < SQL_COLUMNS_MAX; i++)
        if (self->columns[i].capacity == 0 && !bytes_reserve(&self->columns[i], 1))
            return fail(self, CR_OUT_OF_MEMORY, "no memory");
    if (!bind_columns(self, statement, &fetch))
        return fail_statement(self, statement);
    for (;;) {
        int got = mysql_stmt_fetch(statement);
        bool widened = false;
        if (got == MYSQL_NO_DATA)
            return SQL_OK;
        if (got != 0 && got != MYSQL_DATA_TRUNCATED)
            return fail_statement(self, statement);
        if (!widen_columns(self, statement, &fetch, &widened))
            return fail(self, CR_OUT_OF_MEMORY, "no memory for a row");
        if (!hand_over_row(self, &fetch, run))
            return SQL_OK;
        if (widened && !bind_columns(self, statement, &fetch))
            return fail_statement(self, statement);
    }
}

static enum sql_status run_once(struct sql_mariadb *self, struct sql_run *run)
{
    enum sql_status status = connect_server(self);
    if (status == SQL_OK)
        status = prepare(self, run->statement);
    if (status != SQL_OK)
        return status;
    MYSQL_STMT *statement = self->statements[run->statement];
    status = execute(self, statement, run);
    /* Newer libraries (3.4) call it an error to ask for rows where there can be none. */
    bool has_rows = status == SQL_OK && mysql_stmt_field_count(statement) > 0;
    if (status == SQL_OK && run->row == NULL)
        run->matched = mysql_stmt_affected_rows(statement);
    else if (has_rows)
        status = fetch_rows(self, statement, run);
    /* Reads off what was not asked for, so that the connection is free for the next statement. */
    if (has_rows && self->connection != NULL && mysql_stmt_free_result(statement) != 0 &&
        status == SQL_OK)
        status = fail_statement(self, statement);
    return status;
}

struct watched_row {
    const struct sql_run *run;
    bool any; /* a row was handed over: asking again would give it twice */
};

static bool watch_row(const struct sql_text *columns, void *context)
{
    struct watched_row *watched = context;
    watched->any = true;
    return watched->run->row(columns, watched->run->context);
}

static enum sql_status run_query(struct sql *sql, struct sql_run *run)
{
    struct sql_mariadb *self = mariadb_of(sql);
    bool was_open = self->connection != NULL || self->attempt != NULL;
    uint64_t began = clock_monotonic_ms();
    struct watched_row watched = {run, false};
    struct sql_run watching = *run;
    if (run->row != NULL) {
        watching.row = watch_row;
        watching.context = &watched;
    }
    self->lost = false;
    enum sql_status status = run_once(self, &watching);
    /* Servers close idle connections (wait_timeout); noticing that at once is no failure worth a
     * 503. */
    if (status == SQL_UNAVAILABLE && self->lost && was_open &&
        self->base.statements[run->statement].repeatable && !watched.any &&
        clock_monotonic_ms() - began < sql->options->limit_ms)
        status = run_once(self, &watching);
    run->matched = watching.matched;
    return status;
}

static enum sql_status run_script(struct sql *sql, const char *script)
{
    struct sql_mariadb *self = mariadb_of(sql);
    enum sql_status status = connect_server(self);
    if (status != SQL_OK)
        return status;
    /* Off at all other times, so that nothing slipped into a statement could add another. */
    if (mysql_set_server_option(self->connection, MYSQL_OPTION_MULTI_STATEMENTS_ON) != 0)
        return fail_connection(self);
    int left = mysql_real_query(self->connection, script, strlen(script));
    while (left == 0) {
        MYSQL_RES *rows = mysql_store_result(self->connection);
        if (rows == NULL && mysql_errno(self->connection) != 0)
            break;
        mysql_free_result(rows);
        left = mysql_next_result(self->connection);
    }
    if (mysql_errno(self->connection) != 0) {
        status = fail_connection(self);
        disconnect(self); /* which rolls back */
        return status;
    }
    if (mysql_set_server_option(self->connection, MYSQL_OPTION_MULTI_STATEMENTS_OFF) != 0)
        return fail_connection(self);
    return SQL_OK;
}

static void close_all(struct sql *sql)
{
    struct sql_mariadb *self = mariadb_of(sql);
    disconnect(self);
    mariadb_attempt_abandon(&self->attempt);
    for (size_t i = 0; i < SQL_COLUMNS_MAX; i++)
        bytes_free(&self->columns[i]);
    free(self);
}

static const struct sql_operations operations = {run_query, run_script, close_all};

struct sql *sql_mariadb_open(void)
{
    /* Else the first connection does it, and two threads may make theirs at once. */
    if (mysql_library_init(0, NULL, NULL) != 0)
        return NULL;
    struct sql_mariadb *self = calloc(1, sizeof *self);
    if (self == NULL)
        return NULL;
    self->base.operations = &operations;
    return &self->base;
}
