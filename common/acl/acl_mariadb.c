/* Registered topics in MariaDB. With mariadb_connect.c the only file that knows mysql.h. */
#include "acl/acl_backend.h"
#include "acl/mariadb_connect.h"
#include "clock.h"

#include <errmsg.h>
#include <mysqld_error.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct acl_mariadb {
    struct acl base;                 /* first: a struct acl * is a struct acl_mariadb * */
    MYSQL *connection;               /* NULL: none */
    struct mariadb_attempt *attempt; /* to have one; NULL: none is under way */
    MYSQL_STMT *statements[ACL_QUERY_COUNT];
    struct bytes columns[ACL_COLUMNS_MAX]; /* rows are fetched into these */
    bool lost; /* the last failure was the connection's, not the statement's */
};

#define COLUMNS "topic, owner, pub, sub, pub_password"
/* Exact whatever the column's collation: equal only when the SHA-256 of the bytes is. */
#define OF_TOPIC "topic_key = UNHEX(SHA2(?, 256))"

static const char *const queries[ACL_QUERY_COUNT] = {
    [ACL_CHECK] =
        "SELECT 1 FROM registered_topics LEFT JOIN topic_followers ON topic_id = id LIMIT 1",
    [ACL_EXAMINE] =
        "SELECT CONCAT('column ', column_name, ' of ', table_name, ' has the collation ',"
        " COALESCE(collation_name, 'none'), '; it should be utf8mb4_nopad_bin, as in"
        " schema/mariadb.sql') FROM information_schema.columns WHERE table_schema = DATABASE()"
        " AND table_name IN ('registered_topics', 'topic_followers')"
        " AND column_name IN ('topic', 'owner', 'pub', 'sub', 'pub_password', 'user_id')"
        " AND NOT collation_name <=> 'utf8mb4_nopad_bin' ORDER BY table_name, column_name",
    [ACL_FIND_TOPIC] = "SELECT " COLUMNS " FROM registered_topics WHERE " OF_TOPIC,
    [ACL_LIST_TOPICS] = "SELECT " COLUMNS " FROM registered_topics ORDER BY topic",
    [ACL_ADD_TOPIC] = "INSERT INTO registered_topics (" COLUMNS ") VALUES (?, ?, ?, ?, ?)",
    [ACL_CHANGE_TOPIC] = "UPDATE registered_topics SET owner = COALESCE(?, owner),"
                         " pub = COALESCE(?, pub), sub = COALESCE(?, sub),"
                         " pub_password = COALESCE(?, pub_password) WHERE " OF_TOPIC
                         " AND pub <=> COALESCE(?, pub) AND sub <=> COALESCE(?, sub)",
    [ACL_REMOVE_TOPIC] = "DELETE FROM registered_topics WHERE " OF_TOPIC,
    [ACL_FIND_FOLLOWERS] = "SELECT user_id FROM topic_followers JOIN registered_topics"
                           " ON id = topic_id WHERE " OF_TOPIC " ORDER BY user_id",
    [ACL_LIST_FOLLOWED] = "SELECT " COLUMNS " FROM registered_topics JOIN topic_followers"
                          " ON id = topic_id WHERE user_id = ? ORDER BY topic",
    [ACL_ADD_FOLLOWER] = "INSERT INTO topic_followers (user_id, topic_id)"
                         " SELECT ?, id FROM registered_topics WHERE " OF_TOPIC
                         " ON DUPLICATE KEY UPDATE user_id = VALUES(user_id)",
    [ACL_REMOVE_FOLLOWER] =
        "DELETE FROM topic_followers WHERE topic_id ="
        " (SELECT id FROM registered_topics WHERE " OF_TOPIC ") AND user_id = ?",
};

static struct acl_mariadb *mariadb_of(struct acl *acl)
{
    return (struct acl_mariadb *)acl;
}

