#include "rights.h"

#include "envelope.h"
#include "user_list.h"
#include "user_set.h"

#include <string.h>

static enum rights_result read_list(struct user_list *list, const struct sql_text *column)
{
    switch (user_list_read(list, column->text, column->length)) {
    case USER_LIST_OK:
    case USER_LIST_UNCHANGED:
        return RIGHTS_GRANTED;
    case USER_LIST_NO_MEMORY:
        return RIGHTS_NO_MEMORY;
    case USER_LIST_BAD:
        break;
    }
    return RIGHTS_DAMAGED;
}

/* NULL when the topic has no owner: an owner that is nobody's name owns nothing. */
static const char *owner_of(const struct acl_topic *row)
{
    bool named =
        row->owner.text != NULL && user_id_kind(row->owner.text, row->owner.length) == USER_ID_USER;
    return named ? row->owner.text : NULL;
}

static bool is_session_without_user(const char *user)
{
    return strcmp(user, USER_ID_NO_USER) == 0;
}

static bool list_grants(const struct user_list *list, const char *user)
{
    if (list->everyone)
        return true;
    if (is_session_without_user(user))
        return list->no_user;
    return list->any_user || user_list_has(list, user);
}

enum rights_result rights_check_publisher(const struct acl_topic *row, const char *publisher,
                                          size_t *ignored)
{
    if (ignored != NULL)
        *ignored = 0;
    if (publisher == NULL)
        return RIGHTS_UNBOUND;
    struct user_list pub = USER_LIST_EMPTY;
    enum rights_result result = read_list(&pub, &row->pub);
    if (result != RIGHTS_GRANTED)
        return result;
    if (ignored != NULL)
        *ignored = pub.ignored;
    const char *owner = owner_of(row);
    bool granted = (owner != NULL && strcmp(publisher, owner) == 0) || list_grants(&pub, publisher);
    user_list_free(&pub);
    return granted ? RIGHTS_GRANTED : RIGHTS_FORBIDDEN;
}

static void allow(struct bytes *allowed, const char *user)
{
    bytes_append(allowed, user, strlen(user) + 1);
}

enum rights_result rights_find_receivers(const struct acl_topic *row, uint16_t *flags,
                                         struct bytes *allowed)
{
    struct user_list sub = USER_LIST_EMPTY;
    *flags = ENVELOPE_BOUND;
    bytes_clear(allowed);
    enum rights_result result = read_list(&sub, &row->sub);
    if (result != RIGHTS_GRANTED)
        return result;
    if (sub.everyone) {
        *flags |= ENVELOPE_EVERYONE;
    } else {
        const char *owner = owner_of(row);
        if (sub.any_user)
            *flags |= ENVELOPE_ALL_USERS;
        else
            bytes_append(allowed, sub.users.data, sub.users.length);
        if (owner != NULL && !sub.any_user && !user_list_has(&sub, owner))
            allow(allowed, owner);
        if (sub.no_user)
            allow(allowed, USER_ID_NO_USER);
    }
    user_list_free(&sub);
    return allowed->failed ? RIGHTS_NO_MEMORY : RIGHTS_GRANTED;
}

/* A follower without the right hears nothing: following is a wish, `sub` is the permission. */
static bool keep_followers(const struct bytes *followers, const struct user_list *sub,
                           const char *owner, struct bytes *allowed)
{
    struct user_set permitted;
    bool all = sub->everyone || sub->any_user;
    if (!user_set_fill(&permitted, sub->users.data, sub->users.length))
        return false;
    size_t length;
    for (size_t i = 0; i < followers->length; i += length + 1) {
        const char *at = followers->data + i;
        length = strlen(at);
        if (user_id_kind(at, length) != USER_ID_USER)
            continue;
        if (all || (owner != NULL && strcmp(at, owner) == 0) || user_set_has(&permitted, at))
            allow(allowed, at);
    }
    user_set_free(&permitted);
    return !allowed->failed;
}

enum rights_result rights_find_inboxes(const struct acl_topic *row, const struct bytes *followers,
                                       uint16_t *flags, struct bytes *allowed)
{
    struct user_list sub = USER_LIST_EMPTY;
    *flags = ENVELOPE_BOUND | ENVELOPE_TARGETED;
    bytes_clear(allowed);
    enum rights_result result = read_list(&sub, &row->sub);
    if (result != RIGHTS_GRANTED)
        return result;
    bool kept = keep_followers(followers, &sub, owner_of(row), allowed);
    user_list_free(&sub);
    return kept ? RIGHTS_GRANTED : RIGHTS_NO_MEMORY;
}

bool rights_may_hear(uint16_t flags, const char *allowed, size_t allowed_length, const char *user)
{
    if ((flags & ENVELOPE_BOUND) == 0)
        return user == NULL;
    if ((flags & ENVELOPE_EVERYONE) != 0)
        return true;
    if (user == NULL)
        return false;
    if ((flags & ENVELOPE_ALL_USERS) != 0 && !is_session_without_user(user))
        return true;
    size_t length = strlen(user) + 1;
    for (size_t i = 0; i < allowed_length; i += strnlen(allowed + i, allowed_length - i) + 1)
        if (allowed_length - i >= length && memcmp(allowed + i, user, length) == 0)
            return true;
    return false;
}
