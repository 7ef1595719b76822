/* What was decided about streams and posts, for `esnctl explain`: kept at rare moments, when a
 * stream begins or ends, takes topics or lets them go, when a subscription is refused or a post is
 * not published. Nothing is kept when an event is delivered: what became of it follows from these
 * and from the log. Bounded by bytes, oldest forgotten first. */
#ifndef ESN_DECISIONS_H
#define ESN_DECISIONS_H

#include "net/close_reason.h"
#include "streams/decision_pages.h"

#include <stddef.h>
#include <stdint.h>

struct requested_topics;
struct past_rights;
struct stream;

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

#endif
