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
    const struct stream *live;       /* NULL: it is not held */
    const struct decision **records; /* of this connection id, oldest first; borrowed */
    size_t count, capacity;
    char *user, *clid; /* "": none, or not known any more */
};

struct stream_pasts {
    struct stream_past *list; /* newest first */
    size_t count;
    size_t more; /* of which there was no room, or which were not looked at */
    bool failed; /* no memory */
};

enum { STREAM_PASTS_MOST = 20 };

void stream_pasts_find(struct stream_pasts *pasts, const struct streams *streams,
                       const struct stream_whose *whose);
void stream_pasts_free(struct stream_pasts *pasts);

enum presence_then {
    THEN_THERE,   /* it was held when the event came */
    THEN_RESUMED, /* it came later, and was to have what it had missed */
    THEN_HAD,     /* it came later, and said that it had the event already */
    THEN_GAP,     /* it came later, and the log could not give it all that it had missed */
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
