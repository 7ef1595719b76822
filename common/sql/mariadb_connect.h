/* A connection to MariaDB within a time limit, also when the name of the server is not to be had: a
 * name server that is silent holds up whoever asks it for 10 s and longer, and the client library
 * asks without a limit. Names are therefore looked up, and their servers connected, by a thread
 * that is waited for no longer than that. */
#ifndef ESN_MARIADB_CONNECT_H
#define ESN_MARIADB_CONNECT_H

#include "sql/sql_types.h"

#include <mysql.h>

/* Of all that is said and heard, whatever the tables are in. */
#define MARIADB_CHARACTER_SET "utf8mb4"

/* One that may take longer than its limit. */
struct mariadb_attempt;

/* Connects, or goes on waiting for the attempt that took too long the last time (*attempt, NULL at
 * first), so that there is never more than one for each user of this. NULL: no connection, with the
 * library's code and words for it. */
MYSQL *mariadb_attempt_connect(struct mariadb_attempt **attempt, const struct sql_options *options,
                               unsigned *code, char words[SQL_ERROR_SIZE]);
/* Waits for nothing: the thread ends by itself, and so does its connection. */
void mariadb_attempt_abandon(struct mariadb_attempt **attempt);

#endif
