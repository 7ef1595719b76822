/* Users and sessions whose proofs of before are refused for a while, since their streams were
 * dropped. Bounded; knows no clock: the caller says what time it is (ms of the wall clock, which is
 * that of the proofs). */
#ifndef ESN_REVOCATIONS_H
#define ESN_REVOCATIONS_H

#include "drop.h"
#include "hash_table.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct revocation {
    struct hash_node by_name;
    TAILQ_ENTRY(revocation) by_look;
    uint64_t at_ms;    /* what was signed up to then is refused ... */
    uint64_t until_ms; /* ... until then */
    uint32_t length;
    uint8_t kind; /* DROP_USER or DROP_SESSION */
    char name[];  /* not terminated by NUL */
};

struct revocations {
    struct hash_table by_name;
    TAILQ_HEAD(, revocation) by_look; /* the one that was not looked at for longest first */
    uint64_t seed;                    /* random, see hash_bytes() */
    uint64_t most;                    /* set by the owner; may change at any time */
};

/* Of a zeroed one. */
void revocations_open(struct revocations *revocations, uint64_t seed);
/* Refuses what was signed up to at_ms, until until_ms; one that is there already is widened, never
 * narrowed. NULL when there is no room, or no memory. */
const struct revocation *revocations_add(struct revocations *revocations, enum drop_kind kind,
                                         const char *name, size_t length, uint64_t at_ms,
                                         uint64_t until_ms, uint64_t now_ms);
/* True when what was signed at signed_ms for this user (NULL: none) and this session (NULL: none)
 * is refused. */
bool revocations_refuse(const struct revocations *revocations, const char *user,
                        const char *session, uint64_t signed_ms, uint64_t now_ms);
/* Forgets some of those that are over; to be called often. */
void revocations_expire(struct revocations *revocations, uint64_t now_ms);
void revocations_free(struct revocations *revocations);
/* Memory of all. */
uint64_t revocations_bytes(const struct revocations *revocations);
struct saved_reader;
struct saved_writer;

void revocations_save(const struct revocations *revocations, struct saved_writer *writer);
/* Into empty ones; false when it is not as it should be. *left_out: how many there was no room or memory
 * for: proofs of before count again. */
bool revocations_load(struct revocations *revocations, struct saved_reader *reader, uint64_t now_ms,
                      uint64_t *left_out);

#endif
