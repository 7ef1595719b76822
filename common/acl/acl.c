#include "acl/acl.h"

#include "acl/acl_queries.h"
#include "topic.h"
#include "user_list.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TOPIC_MAX = 65535,         /* what the column `topic` holds in MariaDB */
    PASSWORD_COLUMN_MAX = 255, /* likewise, `pub_password` */
    EDIT_TRIES = 20
};

struct acl {
    struct sql *sql;
    char error[SQL_ERROR_SIZE];
};

struct acl *acl_open(const struct sql_options *options, char error[SQL_ERROR_SIZE])
{
    const char *missing = NULL;
    if (options->kind == SQL_SQLITE && options->path == NULL)
        missing = "no file is configured for the registered topics";
    if (options->kind == SQL_MARIADB && options->database == NULL)
        missing = "no database is configured for the registered topics";
    if (missing != NULL) {
        (void)snprintf(error, SQL_ERROR_SIZE, "%s", missing);
        return NULL;
    }
    struct acl *acl = calloc(1, sizeof *acl);
    if (acl != NULL)
        acl->sql = sql_open(
            options, options->kind == SQL_SQLITE ? acl_statements_sqlite : acl_statements_mariadb,
            ACL_QUERY_COUNT);
    if (acl == NULL || acl->sql == NULL) {
        (void)snprintf(error, SQL_ERROR_SIZE, "no memory");
        acl_close(&acl);
    }
    return acl;
}

void acl_close(struct acl **acl)
{
    if (*acl == NULL)
        return;
    sql_close(&(*acl)->sql);
    free(*acl);
    *acl = NULL;
}

const char *acl_error(const struct acl *acl)
{
    return acl->error;
}

static enum sql_status fail(struct acl *acl, enum sql_status status, const char *words)
{
    (void)snprintf(acl->error, sizeof acl->error, "%s", words);
    return status;
}

static enum sql_status keep_error(struct acl *acl, enum sql_status status)
{
    return fail(acl, status, sql_error(acl->sql));
}

static enum sql_status run(struct acl *acl, struct sql_run *call)
{
    return keep_error(acl, sql_run(acl->sql, call));
}

static struct sql_text text_of(const char *text)
{
    return (struct sql_text){text, text != NULL ? strlen(text) : 0};
}

/* ---- reading ---- */

void acl_topic_free(struct acl_topic *row)
{
    bytes_free(&row->storage);
    *row = ACL_TOPIC_EMPTY;
}

static void point_at(struct sql_text *out, const char *storage, const struct sql_text *column,
                     size_t *offset)
{
    *out = (struct sql_text){NULL, 0};
    if (column->text == NULL)
        return;
    *out = (struct sql_text){storage + *offset, column->length};
    *offset += column->length + 1;
}

static bool keep_row(const struct sql_text *columns, void *context)
{
    struct acl_topic *row = context;
    bytes_clear(&row->storage);
    for (size_t i = 0; i < ACL_COLUMNS; i++) {
        if (columns[i].text == NULL)
            continue;
        bytes_append(&row->storage, columns[i].text, columns[i].length);
        bytes_append(&row->storage, "", 1);
    }
    if (row->storage.failed)
        return false;
    struct sql_text *const out[ACL_COLUMNS] = {&row->topic, &row->owner, &row->pub, &row->sub,
                                               &row->pub_password};
    size_t offset = 0;
    for (size_t i = 0; i < ACL_COLUMNS; i++)
        point_at(out[i], row->storage.data, &columns[i], &offset);
    return true;
}

static void forget_row(struct acl_topic *row)
{
    struct bytes storage = row->storage;
    bytes_clear(&storage);
    *row = (struct acl_topic){.storage = storage};
}

enum sql_status acl_find_topic(struct acl *acl, const char *topic, size_t length,
                               struct acl_topic *row)
{
    forget_row(row);
    if (topic_fault(topic, length, TOPIC_MAX, SIZE_MAX) != NULL)
        return SQL_NOT_FOUND;
    const struct sql_text values[] = {{topic, length}};
    struct sql_run call = {ACL_FIND_TOPIC, values, 1, keep_row, row, 0};
    enum sql_status status = run(acl, &call);
    if (status == SQL_OK && row->storage.failed)
        status = fail(acl, SQL_NO_MEMORY, "no memory");
    if (status != SQL_OK)
        forget_row(row);
    else if (row->topic.text == NULL)
        status = SQL_NOT_FOUND;
    return status;
}

static bool keep_follower(const struct sql_text *columns, void *context)
{
    struct bytes *users = context;
    /* A NUL inside would make two users of one. */
    if (columns[0].text == NULL || memchr(columns[0].text, '\0', columns[0].length) != NULL)
        return true;
    bytes_append(users, columns[0].text, columns[0].length);
    bytes_append(users, "", 1);
    return !users->failed;
}

