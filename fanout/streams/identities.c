#include "streams/identities.h"

#include "heap.h"
#include "saved_state.h"

#include <stdlib.h>
#include <string.h>

struct identity_name *identity_name_of(struct hash_node *node)
{
    return (struct identity_name *)(void *)((char *)node - offsetof(struct identity_name, by_text));
}

static uint64_t hash_of(const struct identities *identities, enum drop_kind kind, const char *text,
                        size_t length)
{
    return hash_bytes(identities->seed + (uint64_t)kind, text, length);
}

struct identity_name *identities_find(const struct identities *identities, enum drop_kind kind,
                                      const char *text, size_t length)
{
    struct hash_node *node =
        hash_table_find(&identities->by_text, hash_of(identities, kind, text, length));

    for (; node != NULL; node = hash_table_find_next(node)) {
        struct identity_name *name = identity_name_of(node);
        if (name->kind == kind && name->length == length && memcmp(name->text, text, length) == 0)
            return name;
    }
    return NULL;
}

static size_t size_of(const struct identity_name *name)
{
    return sizeof *name + name->length + 1;
}

static struct identity_name *name_new(struct identities *identities, enum drop_kind kind,
                                      const char *text, size_t length)
{
    struct identity_name *name = calloc(1, sizeof *name + length + 1);

    if (name == NULL)
        return NULL;
    name->kind = (uint8_t)kind;
    name->length = (uint32_t)length;
    memcpy(name->text, text, length);
    LIST_INIT(&name->members);
    if (!hash_table_add(&identities->by_text, &name->by_text,
                        hash_of(identities, kind, text, length))) {
        free(name);
        return NULL;
    }
    identities->bytes += size_of(name);
    return name;
}

static struct identity_name *use_name(struct identities *identities, enum drop_kind kind,
                                      const char *text)
{
    size_t length = strlen(text);
    struct identity_name *name = identities_find(identities, kind, text, length);

    if (name == NULL)
        name = name_new(identities, kind, text, length);
    if (name != NULL)
        name->uses++;
    return name;
}

static void leave_name(struct identities *identities, struct identity_name *name)
{
    if (name == NULL || --name->uses > 0)
        return;
    identities->bytes -= size_of(name);
    hash_table_remove(&identities->by_text, &name->by_text);
    free(name);
}

struct stream_identity *identities_new(struct identities *identities, const char *user,
                                       const char *session)
{
    bool has_session = session != NULL && *session != '\0';
    struct stream_identity *identity = calloc(1, sizeof *identity);

    if (identity == NULL)
        return NULL;
    identity->user = use_name(identities, DROP_USER, user);
    identity->session = has_session ? use_name(identities, DROP_SESSION, session) : NULL;
    if (identity->user == NULL || (has_session && identity->session == NULL)) {
        leave_name(identities, identity->user);
        leave_name(identities, identity->session);
        free(identity);
        return NULL;
    }
    identity->owner = identities;
    identity->until = UINT64_MAX;
    LIST_INSERT_HEAD(&identity->user->members, identity, by_user);
    if (has_session)
        LIST_INSERT_HEAD(&identity->session->members, identity, by_session);
    identities->bytes += sizeof *identity;
    return identity;
}

void stream_identity_free(struct stream_identity *identity)
{
    if (identity == NULL)
        return;
    struct identities *identities = identity->owner;
    LIST_REMOVE(identity, by_user);
    if (identity->session != NULL)
        LIST_REMOVE(identity, by_session);
    leave_name(identities, identity->user);
    leave_name(identities, identity->session);
    identities->bytes -= sizeof *identity;
    free(identity);
}

void identities_take(struct identity_name *name, struct identity_list *list)
{
    struct stream_identity *first = LIST_FIRST(&name->members);

    *list = name->members;
    LIST_INIT(&name->members);
    if (first != NULL && name->kind == DROP_USER)
        first->by_user.le_prev = &list->lh_first;
    else if (first != NULL)
        first->by_session.le_prev = &list->lh_first;
}

void identities_close(struct identities *identities)
{
    hash_table_free(&identities->by_text);
}

uint64_t identities_bytes(const struct identities *identities)
{
    return hash_table_bytes(&identities->by_text) +
           heap_taken_by_many(identities->by_text.count, identities->bytes);
}

void stream_identity_save(const struct stream_identity *identity, struct saved_writer *writer)
{
    saved_put(writer, identity != NULL);
    if (identity == NULL)
        return;
    saved_put_text(writer, identity->user->text);
    saved_put_text(writer, stream_identity_sid(identity));
    saved_put(writer, identity->until);
    saved_put(writer, identity->until_wall_ms);
    saved_put(writer, identity->withheld);
}

bool identities_load(struct identities *identities, struct saved_reader *reader,
                     struct stream_identity **identity)
{
    *identity = NULL;
    if (saved_take_within(reader, 1) == 0)
        return !reader->failed;
    const char *user = saved_take_text(reader, NULL), *session = saved_take_text(reader, NULL);
    uint64_t until = saved_take(reader), until_wall_ms = saved_take(reader);
    uint64_t withheld = saved_take(reader);
    if (!reader->failed)
        *identity = identities_new(identities, user, session);
    if (*identity == NULL)
        return false;
    (*identity)->until = until;
    (*identity)->until_wall_ms = until_wall_ms;
    (*identity)->withheld = withheld;
    return true;
}
