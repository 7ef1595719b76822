/* Between acl.c, which knows what to ask, and the databases, which know how. Not for anybody else.
 * A backend runs one of a fixed list of statements with text values and hands over rows of text. */
#ifndef ESN_ACL_BACKEND_H
#define ESN_ACL_BACKEND_H

#include "acl/acl_types.h"

enum acl_query {
    ACL_CHECK,
    ACL_EXAMINE,      /* -> a sentence for each fault of the tables */
    ACL_FIND_TOPIC,   /* topic -> the five columns */
    ACL_LIST_TOPICS,  /* -> the five columns */
    ACL_ADD_TOPIC,    /* topic, owner, pub, sub, pub_password */
    ACL_CHANGE_TOPIC, /* owner, pub, sub, pub_password, topic, pub before, sub before; NULL: any */
    ACL_REMOVE_TOPIC, /* topic */
    ACL_FIND_FOLLOWERS,  /* topic -> user */
    ACL_LIST_FOLLOWED,   /* user -> the five columns */
    ACL_ADD_FOLLOWER,    /* user, topic */
    ACL_REMOVE_FOLLOWER, /* topic, user */
    ACL_QUERY_COUNT
};

enum { ACL_COLUMNS_MAX = 5 };

struct acl_run {
    enum acl_query query;
    const struct acl_text *values;
    size_t value_count;
    /* Called for each row, columns borrowed until it returns; false: enough. NULL for statements
     * without rows. */
    bool (*row)(const struct acl_text *columns, void *context);
    void *context;
    uint64_t matched; /* set: rows that a changing statement found */
};

struct acl_operations {
    /* Connects when there is no connection. ACL_OK, ACL_EXISTS, ACL_INVALID, ACL_UNAVAILABLE or
     * ACL_NO_MEMORY; all but the first with words in acl->error. ACL_UNAVAILABLE leaves no
     * connection behind. */
    enum acl_status (*run)(struct acl *acl, struct acl_run *run);
    enum acl_status (*run_script)(struct acl *acl, const char *sql);
    void (*close)(struct acl *acl); /* frees all, `acl` itself included */
};

/* First member of each backend's own struct. */
struct acl {
    const struct acl_operations *operations;
    const struct acl_options *options;
    char error[ACL_ERROR_SIZE];
};

/* NULL without memory. */
struct acl *acl_sqlite_open(void);
struct acl *acl_mariadb_open(void);

#endif
