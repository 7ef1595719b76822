/* What the other daemons on one engine are told of presence here: how many streams of this daemon each client id
 * has. What has changed since it was told last is told together; the whole table is told piece by piece when one
 * asks for it. Texts that tell of it are made of entries, which presence_shares.h reads. */
#ifndef ESN_PRESENCE_OWN_H
#define ESN_PRESENCE_OWN_H

#include "bytes.h"
#include "hash_table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

enum {
    PRESENCE_SHARE_HEAD = 6, /* of an entry: length (2 bytes) and count (4), then the client id */
    PRESENCE_SHARE_CLID_MOST = 65535,
    /* The first byte of a piece of a table. */
    PRESENCE_TABLE_BEGINS = 1,
    PRESENCE_TABLE_ENDS = 2
};

struct own_clid {
    struct hash_node by_clid;
    TAILQ_ENTRY(own_clid) by_change;
    uint32_t instances;
    uint32_t told; /* how many the others were told of last */
    uint32_t length;
    bool has_changed; /* it stands among those that have; it may be as it was by now */
    char clid[];
};

struct presence_own {
    struct hash_table by_clid;
    TAILQ_HEAD(, own_clid) changed; /* the oldest change first */
    uint64_t seed;
    uint64_t bytes;
    /* The table that is being told. */
    bool tells_table, has_begun;
    bool once_more; /* one has asked who does not have its beginning */
    size_t cursor;
};

/* Of a zeroed one. seed: random, see hash_bytes(). */
void presence_own_open(struct presence_own *own, uint64_t seed);
/* One stream more of a client id; false without memory. */
bool presence_own_enter(struct presence_own *own, const char *clid, size_t length);
/* One less of one that has some. */
void presence_own_leave(struct presence_own *own, const char *clid, size_t length);
static inline bool presence_own_has_changes(const struct presence_own *own)
{
    return !TAILQ_EMPTY(&own->changed);
}

/* Appends what has changed, until the text is that long or nothing is left; those are told then. */
void presence_own_tell_changes(struct presence_own *own, struct bytes *text, size_t most);
/* One wants the whole table. */
void presence_own_ask(struct presence_own *own);
/* Appends the next piece, until the text is that long, about: whether it is the first one and the last one, then
 * entries. What has changed meanwhile is told all the same. */
void presence_own_tell_table(struct presence_own *own, struct bytes *text, size_t most);
void presence_own_free(struct presence_own *own);
/* Memory of all. */
uint64_t presence_own_bytes(const struct presence_own *own);
struct saved_reader;
struct saved_writer;

/* What the others were told, which another program goes on with. */
void presence_own_save(const struct presence_own *own, struct saved_writer *writer);
/* Into an empty one, before streams enter; false when it is not as it should be, or without memory. */
bool presence_own_load(struct presence_own *own, struct saved_reader *reader);

#endif
