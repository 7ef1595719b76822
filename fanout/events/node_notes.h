/* What daemons on one engine tell each other by notes: presence (presence_own.h, presence_shares.h), which streams
 * came to them (moved_streams.h), which tickets were used. Told every 50 ms, in as many notes as it takes; notes may
 * be lost, which the engine says. docs/bus.md has their layout. */
#ifndef ESN_NODE_NOTES_H
#define ESN_NODE_NOTES_H

#include "bytes.h"
#include "streams/presence_own.h"
#include "streams/presence_shares.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NODE_NOTES_EVERY_MS = 50 };

/* The first byte of a note. */
enum node_note {
    NODE_NOTE_CHANGES = 1, /* of presence: entries */
    NODE_NOTE_ASK,         /* for tables: numbers of nodes, 2 bytes each */
    NODE_NOTE_TABLE,       /* a piece of one */
    NODE_NOTE_MOVED,       /* connection id (8 bytes), generation (4), each */
    NODE_NOTE_TICKET       /* one that was used: until when it counts, s (8 bytes), then its id */
};

struct node_notes_owner {
    /* A stream came to that node, or none (moved_streams.h). Called in node_notes_run(). */
    void (*moved)(void *context, uint64_t connid, uint32_t least, unsigned node);
    void (*ticket_used)(void *context, const char *id, uint64_t forget_after_s);
    /* Notes may have been lost. */
    void (*gap)(void *context);
    void *context;
};

struct bus_inbox;
struct presence;

struct node_notes {
    struct node_notes_owner owner;
    struct bus_inbox *inbox; /* NULL: nobody is told */
    unsigned node;           /* of this daemon */
    struct presence_own own;
    struct presence_shares shares;
    uint64_t told_at_ms;
    struct bytes moved; /* since then */
    struct bytes heard; /* streams that moved, which the owner is not told of yet: with the node */
    size_t heard_at;    /* ... up to here it was */
    struct bytes note;  /* scratch */
    uint64_t said, malformed;
};

/* Has the presence counted here told, and the others' counted there. NULL without memory. */
struct node_notes *node_notes_new(struct presence *presence, unsigned node, uint64_t seed);
void node_notes_free(struct node_notes **notes);
/* Of others nothing counts any more: the daemon ends. */
void node_notes_stop(struct node_notes *notes);
void node_notes_hear(struct node_notes *notes, unsigned node, const char *text, size_t length);
void node_notes_came(struct node_notes *notes, unsigned node);
void node_notes_missed(struct node_notes *notes, unsigned node);
void node_notes_gone(struct node_notes *notes, unsigned node);
/* With the next note. */
void node_notes_tell_moved(struct node_notes *notes, uint64_t connid, uint32_t least);
/* At once. */
void node_notes_tell_ticket(struct node_notes *notes, const char *id, uint64_t forget_after_s);
/* Some of what is to be told, heard and taken away; to be called often. False: there is more that can be done now. */
bool node_notes_run(struct node_notes *notes, uint64_t now_ms);
struct saved_reader;
struct saved_writer;

/* notes may be NULL. */
void node_notes_save(const struct node_notes *notes, struct saved_writer *writer);
/* In place of node_notes_new(), when presence was loaded and before streams enter. *notes: NULL when there were none.
 * False when it is not as it should be, or without memory. */
bool node_notes_load(struct node_notes **notes, struct presence *presence,
                     struct saved_reader *reader);
/* Memory of all. */
uint64_t node_notes_bytes(const struct node_notes *notes);

#endif
