#include "streams/presence.h"

#include <stdlib.h>
#include <string.h>

struct presence_entry *presence_entry_of(struct hash_node *by_clid)
{
    return (struct presence_entry *)(void *)((char *)by_clid -
                                             offsetof(struct presence_entry, by_clid));
}

struct presence_entry *presence_find(const struct presence *presence, const char *clid,
                                     size_t length)
{
    struct hash_node *node =
        hash_table_find(&presence->by_clid, hash_bytes(presence->seed, clid, length));

    for (; node != NULL; node = hash_table_find_next(node)) {
        struct presence_entry *entry = presence_entry_of(node);
        if (entry->length == length && memcmp(entry->clid, clid, length) == 0)
            return entry;
    }
    return NULL;
}

static struct presence_entry *entry_new(struct presence *presence, const char *clid, size_t length)
{
    struct presence_entry *entry = calloc(1, sizeof *entry + length);

    if (entry == NULL)
        return NULL;
    entry->length = (uint32_t)length;
    memcpy(entry->clid, clid, length);
    if (!hash_table_add(&presence->by_clid, &entry->by_clid,
                        hash_bytes(presence->seed, clid, length))) {
        free(entry);
        return NULL;
    }
    presence->bytes += sizeof *entry + length;
    return entry;
}

struct presence_entry *presence_enter(struct presence *presence, const char *clid, size_t length)
{
    struct presence_entry *entry = presence_find(presence, clid, length);

    if (entry == NULL)
        entry = entry_new(presence, clid, length);
    if (entry != NULL)
        entry->instances++;
    return entry;
}

void presence_leave(struct presence *presence, struct presence_entry *entry)
{
    if (--entry->instances > 0)
        return;
    hash_table_remove(&presence->by_clid, &entry->by_clid);
    presence->bytes -= sizeof *entry + entry->length;
    free(entry);
}

uint32_t presence_count(const struct presence *presence, const char *clid, size_t length)
{
    const struct presence_entry *entry = presence_find(presence, clid, length);

    return entry != NULL ? entry->instances : 0;
}

void presence_free(struct presence *presence)
{
    hash_table_free(&presence->by_clid);
}
