/* Lists of users, against what a tree of the same JSON says. */
#include "user_list.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_against_tree(const struct user_list *list, const json_t *root)
{
    size_t users = 0, index;
    json_t *entry;
    json_array_foreach(root, index, entry)
    {
        char user[USER_ID_SIZE];
        enum user_id_kind kind = user_id_from_json(user, entry);
        users += kind == USER_ID_USER;
        if (kind == USER_ID_USER && !user_list_has(list, user))
            abort();
        if (kind == USER_ID_SESSION && !list->no_user)
            abort();
    }
    if (users != list->count || list->count + list->ignored > json_array_size(root))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct user_list list = USER_LIST_EMPTY;
    struct bytes out = BYTES_EMPTY;
    enum user_list_result result = user_list_read(&list, text, size);
    json_t *root = json_loadb(text, size, JSON_ALLOW_NUL, NULL);
    if (result == USER_LIST_OK && size > 0 && json_is_array(root))
        check_against_tree(&list, root);
    if (user_list_add(&out, text, size, "ana") == USER_LIST_OK) {
        bytes_clear(&out);
        (void)user_list_remove(&out, text, size, "ana");
    }
    json_decref(root);
    bytes_free(&out);
    user_list_free(&list);
    return 0;
}
