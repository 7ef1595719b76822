/* Who is connected: how many streams each client id has, and whose count has changed. Changes are
 * told once for all that happened in a turn of the loop: only the newest count interests anybody.
 */
#ifndef ESN_PRESENCE_H
#define ESN_PRESENCE_H

#include "hash_table.h"
#include "streams/presence_past.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PRESENCE_ANONYMOUS "@ANON_CONNECTION@"

struct presence_entry {
    struct hash_node by_clid;
    struct presence_entry *newer, *older; /* by their last change */
    uint64_t changed;                     /* number of that change; 0: none yet */
    uint32_t instances;
    uint32_t told; /* how many were told of last */
    uint32_t length;
    char clid[]; /* UTF-8, not terminated by NUL */
};

struct presence_own;

struct presence {
    struct presence_own
        *own; /* of which other daemons are told; set by the owner; NULL: there are none */
    struct hash_table by_clid;
    struct presence_entry *newest, *oldest; /* of those that have changed */
    struct presence_entry *pending;         /* the oldest whose change is not told yet */
    uint64_t changes;                       /* since the start */
    uint64_t seed;
    uint64_t elsewhere; /* streams that are counted here, and are at other daemons */
    uint64_t bytes;     /* of all entries */
    struct presence_past past;
};

/* Counts one more stream of a client id; returns its entry, kept until presence_leave(), or NULL
 * without memory. */
struct presence_entry *presence_enter(struct presence *presence, const char *clid, size_t length);
/* Counts one less; the last one frees the entry, unless a change of it is still to be told. */
void presence_leave(struct presence *presence, struct presence_entry *entry);
/* Of streams at another daemon a client id had `before`, and has `now`: that changes the count, and is to be told.
 * False without memory: nothing has changed. */
bool presence_count_others(struct presence *presence, const char *clid, size_t length,
                           uint32_t before, uint32_t now);
/* So many at another daemon are counted no more, and nobody is told. */
void presence_leave_others(struct presence *presence, const char *clid, size_t length,
                           uint32_t instances);
/* Its count changes, or has just changed: that is to be told. */
void presence_note_change(struct presence *presence, struct presence_entry *entry);
/* The next one whose change is to be told; NULL: there is none. To be given back with
 * presence_settle(), before which it stays. */
struct presence_entry *presence_take_changed(struct presence *presence);
/* It was told of, when the log had come to this sequence. The entry is gone then when no stream has
 * it any more. */
void presence_settle(struct presence *presence, struct presence_entry *entry, uint64_t sequence);
/* NULL when no stream has this client id, nor had it when changes were told last. */
struct presence_entry *presence_find(const struct presence *presence, const char *clid,
                                     size_t length);
uint32_t presence_count(const struct presence *presence, const char *clid, size_t length);
/* Frees the table; all must have left and been told of. */
void presence_free(struct presence *presence);
struct presence_entry *presence_entry_of(struct hash_node *by_clid);
/* Memory that it takes. */
uint64_t presence_bytes(const struct presence *presence);
struct saved_reader;
struct saved_writer;

/* Who was told of, and what of it was told; all of that is told. */
void presence_save(const struct presence *presence, struct saved_writer *writer);
/* Into an empty one: nobody is there yet. Then presence_enter() for each that is there, or
 * presence_leave_loaded() for who is not after all, and presence_end_loading(). False when it is not
 * as it should be, or without memory. */
bool presence_load(struct presence *presence, struct saved_reader *reader);
void presence_leave_loaded(struct presence *presence, struct presence_entry *entry);
/* So many are there at another daemon. False without memory. */
bool presence_load_others(struct presence *presence, const char *clid, size_t length,
                          uint32_t instances);
/* Whose count is not the one that was told of is to be told. */
void presence_end_loading(struct presence *presence);

#endif
