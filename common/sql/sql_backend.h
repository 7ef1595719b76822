/* Between sql.c and the two databases. Not for anybody else. */
#ifndef ESN_SQL_BACKEND_H
#define ESN_SQL_BACKEND_H

#include "sql/sql_types.h"

struct sql_operations {
    /* Connects when there is no connection; what is not SQL_OK has words in sql->error. */
    enum sql_status (*run)(struct sql *sql, struct sql_run *run);
    enum sql_status (*run_script)(struct sql *sql, const char *script);
    void (*close)(struct sql *sql); /* frees all, `sql` itself included */
};

/* First member of each backend's own struct. */
struct sql {
    const struct sql_operations *operations;
    const struct sql_options *options;
    const struct sql_statement *statements;
    size_t statement_count;
    char error[SQL_ERROR_SIZE];
};

/* NULL without memory. */
struct sql *sql_sqlite_open(void);
struct sql *sql_mariadb_open(void);

#endif
