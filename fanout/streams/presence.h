/* Who is connected: how many streams each client id has. */
#ifndef ESN_PRESENCE_H
#define ESN_PRESENCE_H

#include "hash_table.h"

#include <stddef.h>
#include <stdint.h>

#define PRESENCE_ANONYMOUS "@ANON_CONNECTION@"

struct presence_entry {
    struct hash_node by_clid;
    uint32_t instances;
    uint32_t length;
    char clid[]; /* UTF-8, not terminated by NUL */
};

struct presence {
    struct hash_table by_clid;
    uint64_t seed;
    uint64_t bytes; /* of all entries */
};

/* Counts one more stream of a client id; returns its entry, kept until presence_leave(), or NULL
 * without memory. */
struct presence_entry *presence_enter(struct presence *presence, const char *clid, size_t length);
/* Counts one less; the last one frees the entry. */
void presence_leave(struct presence *presence, struct presence_entry *entry);
/* NULL when no stream has this client id. */
struct presence_entry *presence_find(const struct presence *presence, const char *clid,
                                     size_t length);
uint32_t presence_count(const struct presence *presence, const char *clid, size_t length);
/* Frees the table; all must have left. */
void presence_free(struct presence *presence);
struct presence_entry *presence_entry_of(struct hash_node *by_clid);

#endif
