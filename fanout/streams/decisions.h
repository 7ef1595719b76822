/* What was decided about streams and posts, for `esnctl explain`: kept at rare moments, when a
 * stream begins or ends, takes topics or lets them go, when a subscription is refused or a post is
 * not published. Nothing is kept when an event is delivered: what became of it follows from these
 * and from the log. Bounded by bytes, oldest forgotten first. */
#ifndef ESN_DECISIONS_H
#define ESN_DECISIONS_H

#include "net/close_reason.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct requested_topics;
struct past_rights;
struct stream;

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

/* ---- noting ---- */

/* Without room or memory a decision is simply not kept. */
void decisions_note_began(struct decisions *decisions, const struct stream *stream, uint64_t start);
void decisions_note_topics(struct decisions *decisions, enum decision_kind kind,
                           const struct stream *stream, const struct requested_topics *topics);
/* Harmless when nothing is deaf, or nobody has looked. */
void decisions_note_deaf(struct decisions *decisions, const struct stream *stream,
                         const struct past_rights *past);
/* While it still has its topics and what it was not written. */
void decisions_note_ended(struct decisions *decisions, const struct stream *stream,
                          enum close_reason reason);
/* user, clid: NULL when nobody said. topics: NULL likewise. Of many in one second the first ones
 * alone are kept, like those of posts: strangers cannot push out what is known of streams so fast. */
void decisions_note_refused(struct decisions *decisions, const char *user, const char *clid,
                            const char *reason, const struct requested_topics *topics);

struct unpublished {
    const char *reason; /* a word of the publisher's answer, such as "forbidden" */
    const char *user;   /* of the post's bind key; "": none */
    const char *by;     /* the publisher's name; "": it has none */
    const char *topic;
    size_t topic_length;
    uint64_t first; /* sequence of the event that was there before it, or 0 */
};
void decisions_note_unpublished(struct decisions *decisions, const struct unpublished *post);

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
