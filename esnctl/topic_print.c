#include "topic_print.h"

#include "commands.h"
#include "table.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* A list that is damaged is shown as the text that it is. */
static json_t *list_of(const struct sql_text *text)
{
    json_t *list =
        json_loadb(text->text != NULL ? text->text : "", text->length, JSON_DECODE_ANY, NULL);
    return list != NULL ? list : json_stringn(text->text != NULL ? text->text : "", text->length);
}

static json_t *text_of(const struct sql_text *text)
{
    return json_stringn(text->text != NULL ? text->text : "", text->length);
}

/* NULL without memory or when the row is not UTF-8. */
static json_t *object_of(const struct acl_topic *row)
{
    return json_pack("{so so so so sb}", "topic", text_of(&row->topic), "owner",
                     text_of(&row->owner), "pub", list_of(&row->pub), "sub", list_of(&row->sub),
                     "password", row->pub_password.length > 0);
}

/* Lists as one line each. */
static void print_table(json_t *object)
{
    static const char *const lists[] = {"pub", "sub", "followers"};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        json_t *list = json_object_get(object, lists[i]);
        char *line = json_is_array(list) ? json_dumps(list, 0) : NULL;
        if (line != NULL)
            (void)json_object_set_new(object, lists[i], json_string(line));
        free(line);
    }
    table_print(object);
}

static int print_json(const json_t *tree)
{
    bool written = json_dumpf(tree, stdout, JSON_INDENT(2)) == 0 && putchar('\n') != EOF;
    return written ? COMMAND_GOOD : command_fail("standard output cannot be written");
}

/* ---- one ---- */

static int add_followers(struct database *database, const char *topic, json_t *object)
{
    struct bytes users = BYTES_EMPTY;
    json_t *list = json_array();
    enum sql_status status = acl_find_followers(database->acl, topic, strlen(topic), &users);
    for (size_t i = 0; status == SQL_OK && i < users.length; i += strlen(users.data + i) + 1)
        (void)json_array_append_new(list, json_string(users.data + i));
    bytes_free(&users);
    if (json_object_set_new(object, "followers", list) != 0)
        return command_fail("out of memory");
    return database_tell(database, status, topic);
}

int topic_print_one(struct database *database, const char *topic, bool json)
{
    struct acl_topic row = ACL_TOPIC_EMPTY;
    enum sql_status found = acl_find_topic(database->acl, topic, strlen(topic), &row);
    json_t *object = found == SQL_OK ? object_of(&row) : NULL;
    int status = database_tell(database, found, topic);
    if (status == COMMAND_GOOD && object == NULL)
        status = command_fail("%s: its row is not UTF-8", topic);
    if (status == COMMAND_GOOD)
        status = add_followers(database, topic, object);
    if (status == COMMAND_GOOD && json)
        status = print_json(object);
    else if (status == COMMAND_GOOD)
        print_table(object);
    json_decref(object);
    acl_topic_free(&row);
    return status;
}

/* ---- all ---- */

static bool collect(const struct acl_topic *row, void *context)
{
    json_t *all = context;
    return json_array_append_new(all, object_of(row)) == 0;
}

int topic_print_all(struct database *database, bool json)
{
    json_t *all = json_array();
    int status = database_tell(database, acl_list_topics(database->acl, collect, all), "topics");
    if (status == COMMAND_GOOD && json) {
        status = print_json(all);
    } else if (status == COMMAND_GOOD) {
        size_t index;
        json_t *object;
        json_array_foreach(all, index, object)
        {
            if (index > 0)
                (void)putchar('\n');
            print_table(object);
        }
    }
    json_decref(all);
    return status;
}