static void disconnect(struct acl_mariadb *self)
{
    for (size_t i = 0; i < ACL_QUERY_COUNT; i++) {
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
static enum acl_status fail(struct acl_mariadb *self, unsigned code, const char *words)
{
    (void)snprintf(self->base.error, sizeof self->base.error, "MariaDB error %u: %s", code, words);
    if (code == ER_DUP_ENTRY)
        return ACL_EXISTS;
    if (is_fault_of_values(code))
        return ACL_INVALID;
    self->lost = code == CR_SERVER_GONE_ERROR || code == CR_SERVER_LOST ||
                 code == CR_SSL_CONNECTION_ERROR || code == ER_CONNECTION_KILLED ||
                 code == ER_SERVER_SHUTDOWN;
    disconnect(self);
    return code == CR_OUT_OF_MEMORY ? ACL_NO_MEMORY : ACL_UNAVAILABLE;
}

static enum acl_status fail_connection(struct acl_mariadb *self)
{
    return fail(self, mysql_errno(self->connection), mysql_error(self->connection));
}

static enum acl_status fail_statement(struct acl_mariadb *self, MYSQL_STMT *statement)
{
    return fail(self, mysql_stmt_errno(statement), mysql_stmt_error(statement));
}

/* ---- connecting ---- */

/* A server may ignore what the client asked for when it connected, by
 * skip-character-set-client-handshake or init_connect; a proxy may do as it likes. */
static enum acl_status check_character_set(struct acl_mariadb *self)
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
    return right ? ACL_OK
                 : fail(self, CR_UNKNOWN_ERROR,
                        "the session's character set is not " MARIADB_CHARACTER_SET
                        ", though it was asked for");
}

static enum acl_status connect_server(struct acl_mariadb *self)
{
    unsigned code;
    char words[ACL_ERROR_SIZE];
    if (self->connection != NULL)
        return ACL_OK;
    self->connection = mariadb_attempt_connect(&self->attempt, self->base.options, &code, words);
    return self->connection != NULL ? check_character_set(self) : fail(self, code, words);
}

/* ---- running statements ---- */

static enum acl_status prepare(struct acl_mariadb *self, enum acl_query query)
{
    if (self->statements[query] != NULL)
        return ACL_OK;
    MYSQL_STMT *statement = mysql_stmt_init(self->connection);
    if (statement == NULL)
        return fail_connection(self);
    self->statements[query] = statement;
    if (mysql_stmt_prepare(statement, queries[query], strlen(queries[query])) != 0)
        return fail_statement(self, statement);
    return ACL_OK;
}

enum { VALUES_MAX = 8 };

static enum acl_status execute(struct acl_mariadb *self, MYSQL_STMT *statement,
                               const struct acl_run *run)
{
    MYSQL_BIND binds[VALUES_MAX];
    unsigned long lengths[VALUES_MAX];
    memset(binds, 0, sizeof binds);
    for (size_t i = 0; i < run->value_count && i < VALUES_MAX; i++) {
        const struct acl_text *value = &run->values[i];
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
    return ACL_OK;
}

/* What one fetch needs to know of the columns. */
struct fetch {
    MYSQL_BIND binds[ACL_COLUMNS_MAX];
    unsigned long lengths[ACL_COLUMNS_MAX];
    my_bool nulls[ACL_COLUMNS_MAX];
    unsigned count;
};

static bool bind_columns(struct acl_mariadb *self, MYSQL_STMT *statement, struct fetch *fetch)
{
    memset(fetch, 0, sizeof *fetch);
    fetch->count = mysql_stmt_field_count(statement);
    for (unsigned i = 0; i < fetch->count && i < ACL_COLUMNS_MAX; i++) {
        fetch->binds[i].buffer_type = MYSQL_TYPE_STRING;
        fetch->binds[i].buffer = self->columns[i].data;
        fetch->binds[i].buffer_length = self->columns[i].capacity;
        fetch->binds[i].length = &fetch->lengths[i];
        fetch->binds[i].is_null = &fetch->nulls[i];
    }
    return mysql_stmt_bind_result(statement, fetch->binds) == 0;
}

/* Fetches the columns that did not fit once more, into more room. False without memory. */
static bool widen_columns(struct acl_mariadb *self, MYSQL_STMT *statement, struct fetch *fetch,
                          bool *widened)
{
    for (unsigned i = 0; i < fetch->count && i < ACL_COLUMNS_MAX; i++) {
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

static bool hand_over_row(struct acl_mariadb *self, const struct fetch *fetch,
                          const struct acl_run *run)
{
    struct acl_text columns[ACL_COLUMNS_MAX] = {0};
    for (unsigned i = 0; i < fetch->count && i < ACL_COLUMNS_MAX; i++) {
        if (fetch->nulls[i])
            continue;
        self->columns[i].data[fetch->lengths[i]] = '\0';
        columns[i] = (struct acl_text){self->columns[i].data, fetch->lengths[i]};
    }
    return run->row(columns, run->context);
}

static enum acl_status fetch_rows(struct acl_mariadb *self, MYSQL_STMT *statement,
                                  const struct acl_run *run)
{
    struct fetch fetch;
    for (size_t i = 0; i < ACL_COLUMNS_MAX; i++)
        if (self->columns[i].capacity == 0 && !bytes_reserve(&self->columns[i], 1))
            return fail(self, CR_OUT_OF_MEMORY, "no memory");
    if (!bind_columns(self, statement, &fetch))
        return fail_statement(self, statement);
    for (;;) {
        int got = mysql_stmt_fetch(statement);
        bool widened = false;
        if (got == MYSQL_NO_DATA)
            return ACL_OK;
        if (got != 0 && got != MYSQL_DATA_TRUNCATED)
            return fail_statement(self, statement);
        if (!widen_columns(self, statement, &fetch, &widened))
            return fail(self, CR_OUT_OF_MEMORY, "no memory for a row");
        if (!hand_over_row(self, &fetch, run))
            return ACL_OK;
        if (widened && !bind_columns(self, statement, &fetch))
            return fail_statement(self, statement);
    }
}

static enum acl_status run_once(struct acl_mariadb *self, struct acl_run *run)
{
    enum acl_status status = connect_server(self);
    if (status == ACL_OK)
        status = prepare(self, run->query);
    if (status != ACL_OK)
        return status;
    MYSQL_STMT *statement = self->statements[run->query];
    status = execute(self, statement, run);
    if (status == ACL_OK && run->row != NULL)
        status = fetch_rows(self, statement, run);
    else if (status == ACL_OK)
        run->matched = mysql_stmt_affected_rows(statement);
    /* Reads off what was not asked for, so that the connection is free for the next statement. */
    if (self->connection != NULL && mysql_stmt_free_result(statement) != 0 && status == ACL_OK)
        status = fail_statement(self, statement);
    return status;
}

/* Lookups only: doing one twice changes nothing. */
static bool is_lookup(enum acl_query query)
{
    return query == ACL_CHECK || query == ACL_FIND_TOPIC || query == ACL_FIND_FOLLOWERS ||
           query == ACL_LIST_FOLLOWED;
}

struct watched_row {
    const struct acl_run *run;
    bool any; /* a row was handed over: asking again would give it twice */
};

static bool watch_row(const struct acl_text *columns, void *context)
{
    struct watched_row *watched = context;
    watched->any = true;
    return watched->run->row(columns, watched->run->context);
}

static enum acl_status run_query(struct acl *acl, struct acl_run *run)
{
    struct acl_mariadb *self = mariadb_of(acl);
    bool was_open = self->connection != NULL || self->attempt != NULL;
    uint64_t began = clock_monotonic_ms();
    struct watched_row watched = {run, false};
    struct acl_run watching = *run;
    if (run->row != NULL) {
        watching.row = watch_row;
        watching.context = &watched;
    }
    self->lost = false;
    enum acl_status status = run_once(self, &watching);
    /* Servers close idle connections (wait_timeout); noticing that at once is no failure worth a
     * 503. */
    if (status == ACL_UNAVAILABLE && self->lost && was_open && is_lookup(run->query) &&
        !watched.any && clock_monotonic_ms() - began < acl->options->limit_ms)
        status = run_once(self, &watching);
    run->matched = watching.matched;
    return status;
}

static enum acl_status run_script(struct acl *acl, const char *sql)
{
    struct acl_mariadb *self = mariadb_of(acl);
    enum acl_status status = connect_server(self);
    if (status != ACL_OK)
        return status;
    /* Off at all other times, so that nothing slipped into a statement could add another. */
    if (mysql_set_server_option(self->connection, MYSQL_OPTION_MULTI_STATEMENTS_ON) != 0)
        return fail_connection(self);
    int left = mysql_real_query(self->connection, sql, strlen(sql));
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
    return ACL_OK;
}

static void close_all(struct acl *acl)
{
    struct acl_mariadb *self = mariadb_of(acl);
    disconnect(self);
    mariadb_attempt_abandon(&self->attempt);
    for (size_t i = 0; i < ACL_COLUMNS_MAX; i++)
        bytes_free(&self->columns[i]);
    free(self);
}

static const struct acl_operations operations = {run_query, run_script, close_all};

struct acl *acl_mariadb_open(void)
{
    /* Else the first connection does it, and two threads may make theirs at once. */
    if (mysql_library_init(0, NULL, NULL) != 0)
        return NULL;
    struct acl_mariadb *self = calloc(1, sizeof *self);
    if (self == NULL)
        return NULL;
    self->base.operations = &operations;
    return &self->base;
}
