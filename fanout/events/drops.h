/* What happens to an order to end streams: known already or new, remembered, kept on disk, carried
 * out, acknowledged. With a log on disk nothing ends before the order is there: it is to hold after
 * a restart too. */
#ifndef ESN_DROPS_H
#define ESN_DROPS_H

#include "bus/bus.h"
#include "log/log_store.h"

#include <stdbool.h>
#include <stdint.h>

struct config;
struct loop;
struct revocations;
struct seen_events;

/* Whom to tell what became of it. */
struct drop_receipt {
    uint64_t publisher; /* 0: nobody */
    uint64_t sequence;  /* of the publisher */
    unsigned char key[ENVELOPE_POST_KEY_SIZE];
};

struct drops {
    /* Parts of the owner, which outlive it. */
    const struct config *config;
    struct loop *loop;
    struct seen_events *seen;
    struct revocations *revocations;
    struct log_store *store; /* NULL: the log is in memory alone */
    struct bus_inbox *inbox; /* NULL: nobody is told anything */
    /* Ends the streams, now or in turns to come, and has drops_done() called. False without memory.
     */
    bool (*begin)(void *context, const struct drop *drop, const struct drop_receipt *receipt);
    void *context;
    uint64_t taken; /* doubles not counted */
};

/* As intake_take() does of an event. */
void drops_take(struct drops *drops, const struct bus_message *message);
/* The same of one that an engine has numbered, and found to be new: it counts from when the engine took it. Of one
 * of the past all streams are gone. */
void drops_take_numbered(struct drops *drops, const struct bus_message *message);
/* The same for one that nobody waits for. False when there is no room for it. */
bool drops_order(struct drops *drops, const struct drop *drop);
/* An entry of the log that is a revocation came back from the disk. */
void drops_stored(struct drops *drops, const struct log_entry *entry, bool stored);
/* Its streams are gone. */
void drops_done(struct drops *drops, const struct drop_receipt *receipt, uint32_t dropped);
/* Says in the log that there was no room for so many of those from before a start or an upgrade; 0: says
 * nothing. */
void drops_tell_left_out(uint64_t count);

#endif
