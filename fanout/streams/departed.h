/* Streams that ended a short time ago: their connection ids and last secrets, so that a client that
 * comes back can prove that it is the same one, keep its connection id and have the whispers it
 * missed. Bounded by count and age. */
#ifndef ESN_DEPARTED_H
#define ESN_DEPARTED_H

#include "hash_table.h"
#include "streams/identities.h"
#include "streams/presence_past.h"
#include "streams/stream_secrets.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct departed_stream;

struct departed {
    struct hash_table by_connid;
    TAILQ_HEAD(, departed_stream) by_age; /* oldest first */
    uint64_t max_count; /* set by the owner, like the next; may change at any time */
    uint64_t max_age_ms;
};

/* Of a zeroed one. */
void departed_open(struct departed *departed);
/* Remembers one; without memory it is simply not remembered. identity: whose it was, taken over;
 * NULL: nobody's. */
void departed_add(struct departed *departed, uint64_t connid,
                  const unsigned char secret[STREAM_SECRET_SIZE], struct stream_identity *identity,
                  uint64_t now_ms);
/* What one that polled has heard of presence; harmless when it is not remembered. */
void departed_note_heard(struct departed *departed, uint64_t connid, struct presence_heard heard);
/* All zero for others. */
struct presence_heard departed_heard(const struct departed *departed, uint64_t connid);
/* Nobody can come back as this one any more; harmless when it is not remembered. */
void departed_forget(struct departed *departed, uint64_t connid);
/* True when this stream ended lately and this secret counts for it (stream_secrets_count()); it is
 * forgotten then, so that only one can come back as it. */
bool departed_take(struct departed *departed, const struct stream_secrets *secrets, uint64_t connid,
                   const unsigned char secret[STREAM_SECRET_SIZE], uint64_t now_ms);
/* The newest secret of this one, borrowed; NULL: it is not remembered. */
const unsigned char *departed_secret(const struct departed *departed, uint64_t connid);
void departed_free(struct departed *departed);
/* Memory that it takes. */
uint64_t departed_bytes(const struct departed *departed);
struct saved_reader;
struct saved_writer;

/* All, the oldest first; the owner may add others behind them with departed_save_one(). */
void departed_save(const struct departed *departed, struct saved_writer *writer);
void departed_save_one(struct saved_writer *writer, uint64_t connid,
                       const unsigned char secret[STREAM_SECRET_SIZE],
                       const struct stream_identity *identity, struct presence_heard heard,
                       uint64_t left_at_ms);
/* Reads up to the section's end; false when it is not as it should be, or without memory. */
bool departed_load(struct departed *departed, struct identities *identities,
                   struct saved_reader *reader);

#endif
