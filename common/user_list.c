#include "user_list.h"

#include "blank.h"
#include "json_text.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { DEEPEST = 32 };

void user_list_free(struct user_list *list)
{
    bytes_free(&list->users);
    *list = USER_LIST_EMPTY;
}

/* An empty column is an empty list; NULL when the text is no array (or there is no memory for it).
 */
static json_t *load_array(const char *text, size_t length)
{
    if (text == NULL || length == 0)
        return json_array();
    json_t *root = json_loadb(text, length, JSON_ALLOW_NUL, NULL);
    if (json_is_array(root))
        return root;
    json_decref(root);
    return NULL;
}

static bool entry_is(const json_t *entry, const char *word)
{
    return json_is_string(entry) && json_string_length(entry) == strlen(word) &&
           memcmp(json_string_value(entry), word, strlen(word)) == 0;
}

static void take_value(struct user_list *list, const json_t *entry)
{
    char user[USER_ID_SIZE];
    switch (user_id_from_json(user, entry)) {
    case USER_ID_USER:
        bytes_append(&list->users, user, strlen(user) + 1);
        list->count++;
        break;
    case USER_ID_SESSION:
        list->no_user = true;
        break;
    case USER_ID_INVALID:
        if (entry_is(entry, USER_ID_EVERYONE))
            list->everyone = true;
        else if (entry_is(entry, USER_ID_ANY_USER))
            list->any_user = true;
        else
            list->ignored++;
        break;
    }
}

/* A list may have ten thousand users: those that are plain texts, nearly always all, are taken as
 * they stand. */
static void take_entry(struct user_list *list, const char *text, size_t length)
{
    bool plain = text[0] == '"' && memchr(text, '\\', length) == NULL;
    if (plain && user_id_kind(text + 1, length - 2) == USER_ID_USER) {
        bytes_append(&list->users, text + 1, length - 2);
        bytes_append(&list->users, "", 1);
        list->count++;
        return;
    }
    json_t *entry = json_loadb(text, length, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    take_value(list, entry);
    json_decref(entry);
}

/* Behind a string of a checked text. */
static const char *skip_string(const char *at)
{
    for (at++; *at != '"'; at++)
        if (*at == '\\')
            at++;
    return at + 1;
}

/* Behind a value of an array of a checked text: at the comma or bracket that follows. */
static const char *skip_value(const char *at)
{
    for (size_t depth = 0; depth > 0 || (*at != ',' && *at != ']');) {
        if (*at == '"') {
            at = skip_string(at);
            continue;
        }
        depth += *at == '[' || *at == '{';
        depth -= *at == ']' || *at == '}';
        at++;
    }
    return at;
}

static void take_entries(struct user_list *list, const char *at)
{
    while (is_blank(*at))
        at++;
    for (at++; *at != ']'; at += *at == ',') {
        while (is_blank(*at))
            at++;
        const char *stop = skip_value(at), *end = stop;
        while (end > at && is_blank(end[-1]))
            end--;
        if (end > at)
            take_entry(list, at, (size_t)(end - at));
        at = stop;
    }
}

enum user_list_result user_list_read(struct user_list *list, const char *text, size_t length)
{
    const struct json_span span = {text, length};
    user_list_free(list);
    if (text == NULL || length == 0)
        return USER_LIST_OK;
    if (!json_text_check(text, length, DEEPEST, NULL) || json_text_kind(span) != '[')
        return USER_LIST_BAD;
    take_entries(list, text);
    if (!list->users.failed)
        return USER_LIST_OK;
    user_list_free(list);
    return USER_LIST_NO_MEMORY;
}

bool user_list_has(const struct user_list *list, const char *user)
{
    size_t length = strlen(user) + 1;
    size_t step;
    for (size_t i = 0; i < list->users.length; i += step) {
        const char *at = list->users.data + i;
        step = strlen(at) + 1;
        if (step == length && memcmp(at, user, length) == 0)
            return true;
    }
    return false;
}

/* The same user in whichever form, or the same wildcard. */
static bool entry_means(const json_t *entry, const char *wanted)
{
    char user[USER_ID_SIZE];
    if (user_id_from_json(user, entry) != USER_ID_INVALID)
        return strcmp(user, wanted) == 0;
    return entry_is(entry, wanted);
}

static enum user_list_result write_array(struct bytes *out, json_t *root, bool changed)
{
    char *text = json_dumps(root, JSON_COMPACT);
    if (text == NULL)
        return USER_LIST_NO_MEMORY;
    bytes_append_text(out, text);
    free(text);
    if (out->failed)
        return USER_LIST_NO_MEMORY;
    return changed ? USER_LIST_OK : USER_LIST_UNCHANGED;
}

enum user_list_result user_list_add(struct bytes *out, const char *text, size_t length,
                                    const char *entry)
{
    json_t *root = load_array(text, length);
    if (root == NULL)
        return USER_LIST_BAD;
    bool there = false;
    for (size_t i = 0; i < json_array_size(root) && !there; i++)
        there = entry_means(json_array_get(root, i), entry);
    enum user_list_result result = USER_LIST_NO_MEMORY;
    if (there || json_array_append_new(root, json_string(entry)) == 0)
        result = write_array(out, root, !there);
    json_decref(root);
    return result;
}

enum user_list_result user_list_remove(struct bytes *out, const char *text, size_t length,
                                       const char *entry)
{
    json_t *root = load_array(text, length);
    if (root == NULL)
        return USER_LIST_BAD;
    bool changed = false;
    enum user_list_result result = USER_LIST_OK;
    for (size_t i = json_array_size(root); i-- > 0 && result == USER_LIST_OK;) {
        if (!entry_means(json_array_get(root, i), entry))
            continue;
        changed = true;
        if (json_array_remove(root, i) != 0)
            result = USER_LIST_NO_MEMORY;
    }
    if (result == USER_LIST_OK)
        result = write_array(out, root, changed);
    json_decref(root);
    return result;
}
