/* What acl.c asks, for each kind of database. Not for anybody else. */
#ifndef ESN_ACL_QUERIES_H
#define ESN_ACL_QUERIES_H

#include "sql/sql.h"

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

enum { ACL_COLUMNS = 5 };

extern const struct sql_statement acl_statements_sqlite[ACL_QUERY_COUNT];
extern const struct sql_statement acl_statements_mariadb[ACL_QUERY_COUNT];

#endif
