/* The log on disk while it is open: for the files that open it, read it when the daemon starts, and
 * write to it. */
#ifndef ESN_LOG_DATABASE_PARTS_H
#define ESN_LOG_DATABASE_PARTS_H

#include "log/log_database.h"
#include "log/log_files.h"
#include "log/log_rows.h"
#include "log/log_values.h"

#include <stdbool.h>
#include <stdint.h>

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

/* False when SQLite refuses; sqlite3_errmsg() has why. */
bool log_database_run(struct log_database *database, const char *sql);
/* False when the state is not what was once written; all 0 when none was. */
bool log_database_get_state(struct log_database *database, struct log_state *state);

#endif
