/* What sql.h takes and gives, and the databases fill. */
#ifndef ESN_SQL_TYPES_H
#define ESN_SQL_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sql_kind { SQL_SQLITE, SQL_MARIADB };

struct sql_options {
    enum sql_kind kind;
    unsigned
        limit_ms; /* for one statement; MariaDB's network waits are rounded up to whole seconds */
    /* SQLite */
    const char *path;
    bool create;    /* make the file when it is missing */
    bool read_only; /* change nothing in it, not even by closing it */
    /* MariaDB; NULL or 0: the client library's default */
    const char *host;   /* reached by TCP, whatever its name; NULL: a Unix socket */
    unsigned port;      /* of `host` */
    const char *socket; /* the Unix socket */
    const char *user;
    const char *password;
    const char *database;
    bool tls; /* required, and the server's certificate is checked against host and tls_ca */
    const char *tls_ca;   /* PEM file; NULL: the system's authorities */
    const char *tls_cert; /* PEM files of the client's own certificate and key, or NULL */
    const char *tls_key;
};

enum sql_status {
    SQL_OK,
    SQL_NOT_FOUND,
    SQL_EXISTS,      /* of adding: there is one of this name */
    SQL_CONFLICT,    /* of changing: somebody else changed the row in between */
    SQL_INVALID,     /* the values are refused; sql_error() says which */
    SQL_UNAVAILABLE, /* the database did not answer, or not usably; sql_error() says why */
    SQL_NO_MEMORY
};

struct sql_text {
    const char *text; /* ended by NUL as well; NULL: SQL's NULL, or "leave as it is" */
    size_t length;
};

enum { SQL_ERROR_SIZE = 512, SQL_COLUMNS_MAX = 8, SQL_VALUES_MAX = 8, SQL_STATEMENTS_MAX = 16 };

struct sql_statement {
    const char *text;
    bool repeatable; /* a lookup, which is asked once more when the server had closed the connection
                        while it was idle */
};

struct sql_run {
    unsigned statement; /* index into the list */
    const struct sql_text *values;
    size_t value_count;
    /* Called for each row, columns borrowed until it returns; false: enough. NULL for statements
     * without rows. */
    bool (*row)(const struct sql_text *columns, void *context);
    void *context;
    uint64_t matched; /* set: rows that a changing statement found */
};

struct sql;

#endif
