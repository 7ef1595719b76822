/* What other daemons on one engine have said of presence: how many streams each client id has at each of them, which
 * are counted in presence beside those of this one. Counts are whole, never differences, so it does no harm to hear one
 * twice. Whose words were lost is asked for its whole table; what is not in that is gone. A daemon that is gone loses
 * its part. Taking away goes in slices. */
#ifndef ESN_PRESENCE_SHARES_H
#define ESN_PRESENCE_SHARES_H

#include "hash_table.h"
#include "streams/presence_own.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

enum { PRESENCE_SHARE_NODES = 1 << 10 };

struct presence;
struct presence_share;

/* One of the other daemons. */
struct presence_peer {
    TAILQ_HEAD(, presence_share) shares; /* the one that was heard of longest ago first */
    uint32_t generation;                 /* of what is heard now: a table begins a new one */
    uint32_t swept_before;               /* those of generations before this one are to go */
    bool lives;                          /* it came, and has not gone */
    bool wants;                          /* its whole table is not known */
    bool hears;                          /* a table of it has begun, and nothing was lost since */
    uint64_t asked_at_ms;                /* 0: it was not */
};

struct presence_shares {
    struct presence *presence;                         /* where they are counted; the owner's */
    struct hash_table by_key;                          /* of node and client id */
    struct presence_peer *peers[PRESENCE_SHARE_NODES]; /* NULL: nothing was heard of it */
    uint64_t seed, bytes;
    unsigned living;  /* peers */
    unsigned wanted;  /* of those whose tables are not known */
    unsigned unswept; /* peers that have some that are to go */
};

/* Of a zeroed one. seed: random, see hash_bytes(). */
void presence_shares_open(struct presence_shares *shares, struct presence *presence, uint64_t seed);
/* Entries, and a piece of a table, as a node said them that has come. What is not as it should be ends the text, and
 * the node is asked for its table; so it is when there is no memory. */
void presence_shares_hear_changes(struct presence_shares *shares, unsigned node, const char *text,
                                  size_t length);
void presence_shares_hear_table(struct presence_shares *shares, unsigned node, const char *text,
                                size_t length);
/* A node came, or words of it were lost: its table is wanted. */
void presence_shares_want(struct presence_shares *shares, unsigned node);
/* It is gone, and its part. */
void presence_shares_forget(struct presence_shares *shares, unsigned node);
/* The same of those that another program knew, and of which nothing was heard since. */
void presence_shares_forget_unheard(struct presence_shares *shares);
/* Writes whose tables are to be asked for now, at most so many; each is asked again after a while. Their number. */
size_t presence_shares_ask(struct presence_shares *shares, uint64_t now_ms, unsigned *nodes,
                           size_t most);
/* Takes away what is to go, at most so many; true: all of it. */
bool presence_shares_sweep(struct presence_shares *shares, size_t most);
/* All of it goes, and nobody is told. */
void presence_shares_close(struct presence_shares *shares);
/* Memory of all. */
uint64_t presence_shares_bytes(const struct presence_shares *shares);
struct saved_reader;
struct saved_writer;

void presence_shares_save(const struct presence_shares *shares, struct saved_writer *writer);
/* Into an empty one, and counted in presence, as presence_load() says. False when it is not as it should be, or without
 * memory. */
bool presence_shares_load(struct presence_shares *shares, struct saved_reader *reader);

#endif
