#include "streams/presence_own.h"

#include "big_endian.h"
#include "heap.h"
#include "saved_state.h"

#include <stdlib.h>

/* ---- client ids ---- */

static struct own_clid *clid_of_node(struct hash_node *node)
{
    return (struct own_clid *)(void *)((char *)node - offsetof(struct own_clid, by_clid));
}

static struct own_clid *find_clid(const struct presence_own *own, const char *clid, size_t length,
                                  uint64_t hash)
{
    struct hash_node *node = hash_table_find(&own->by_clid, hash);

    for (; node != NULL; node = hash_table_find_next(node)) {
        struct own_clid *found = clid_of_node(node);
        if (found->length == length && memcmp(found->clid, clid, length) == 0)
            return found;
    }
    return NULL;
}

static struct own_clid *add_clid(struct presence_own *own, const char *clid, size_t length,
                                 uint64_t hash)
{
    struct own_clid *added = calloc(1, sizeof *added + length);

    if (added == NULL)
        return NULL;
    added->length = (uint32_t)length;
    memcpy(added->clid, clid, length);
    if (!hash_table_add(&own->by_clid, &added->by_clid, hash)) {
        free(added);
        return NULL;
    }
    own->bytes += sizeof *added + length;
    return added;
}

static void note_change(struct presence_own *own, struct own_clid *clid)
{
    if (!clid->has_changed)
        TAILQ_INSERT_TAIL(&own->changed, clid, by_change);
    clid->has_changed = true;
}

static void forget_clid(struct presence_own *own, struct own_clid *clid)
{
    if (clid->has_changed)
        TAILQ_REMOVE(&own->changed, clid, by_change);
    hash_table_remove(&own->by_clid, &clid->by_clid);
    own->bytes -= sizeof *clid + clid->length;
    free(clid);
}

void presence_own_open(struct presence_own *own, uint64_t seed)
{
    TAILQ_INIT(&own->changed);
    own->seed = seed;
}

bool presence_own_enter(struct presence_own *own, const char *clid, size_t length)
{
    uint64_t hash = hash_bytes(own->seed, clid, length);
    struct own_clid *entered = find_clid(own, clid, length, hash);

    if (entered == NULL)
        entered = add_clid(own, clid, length, hash);
    if (entered == NULL)
        return false;
    entered->instances++;
    note_change(own, entered);
    return true;
}

void presence_own_leave(struct presence_own *own, const char *clid, size_t length)
{
    struct own_clid *left = find_clid(own, clid, length, hash_bytes(own->seed, clid, length));

    if (left == NULL)
        return;
    left->instances--;
    note_change(own, left);
}

/* ---- telling ---- */

static void write_entry(struct bytes *text, const struct own_clid *clid)
{
    unsigned char head[PRESENCE_SHARE_HEAD];

    big_endian_write(head, 2, clid->length);
    big_endian_write(head + 2, 4, clid->instances);
    bytes_append(text, head, sizeof head);
    bytes_append(text, clid->clid, clid->length);
}

void presence_own_tell_changes(struct presence_own *own, struct bytes *text, size_t most)
{
    struct own_clid *clid;

    while (text->length < most && !text->failed && (clid = TAILQ_FIRST(&own->changed)) != NULL) {
        if (clid->instances != clid->told)
            write_entry(text, clid);
        if (text->failed)
            return;
        clid->told = clid->instances;
        TAILQ_REMOVE(&own->changed, clid, by_change);
        clid->has_changed = false;
        if (clid->instances == 0)
            forget_clid(own, clid);
    }
}

void presence_own_ask(struct presence_own *own)
{
    own->once_more = own->tells_table && own->has_begun;
    own->tells_table = true;
}

static void write_if_there(struct hash_node *node, void *context)
{
    const struct own_clid *clid = clid_of_node(node);

    if (clid->instances > 0)
        write_entry(context, clid);
}

void presence_own_tell_table(struct presence_own *own, struct bytes *text, size_t most)
{
    size_t flags_at = text->length, cursor = own->cursor;
    unsigned char flags = own->has_begun ? 0 : PRESENCE_TABLE_BEGINS;

    bytes_append(text, &flags, sizeof flags);
    do
        cursor = hash_table_walk(&own->by_clid, cursor, write_if_there, text);
    while (cursor != 0 && text->length < most && !text->failed);
    if (text->failed)
        return; /* the same piece once more */
    own->cursor = cursor;
    own->has_begun = cursor != 0;
    if (cursor != 0)
        return;
    text->data[flags_at] = (char)(flags | PRESENCE_TABLE_ENDS);
    own->tells_table = own->once_more;
    own->once_more = false;
}

/* ---- all ---- */

static void list_one(struct hash_node *node, void *own)
{
    note_change(own, clid_of_node(node));
}

void presence_own_free(struct presence_own *own)
{
    hash_table_each(&own->by_clid, list_one, own);
    while (presence_own_has_changes(own))
        forget_clid(own, TAILQ_FIRST(&own->changed));
    hash_table_free(&own->by_clid);
}

uint64_t presence_own_bytes(const struct presence_own *own)
{
    return hash_table_bytes(&own->by_clid) + heap_taken_by_many(own->by_clid.count, own->bytes);
}

static void save_one(struct hash_node *node, void *context)
{
    const struct own_clid *clid = clid_of_node(node);

    saved_put(context, clid->told);
    saved_put_bytes(context, clid->clid, clid->length);
}

void presence_own_save(const struct presence_own *own, struct saved_writer *writer)
{
    saved_put(writer, own->by_clid.count);
    hash_table_each(&own->by_clid, save_one, writer);
}

bool presence_own_load(struct presence_own *own, struct saved_reader *reader)
{
    for (size_t left = saved_take_count(reader, 2 * sizeof(uint64_t)); left > 0; left--) {
        size_t length;
        uint32_t told = (uint32_t)saved_take_within(reader, UINT32_MAX);
        const char *clid = saved_take_bytes(reader, &length);
        if (reader->failed || length > PRESENCE_SHARE_CLID_MOST)
            return false;
        uint64_t hash = hash_bytes(own->seed, clid, length);
        struct own_clid *added =
            find_clid(own, clid, length, hash) == NULL ? add_clid(own, clid, length, hash) : NULL;
        if (added == NULL)
            return false;
        added->told = told;
        note_change(own, added);
    }
    return !reader->failed;
}
