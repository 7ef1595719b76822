/* What is known of some streams, held and ended: what was decided about each (decisions.h), and from
 * that where it was and what it had when an event came. */
#ifndef ESN_STREAM_PAST_H
#define ESN_STREAM_PAST_H

#include "bytes.h"
#include "streams/decisions.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stream;
struct streams;

/* Whose; NULL or 0: not said. Nothing said: everybody's. */
struct stream_whose {
    const char *user, *clid;
    uint64_t connid;
};

struct stream_past {
    uint64_t connid;
    struct decision_place *places; /* of the decisions about it, oldest first */
    size_t place_count, capacity;
    /* From stream_pasts_settle() on, borrowed: until anything happens. */
    const struct stream *live; /* NULL: it is not held */
    struct decision *records;  /* those that are still known, oldest first */
    size_t count;
    char *user, *clid; /* "": none, or not known any more */
};

struct stream_pasts {
    struct stream_past *list; /* newest first */
    size_t count;
    size_t more; /* of which there was no room */
    bool failed; /* no memory */
    const struct stream_whose *whose;
    bool looks_at_held;          /* how far the search has come: past all decisions, ... */
    struct decision_place place; /* ... at this one, ... */
    size_t cursor;               /* ... or here, of the streams that are held */
};

enum { STREAM_PASTS_MOST = 20 };

/* Finding them takes a look at all that was decided and at all streams, which is done piece by piece;
 * meanwhile anything may happen. To be freed either way. */
void stream_pasts_begin(struct stream_pasts *pasts, const struct stream_whose *whose);
/* The next piece. True: it was the last one. */
bool stream_pasts_look_on(struct stream_pasts *pasts, const struct streams *streams);
/* A decision, each in its order when all are found. */
void stream_pasts_add(struct stream_pasts *pasts, const struct decision *decision,
                      const struct decision_place *place);
/* All decisions were added. */
void stream_pasts_settle(struct stream_pasts *pasts, const struct streams *streams);
void stream_pasts_free(struct stream_pasts *pasts);

enum presence_then {
    THEN_THERE,   /* it was held when the event came */
    THEN_RESUMED, /* it came later, and was to have what it had missed */
    THEN_HAD,     /* it came later, and said that it had the event already */
    THEN_GAP,     /* it came later, with an id that the log does not know */
    THEN_LATER,   /* it came later, and asked for no past */
    THEN_ENDED    /* it had ended */
};

/* How it stood when an event of this sequence came. */
struct stream_moment {
    enum presence_then how;
    const struct decision *by; /* the decision that says so; NULL: none is known */
    const struct decision
        *ending;  /* of THEN_LATER and the like: how it had ended before, or NULL */
    size_t place; /* in records: those before it had been decided */
};

struct stream_moment stream_past_at(const struct stream_past *past, uint64_t sequence);
/* The topics that it had at that place: each one's kind as a digit, then its name and NUL. False when
 * that is not all known. */
bool stream_past_topics(const struct stream_past *past, size_t place, struct bytes *topics);
/* Where the topics begin in a decision's texts; NULL: it has none. */
const char *stream_past_first_topic(const struct decision *decision);
/* The one that ended it after that place, or NULL. */
const struct decision *stream_past_ending(const struct stream_past *past, size_t place);

#endif
