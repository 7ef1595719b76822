/* A connection to SQLite or MariaDB that runs one of a fixed list of statements, with text values,
 * and hands over rows of text. Who asks brings the list, once for each kind of database.
 *
 * A database that does not answer is SQL_UNAVAILABLE, and leaves no connection behind: the next call
 * connects anew. One thread at a time; open after fork(2). */
#ifndef ESN_SQL_H
#define ESN_SQL_H

#include "sql/sql_types.h"

/* Connects to nothing yet. Options and statements (at most SQL_STATEMENTS_MAX) are kept, not copied.
 * NULL without memory. */
struct sql *sql_open(const struct sql_options *options, const struct sql_statement *statements,
                     size_t count);
void sql_close(struct sql **sql);
/* What went wrong in the last call that was not SQL_OK: for the log, not for clients. */
const char *sql_error(const struct sql *sql);
/* "database unavailable" and the like: short words for clients. */
const char *sql_status_words(enum sql_status status);

/* SQL_OK, SQL_EXISTS, SQL_INVALID, SQL_UNAVAILABLE or SQL_NO_MEMORY. */
enum sql_status sql_run(struct sql *sql, struct sql_run *run);
/* Runs statements separated by ';' (schema, migration). What they select is thrown away. Stops at
 * the first failure; what came before it stays, unless the script has a transaction of its own. */
enum sql_status sql_run_script(struct sql *sql, const char *script);

#endif