enum sql_status acl_find_followers(struct acl *acl, const char *topic, size_t length,
                                   struct bytes *users)
{
    if (topic_fault(topic, length, TOPIC_MAX, SIZE_MAX) != NULL)
        return SQL_OK;
    const struct sql_text values[] = {{topic, length}};
    struct sql_run call = {ACL_FIND_FOLLOWERS, values, 1, keep_follower, users, 0};
    enum sql_status status = run(acl, &call);
    if (status == SQL_OK && users->failed)
        return fail(acl, SQL_NO_MEMORY, "no memory");
    return status;
}

enum sql_status acl_check(struct acl *acl)
{
    struct sql_run call = {ACL_CHECK, NULL, 0, NULL, NULL, 0};
    return run(acl, &call);
}

struct faults {
    void (*visit)(const char *sentence, void *context);
    void *context;
};

static bool visit_fault(const struct sql_text *columns, void *context)
{
    const struct faults *to = context;
    if (columns[0].text != NULL)
        to->visit(columns[0].text, to->context);
    return true;
}

enum sql_status acl_find_faults(struct acl *acl, void (*visit)(const char *sentence, void *context),
                                void *context)
{
    struct faults to = {visit, context};
    struct sql_run call = {ACL_EXAMINE, NULL, 0, visit_fault, &to, 0};
    return run(acl, &call);
}

struct visit {
    bool (*visit)(const struct acl_topic *row, void *context);
    void *context;
};

static bool visit_row(const struct sql_text *columns, void *context)
{
    const struct visit *to = context;
    const struct acl_topic row = {columns[0], columns[1], columns[2],
                                  columns[3], columns[4], BYTES_EMPTY};
    return to->visit(&row, to->context);
}

enum sql_status acl_list_topics(struct acl *acl,
                                bool (*visit)(const struct acl_topic *row, void *context),
                                void *context)
{
    struct visit to = {visit, context};
    struct sql_run call = {ACL_LIST_TOPICS, NULL, 0, visit_row, &to, 0};
    return run(acl, &call);
}

enum sql_status acl_list_followed(struct acl *acl, const char *user,
                                  bool (*visit)(const struct acl_topic *row, void *context),
                                  void *context)
{
    struct visit to = {visit, context};
    const struct sql_text values[] = {text_of(user)};
    struct sql_run call = {ACL_LIST_FOLLOWED, values, 1, visit_row, &to, 0};
    return run(acl, &call);
}

/* ---- changing ---- */

static enum sql_status check_topic(struct acl *acl, const char *topic)
{
    size_t length = strlen(topic);
    const char *fault = topic_fault(topic, length, TOPIC_MAX, SIZE_MAX);
    if (fault == NULL && topic_is_reserved(topic, length))
        fault = "the topic is reserved";
    return fault == NULL ? SQL_OK : fail(acl, SQL_INVALID, fault);
}

static enum sql_status check_list(struct acl *acl, const char *text, const char *fault)
{
    if (text == NULL)
        return SQL_OK;
    struct user_list list = USER_LIST_EMPTY;
    enum user_list_result result = user_list_read(&list, text, strlen(text));
    bool right = result == USER_LIST_OK && list.ignored == 0 && text[0] != '\0';
    user_list_free(&list);
    if (result == USER_LIST_NO_MEMORY)
        return fail(acl, SQL_NO_MEMORY, "no memory");
    return right ? SQL_OK : fail(acl, SQL_INVALID, fault);
}

static enum sql_status check_user(struct acl *acl, const char *user, const char *fault)
{
    bool right = user_id_kind(user, strlen(user)) == USER_ID_USER;
    return right ? SQL_OK : fail(acl, SQL_INVALID, fault);
}

static enum sql_status check_values(struct acl *acl, const char *topic,
                                    const struct acl_values *values)
{
    enum sql_status status = check_topic(acl, topic);
    if (status == SQL_OK && values->owner != NULL && values->owner[0] != '\0')
        status = check_user(acl, values->owner, "the owner is not a user id");
    if (status == SQL_OK)
        status = check_list(acl, values->pub, "pub is not a JSON array of user ids and wildcards");
    if (status == SQL_OK)
        status = check_list(acl, values->sub, "sub is not a JSON array of user ids and wildcards");
    if (status == SQL_OK && values->pub_password != NULL &&
        strlen(values->pub_password) > PASSWORD_COLUMN_MAX)
        status = fail(acl, SQL_INVALID, "the password's hash is too long");
    return status;
}

enum sql_status acl_add_topic(struct acl *acl, const char *topic, const struct acl_values *values)
{
    enum sql_status status = check_values(acl, topic, values);
    if (status != SQL_OK)
        return status;
    const struct sql_text texts[] = {
        text_of(topic), text_of(values->owner != NULL ? values->owner : ""),
        text_of(values->pub != NULL ? values->pub : "[]"),
        text_of(values->sub != NULL ? values->sub : "[]"),
        text_of(values->pub_password != NULL ? values->pub_password : "")};
    struct sql_run call = {ACL_ADD_TOPIC, texts, 5, NULL, NULL, 0};
    return run(acl, &call);
}

