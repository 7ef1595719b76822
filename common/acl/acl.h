/* Registered topics: who owns one, who may publish and hear, who follows it. Read from SQLite or
 * MariaDB at every call: nothing is remembered, so a right that was taken away is gone. schema/ has
 * the tables, docs/rights.md their meaning.
 *
 * A database that does not answer is SQL_UNAVAILABLE, never "not found" and never a guess. The next
 * call connects anew, so the caller does nothing but say 503. A lookup on a connection that the
 * server had closed while it was idle is asked once more on a new one before that. One thread at a
 * time; open after fork(2). */
#ifndef ESN_ACL_H
#define ESN_ACL_H

#include "acl/acl_types.h"

/* Connects to nothing yet. The options and their texts are kept, not copied. NULL only without
 * memory or when the options cannot be used, with a sentence in error. */
struct acl *acl_open(const struct sql_options *options, char error[SQL_ERROR_SIZE]);
void acl_close(struct acl **acl);
/* What went wrong in the last call that was not SQL_OK: for the log, not for clients. */
const char *acl_error(const struct acl *acl);

/* ---- what publishing needs ---- */

/* Looks up exactly this topic. `row` is overwritten (start with ACL_TOPIC_EMPTY, use it again, free
 * it at the end). */
enum sql_status acl_find_topic(struct acl *acl, const char *topic, size_t length,
                               struct acl_topic *row);
void acl_topic_free(struct acl_topic *row);
/* Appends the topic's followers to `users`, each followed by NUL, in order. A topic that is not
 * registered has none. */
enum sql_status acl_find_followers(struct acl *acl, const char *topic, size_t length,
                                   struct bytes *users);

/* Calls visit(row, context) for each topic that the user follows, as acl_list_topics() does. */
enum sql_status acl_list_followed(struct acl *acl, const char *user,
                                  bool (*visit)(const struct acl_topic *row, void *context),
                                  void *context);

/* ---- what operators need ---- */

/* Asks the database for something small: is it there, and are the tables? */
enum sql_status acl_check(struct acl *acl);
/* Calls visit(sentence, context) for each thing about the tables that is not as it should be. */
enum sql_status acl_find_faults(struct acl *acl, void (*visit)(const char *sentence, void *context),
                                void *context);

/* Calls visit(row, context) for each topic, by its bytes; false from it ends the list. The row is
 * borrowed until it returns; it must not use `acl`. */
enum sql_status acl_list_topics(struct acl *acl,
                                bool (*visit)(const struct acl_topic *row, void *context),
                                void *context);

/* NULL: "" for owner and pub_password, "[]" for pub and sub. `pub` and `sub` are JSON arrays of
 * user ids and wildcards. Nothing is changed unless all values are right. */
struct acl_values {
    const char *owner;
    const char *pub;
    const char *sub;
    const char *pub_password; /* a hash as password_make() makes it */
};
enum sql_status acl_add_topic(struct acl *acl, const char *topic, const struct acl_values *values);
/* NULL: leave as it is. */
enum sql_status acl_change_topic(struct acl *acl, const char *topic,
                                 const struct acl_values *values);
/* Followers go with it. */
enum sql_status acl_remove_topic(struct acl *acl, const char *topic);

enum acl_list { ACL_PUB, ACL_SUB };
/* Put one user id or wildcard into a list, or take it out, without losing what others change
 * meanwhile. SQL_OK as well when nothing was to do. */
enum sql_status acl_grant(struct acl *acl, const char *topic, enum acl_list list,
                          const char *entry);
enum sql_status acl_revoke(struct acl *acl, const char *topic, enum acl_list list,
                           const char *entry);

/* SQL_OK as well when the user follows already. SQL_NOT_FOUND: no such topic. */
enum sql_status acl_follow(struct acl *acl, const char *topic, const char *user);
/* SQL_NOT_FOUND: no such topic, or the user did not follow it. */
enum sql_status acl_unfollow(struct acl *acl, const char *topic, const char *user);

/* Runs statements separated by ';' (schema, migration). What they select is thrown away. Stops at
 * the first failure; what came before it stays, unless the script has a transaction of its own. */
enum sql_status acl_run_script(struct acl *acl, const char *sql);

#endif
