/* Clients of long-poll between two polls: for a short while they count as present, so that who
 * watches them does not see them go and come with each answer. */
#ifndef ESN_POLL_GAP_H
#define ESN_POLL_GAP_H

#include "hash_table.h"
#include "streams/presence.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct absent_poller;

struct poll_gap {
    struct hash_table by_connid;
    TAILQ_HEAD(, absent_poller) by_age; /* the one that is away for longest first */
    uint64_t most;                      /* set by the owner; may change at any time */
};

/* Of a zeroed one. */
void poll_gap_open(struct poll_gap *gap);
/* Keeps the presence of a stream that was answered; false without memory or when `most` are kept,
 * and the presence is still the caller's. */
bool poll_gap_keep(struct poll_gap *gap, uint64_t connid, struct presence_entry *presence,
                   uint64_t now_ms);
/* The presence of a client that is back, or NULL when it was not kept. */
struct presence_entry *poll_gap_take(struct poll_gap *gap, uint64_t connid);
/* The presence of the one that is away for longest, when it was kept at or before the given time,
 * or NULL: it is not kept any more. */
struct presence_entry *poll_gap_expired(struct poll_gap *gap, uint64_t through_ms);
/* Of one in by_connid, where its hash is its connection id. */
const struct presence_entry *poll_gap_presence(struct hash_node *by_connid);
/* Frees the memory; every presence must have been taken out. */
void poll_gap_free(struct poll_gap *gap);
/* Memory that it takes. */
uint64_t poll_gap_bytes(const struct poll_gap *gap);
struct presence;
struct saved_reader;
struct saved_writer;

/* All, the oldest first; the owner may add others behind them with poll_gap_save_one(). */
void poll_gap_save(const struct poll_gap *gap, struct saved_writer *writer);
void poll_gap_save_one(struct saved_writer *writer, uint64_t connid,
                       const struct presence_entry *presence, uint64_t since_ms);
/* Reads up to the section's end, and has them be present; false when it is not as it should be, or
 * without memory. Whom there is no room for is not present. */
bool poll_gap_load(struct poll_gap *gap, struct presence *presence, struct saved_reader *reader);

#endif
