/* What acl.h hands out and the databases fill: options, status, rows. */
#ifndef ESN_ACL_TYPES_H
#define ESN_ACL_TYPES_H

#include "bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum acl_kind { ACL_SQLITE, ACL_MARIADB };

struct acl_options {
    enum acl_kind kind;
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

enum acl_status {
    ACL_OK,
    ACL_NOT_FOUND,
    ACL_EXISTS,      /* of adding: the topic is registered already */
    ACL_CONFLICT,    /* of changing: somebody else changed the row in between */
    ACL_INVALID,     /* the values are refused; acl_error() says which */
    ACL_UNAVAILABLE, /* the database did not answer, or not usably; acl_error() says why */
    ACL_NO_MEMORY
};

struct acl_text {
    const char *text; /* ended by NUL as well; NULL: SQL's NULL, or "leave as it is" */
    size_t length;
};

struct acl_topic {
    struct acl_text topic, owner, pub, sub, pub_password;
    struct bytes storage; /* owns the texts */
};

#define ACL_TOPIC_EMPTY ((struct acl_topic){0})

struct acl;

enum { ACL_ERROR_SIZE = 512 };

#endif
