/* Which daemons live, judged by the records that they renew (node_record.h) and by the clock of
 * who looks: neither another machine's clock nor a key's vanishing counts. One whose counter
 * stands still for a lease is dead; time in which nobody looked counts for little, since a Redis
 * that was away is no fault of theirs. And which of them a subscriber is sent to. Pure. */
#ifndef ESN_NODE_LIVES_H
#define ESN_NODE_LIVES_H

#include "nodes/node_record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct node_life {
    unsigned node;
    struct node_record record;
    uint64_t seen_at;  /* when this boot was seen first, and ... */
    uint64_t moved_at; /* ... when the counter was seen to grow; 0: not yet */
    uint64_t still_ms; /* for so long it has not, by looks that lie close together */
    uint64_t given;    /* streams that were sent there since it told how many it has */
    bool is_there;     /* at the newest look; then the counter had ... */
    bool moved;        /* ... grown since the look before it */
};

struct node_lives {
    struct node_life *list;
    size_t count, room;
    uint64_t lease_ms;
    uint64_t looked_at; /* 0: nobody has */
    uint64_t step_ms;   /* from the look before, as it counts */
};

enum node_state {
    NODE_NONE,   /* there is no such node */
    NODE_SEEN,   /* it is there; not yet known whether it lives */
    NODE_LIVING, /* its counter has grown within a lease */
    NODE_DEAD
};

/* Begin as {.lease_ms = ...}. */
void node_lives_free(struct node_lives *lives);
/* False without memory, and nothing to free. */
bool node_lives_copy(struct node_lives *copy, const struct node_lives *lives);

/* A look at all records: begin, see each, end. Those that are not there are forgotten. */
void node_lives_begin_look(struct node_lives *lives, uint64_t now_ms);
/* False without memory. */
bool node_lives_see(struct node_lives *lives, unsigned node, const struct node_record *record);
void node_lives_end_look(struct node_lives *lives);

enum node_state node_life_state(const struct node_lives *lives, const struct node_life *life);
/* NULL: there is no such node. */
const struct node_life *node_lives_find(const struct node_lives *lives, unsigned node);

/* The one of two, taken at random (`random` is), that has fewer streams; of those whose counter
 * had grown at the newest look, else of those that live, else of those that are there and not
 * dead. Counts the stream as given. NULL: there is none. */
const struct node_life *node_lives_pick(struct node_lives *lives, uint64_t random);
/* A stream is sent to this one, which was found. */
void node_lives_give(struct node_lives *lives, unsigned node);

#endif
