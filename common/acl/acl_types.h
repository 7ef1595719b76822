/* What acl.h hands out: rows. */
#ifndef ESN_ACL_TYPES_H
#define ESN_ACL_TYPES_H

#include "bytes.h"
#include "sql/sql.h"

struct acl_topic {
    struct sql_text topic, owner, pub, sub, pub_password;
    struct bytes storage; /* owns the texts */
};

#define ACL_TOPIC_EMPTY ((struct acl_topic){0})

struct acl;

#endif
