#include "sql/sql.h"

#include "sql/sql_backend.h"

struct sql *sql_open(const struct sql_options *options, const struct sql_statement *statements,
                     size_t count)
{
    if (count > SQL_STATEMENTS_MAX)
        return NULL;
    struct sql *sql = options->kind == SQL_SQLITE ? sql_sqlite_open() : sql_mariadb_open();
    if (sql == NULL)
        return NULL;
    sql->options = options;
    sql->statements = statements;
    sql->statement_count = count;
    return sql;
}

void sql_close(struct sql **sql)
{
    if (*sql != NULL)
        (*sql)->operations->close(*sql);
    *sql = NULL;
}

const char *sql_error(const struct sql *sql)
{
    return sql->error;
}

const char *sql_status_words(enum sql_status status)
{
    switch (status) {
    case SQL_OK:
        return "done";
    case SQL_NOT_FOUND:
        return "not found";
    case SQL_EXISTS:
        return "registered already";
    case SQL_CONFLICT:
        return "changed by somebody else meanwhile";
    case SQL_INVALID:
        return "invalid value";
    case SQL_UNAVAILABLE:
        return "database unavailable";
    case SQL_NO_MEMORY:
        break;
    }
    return "no memory";
}

enum sql_status sql_run(struct sql *sql, struct sql_run *run)
{
    sql->error[0] = '\0';
    return sql->operations->run(sql, run);
}

enum sql_status sql_run_script(struct sql *sql, const char *script)
{
    sql->error[0] = '\0';
    return sql->operations->run_script(sql, script);
}
