#include "streams/presence.h"

#include "heap.h"

#include <stdbool.h>
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

static void unlink_changed(struct presence *presence, struct presence_entry *entry)
{
    if (entry->changed == 0)
        return;
    *(entry->older != NULL ? &entry->older->newer : &presence->oldest) = entry->newer;
    *(entry->newer != NULL ? &entry->newer->older : &presence->newest) = entry->older;
    entry->older = entry->newer = NULL;
}

static void forget_entry(struct presence *presence, struct presence_entry *entry)
{
    unlink_changed(presence, entry);
    hash_table_remove(&presence->by_clid, &entry->by_clid);
    presence->bytes -= sizeof *entry + entry->length;
    free(entry);
}

static bool is_pending(const struct presence *presence, const struct presence_entry *entry)
{
    return presence->pending != NULL && entry->changed >= presence->pending->changed;
}

void presence_leave(struct presence *presence, struct presence_entry *entry)
{
    if (--entry->instances == 0 && !is_pending(presence, entry))
        forget_entry(presence, entry);
}

void presence_note_change(struct presence *presence, struct presence_entry *entry)
{
    if (presence->pending == entry)
        presence->pending = entry->newer;
    unlink_changed(presence, entry);
    entry->changed = ++presence->changes;
    entry->older = presence->newest;
    *(presence->newest != NULL ? &presence->newest->newer : &presence->oldest) = entry;
    presence->newest = entry;
    if (presence->pending == NULL)
        presence->pending = entry;
}

struct presence_entry *presence_take_changed(struct presence *presence)
{
    struct presence_entry *entry = presence->pending;

    if (entry != NULL)
        presence->pending = entry->newer;
    return entry;
}

void presence_settle(struct presence *presence, struct presence_entry *entry, uint64_t sequence)
{
    bool was_there = entry->told > 0;

    entry->told = entry->instances;
    presence_past_note_told(&presence->past, sequence, entry->changed);
    if (entry->instances > 0)
        return;
    if (was_there)
        presence_past_note_gone(&presence->past, entry->changed, entry->clid, entry->length);
    if (!is_pending(presence, entry))
        forget_entry(presence, entry);
}

uint32_t presence_count(const struct presence *presence, const char *clid, size_t length)
{
    const struct presence_entry *entry = presence_find(presence, clid, length);

    return entry != NULL ? entry->instances : 0;
}

void presence_free(struct presence *presence)
{
    presence_past_free(&presence->past);
    hash_table_free(&presence->by_clid);
}

uint64_t presence_bytes(const struct presence *presence)
{
    return hash_table_bytes(&presence->by_clid) + presence_past_bytes(&presence->past) +
           heap_taken_by_many(presence->by_clid.count, presence->bytes);
}
