#include "streams/presence.h"

#include "heap.h"
#include "saved_state.h"
#include "streams/presence_own.h"

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

static struct presence_entry *find_or_make(struct presence *presence, const char *clid,
                                           size_t length)
{
    struct presence_entry *entry = presence_find(presence, clid, length);

    return entry != NULL ? entry : entry_new(presence, clid, length);
}

struct presence_entry *presence_enter(struct presence *presence, const char *clid, size_t length)
{
    if (presence->own != NULL && !presence_own_enter(presence->own, clid, length))
        return NULL;
    struct presence_entry *entry = find_or_make(presence, clid, length);
    if (entry != NULL)
        entry->instances++;
    else if (presence->own != NULL)
        presence_own_leave(presence->own, clid, length);
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
    if (presence->own != NULL)
        presence_own_leave(presence->own, entry->clid, entry->length);
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

bool presence_count_others(struct presence *presence, const char *clid, size_t length,
                           uint32_t before, uint32_t now)
{
    struct presence_entry *entry = find_or_make(presence, clid, length);

    if (entry == NULL)
        return false;
    entry->instances += now - before;
    presence->elsewhere += now;
    presence->elsewhere -= before;
    presence_note_change(presence, entry);
    return true;
}

void presence_leave_others(struct presence *presence, const char *clid, size_t length,
                           uint32_t instances)
{
    struct presence_entry *entry = presence_find(presence, clid, length);

    if (entry == NULL)
        return;
    entry->instances -= instances;
    presence->elsewhere -= instances;
    if (entry->instances == 0 && !is_pending(presence, entry))
        forget_entry(presence, entry);
}

bool presence_load_others(struct presence *presence, const char *clid, size_t length,
                          uint32_t instances)
{
    struct presence_entry *entry = find_or_make(presence, clid, length);

    if (entry == NULL)
        return false;
    entry->instances += instances;
    presence->elsewhere += instances;
    return true;
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

void presence_save(const struct presence *presence, struct saved_writer *writer)
{
    uint64_t count = 0;

    for (const struct presence_entry *entry = presence->oldest; entry != NULL; entry = entry->newer)
        count++;
    presence_past_save(&presence->past, writer);
    saved_put(writer, presence->changes);
    saved_put(writer, count);
    for (const struct presence_entry *entry = presence->oldest; entry != NULL;
         entry = entry->newer) {
        saved_put(writer, entry->changed);
        saved_put(writer, entry->told);
        saved_put_bytes(writer, entry->clid, entry->length);
    }
}

static bool load_entry(struct presence *presence, struct saved_reader *reader)
{
    size_t length;
    uint64_t changed = saved_take_within(reader, presence->changes);
    uint32_t told = (uint32_t)saved_take_within(reader, UINT32_MAX);
    const char *clid = saved_take_bytes(reader, &length);

    if (reader->failed || length > UINT32_MAX ||
        changed <= (presence->newest != NULL ? presence->newest->changed : 0) ||
        presence_find(presence, clid, length) != NULL)
        return false;
    struct presence_entry *entry = entry_new(presence, clid, length);
    if (entry == NULL)
        return false;
    entry->changed = changed;
    entry->told = told;
    entry->older = presence->newest;
    *(presence->newest != NULL ? &presence->newest->newer : &presence->oldest) = entry;
    presence->newest = entry;
    return true;
}

bool presence_load(struct presence *presence, struct saved_reader *reader)
{
    if (!presence_past_load(&presence->past, reader))
        return false;
    presence->changes = saved_take_within(reader, SAVED_COUNTER_MOST);
    for (size_t left = saved_take_count(reader, 3 * sizeof(uint64_t)); left > 0; left--)
        if (!load_entry(presence, reader))
            return false;
    return !reader->failed;
}

void presence_leave_loaded(struct presence *presence, struct presence_entry *entry)
{
    if (presence->own != NULL)
        presence_own_leave(presence->own, entry->clid, entry->length);
    entry->instances--;
}

void presence_end_loading(struct presence *presence)
{
    const struct presence_entry *last = presence->newest;

    for (struct presence_entry *entry = presence->oldest, *next; entry != NULL; entry = next) {
        next = entry == last ? NULL : entry->newer;
        if (entry->instances != entry->told)
            presence_note_change(presence, entry);
        else if (entry->instances == 0)
            forget_entry(presence, entry);
    }
}
