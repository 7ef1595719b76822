/* Lists of users as a registered topic's columns `pub` and `sub` hold them: a JSON array of user
 * ids and wildcards. */
#ifndef ESN_USER_LIST_H
#define ESN_USER_LIST_H

#include "bytes.h"
#include "user_id.h"

#include <stdbool.h>
#include <stddef.h>

struct user_list {
    struct bytes users; /* canonical ids, each followed by NUL, in the order of the text */
    size_t count;       /* of users */
    size_t ignored;     /* entries that are neither a user id nor a wildcard: they mean nobody */
    bool everyone;      /* has "*" */
    bool any_user;      /* has "+" */
    bool no_user;       /* has "[][][]" */
};

#define USER_LIST_EMPTY ((struct user_list){0})

enum user_list_result {
    USER_LIST_OK,
    USER_LIST_UNCHANGED, /* of an edit: nothing was to do; `out` holds the list as it was */
    USER_LIST_BAD,       /* the text is no JSON array */
    USER_LIST_NO_MEMORY
};

/* Reads a list; text of length 0 (or NULL) is an empty one. `list` is overwritten, whatever it held
 * is freed; on failure it is empty. The caller frees with user_list_free(). */
enum user_list_result user_list_read(struct user_list *list, const char *text, size_t length);
void user_list_free(struct user_list *list);

/* True when `user` is among the users (the wildcards are not looked at). */
bool user_list_has(const struct user_list *list, const char *user);

/* Append to `out` the JSON text of the list with, or without, an entry: a user id or a wildcard.
 * The other entries keep their places and their form. */
enum user_list_result user_list_add(struct bytes *out, const char *text, size_t length,
                                    const char *entry);
enum user_list_result user_list_remove(struct bytes *out, const char *text, size_t length,
                                       const char *entry);

#endif
