/* Decisions as they are kept: one behind the other, in pages that are forgotten together. */
#ifndef ESN_DECISION_PAGES_H
#define ESN_DECISION_PAGES_H

#include "bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

enum decision_kind {
    /* A stream, or one that had no topics yet asked for the past; a client of long-poll that comes
     * back is not noted again. */
    DECISION_BEGAN,
    DECISION_ADDED,      /* topics came to a stream */
    DECISION_REMOVED,    /* and went */
    DECISION_DEAF,       /* it was told which of its bound topics its user may not hear */
    DECISION_ENDED,      /* a stream; but of long-poll only when its client is not to come back */
    DECISION_REFUSED,    /* to subscribe */
    DECISION_UNPUBLISHED /* a post */
};

/* The texts, each followed by NUL: user, client id, then
 *  - of topics each one's kind as a digit (enum subscription_kind), then its name,
 *  - of what was refused the reason, and the topics as above,
 *  - of a post the reason, then the topic. */
struct decision {
    uint64_t at_ms;    /* wall clock */
    uint64_t sequence; /* of the newest event then: what came after has a greater one */
    uint64_t connid;   /* 0: none */
    /* DECISION_BEGAN: it was to have everything after this one; UINT64_MAX: it asked for no past.
     * DECISION_ENDED: of the first event that was withheld, or 0.
     * DECISION_UNPUBLISHED: of the event that was there before it, or 0. */
    uint64_t other;
    uint64_t pending; /* DECISION_ENDED: bytes that were not written */
    const char *text; /* all texts, borrowed until the next decision is noted */
    uint32_t text_length;
    uint8_t kind;
    uint8_t reason; /* DECISION_ENDED: enum close_reason */
    bool recovered; /* DECISION_BEGAN: and the log had everything since */
    bool cut;       /* not all topics were kept */
};

struct decision_page;

struct decisions {
    TAILQ_HEAD(decision_pages, decision_page) pages; /* oldest first */
    uint64_t max_bytes;     /* set by the owner; may change at any time; 0: nothing is kept */
    uint64_t bytes;         /* of all pages */
    uint64_t pages_made;    /* since the start */
    uint64_t since_ms;      /* wall clock: everything decided since is there */
    const uint64_t *newest; /* set by the owner: sequence of the newest event */
    uint64_t second;        /* of the wall clock, in which ... */
    unsigned refusals;      /* ... so many refusals were kept */
};

/* Of a zeroed one. */
void decisions_open(struct decisions *decisions, uint64_t wall_ms);
void decisions_close(struct decisions *decisions);
uint64_t decisions_bytes(const struct decisions *decisions);

/* Keeps one of now, with these texts, which are freed; nothing without room or memory. */
void decisions_keep(struct decisions *decisions, struct decision decision, struct bytes *text);

/* ---- from one program to the next ---- */

struct saved_reader;
struct saved_writer;

void decisions_save(const struct decisions *decisions, struct saved_writer *writer);
/* Into what was just opened: as many of the newest as may be kept. False when they are not as they should
 * be. */
bool decisions_load(struct decisions *decisions, struct saved_reader *reader);

/* ---- looking ---- */

/* Of one of them; zeroed: before the oldest. May be kept while others are noted and forgotten. */
struct decision_place {
    const struct decision_page *page; /* of this number, while it is not forgotten */
    uint64_t number;
    size_t offset, next; /* of the decision, and of what follows it */
};
/* The next newer one. False: there is none, and the place is before the oldest again. */
bool decisions_next(const struct decisions *decisions, struct decision_place *place,
                    struct decision *decision);
/* The one at which decisions_next() has come to this place. False: it was forgotten since. */
bool decisions_at(const struct decisions *decisions, const struct decision_place *place,
                  struct decision *decision);
/* The texts one after the other; begin with NULL. NULL: there are no more. */
const char *decision_next_text(const struct decision *decision, const char *text);

#endif