/* With pub and sub as they must have been, or NULL for any. */
static enum sql_status change(struct acl *acl, const char *topic, const struct acl_values *values,
                              struct sql_text pub_before, struct sql_text sub_before)
{
    const struct sql_text texts[] = {text_of(values->owner),
                                     text_of(values->pub),
                                     text_of(values->sub),
                                     text_of(values->pub_password),
                                     text_of(topic),
                                     pub_before,
                                     sub_before};
    struct sql_run call = {ACL_CHANGE_TOPIC, texts, 7, NULL, NULL, 0};
    enum sql_status status = run(acl, &call);
    if (status != SQL_OK || call.matched > 0)
        return status;
    return fail(acl, SQL_CONFLICT, "no row is as it was");
}

enum sql_status acl_change_topic(struct acl *acl, const char *topic,
                                 const struct acl_values *values)
{
    enum sql_status status = check_values(acl, topic, values);
    if (status != SQL_OK)
        return status;
    const struct sql_text any = {NULL, 0};
    status = change(acl, topic, values, any, any);
    return status == SQL_CONFLICT ? SQL_NOT_FOUND : status;
}

static enum sql_status run_and_match(struct acl *acl, enum acl_query query,
                                     const struct sql_text *values, size_t count)
{
    struct sql_run call = {query, values, count, NULL, NULL, 0};
    enum sql_status status = run(acl, &call);
    return status == SQL_OK && call.matched == 0 ? SQL_NOT_FOUND : status;
}

enum sql_status acl_remove_topic(struct acl *acl, const char *topic)
{
    const struct sql_text values[] = {text_of(topic)};
    return run_and_match(acl, ACL_REMOVE_TOPIC, values, 1);
}

typedef enum user_list_result edit_function(struct bytes *out, const char *text, size_t length,
                                            const char *entry);

/* One try: reads the row, edits the list, writes it if it is still what was read. */
static enum sql_status edit_once(struct acl *acl, struct acl_topic *row, const char *topic,
                                 enum acl_list list, edit_function *edit, const char *entry)
{
    enum sql_status status = acl_find_topic(acl, topic, strlen(topic), row);
    if (status != SQL_OK)
        return status;
    struct bytes text = BYTES_EMPTY;
    const struct sql_text *before = list == ACL_PUB ? &row->pub : &row->sub;
    enum user_list_result result = edit(&text, before->text, before->length, entry);
    struct acl_values values = {0};
    struct sql_text pub_before = {NULL, 0}, sub_before = {NULL, 0};
    *(list == ACL_PUB ? &pub_before : &sub_before) = *before;
    if (result == USER_LIST_OK)
        *(list == ACL_PUB ? &values.pub : &values.sub) = bytes_terminate(&text);
    if (result == USER_LIST_NO_MEMORY || text.failed)
        status = fail(acl, SQL_NO_MEMORY, "no memory");
    else if (result == USER_LIST_BAD)
        status = fail(acl, SQL_INVALID, "the list in the database is no JSON array");
    else if (result == USER_LIST_OK)
        status = change(acl, topic, &values, pub_before, sub_before);
    bytes_free(&text);
    return status;
}

static enum sql_status edit_list(struct acl *acl, const char *topic, enum acl_list list,
                                 edit_function *edit, const char *entry)
{
    bool wildcard = strcmp(entry, USER_ID_EVERYONE) == 0 || strcmp(entry, USER_ID_ANY_USER) == 0;
    if (!wildcard && user_id_kind(entry, strlen(entry)) == USER_ID_INVALID)
        return fail(acl, SQL_INVALID, "neither a user id nor a wildcard");
    struct acl_topic row = ACL_TOPIC_EMPTY;
    enum sql_status status = SQL_CONFLICT;
    for (int i = 0; i < EDIT_TRIES && status == SQL_CONFLICT; i++)
        status = edit_once(acl, &row, topic, list, edit, entry);
    acl_topic_free(&row);
    return status;
}

enum sql_status acl_grant(struct acl *acl, const char *topic, enum acl_list list, const char *entry)
{
    return edit_list(acl, topic, list, user_list_add, entry);
}

enum sql_status acl_revoke(struct acl *acl, const char *topic, enum acl_list list,
                           const char *entry)
{
    return edit_list(acl, topic, list, user_list_remove, entry);
}

enum sql_status acl_follow(struct acl *acl, const char *topic, const char *user)
{
    enum sql_status status = check_user(acl, user, "the follower is not a user id");
    if (status != SQL_OK)
        return status;
    const struct sql_text values[] = {text_of(user), text_of(topic)};
    return run_and_match(acl, ACL_ADD_FOLLOWER, values, 2);
}

enum sql_status acl_unfollow(struct acl *acl, const char *topic, const char *user)
{
    const struct sql_text values[] = {text_of(topic), text_of(user)};
    return run_and_match(acl, ACL_REMOVE_FOLLOWER, values, 2);
}

enum sql_status acl_run_script(struct acl *acl, const char *sql)
{
    acl->error[0] = '\0';
    return keep_error(acl, sql_run_script(acl->sql, sql));
}
