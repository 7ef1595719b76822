/* What whoever signs a ticket found out of its user's rights over bound topics at that moment. For
 * events that are past it counts: a right that was taken away does not count for what is in the
 * log. Rights over events to come are looked at when these are published; so the client is told
 * what it would not hear, and no more. */
#ifndef ESN_PAST_RIGHTS_H
#define ESN_PAST_RIGHTS_H

#include "bytes.h"

#include <stdbool.h>

/* Topics are each followed by NUL. */
struct past_rights {
    bool topics_known; /* the bound topics of the subscription were looked at */
    bool inbox_known;  /* and what comes to the inbox */
    struct bytes deaf; /* those bound topics that the user may not hear */
    /* The same by place, where the names are too long for a ticket: lower-case hexadecimal, each
     * digit four of the requested topics in their order, the first one its lowest bit. */
    struct bytes places;
    struct bytes unregistered; /* those of `deaf` that nobody may hear, since they have no row */
    struct bytes unregistered_places;
    struct bytes inbox; /* all topics that the user follows and may hear */
};

static inline void past_rights_free(struct past_rights *past)
{
    bytes_free(&past->deaf);
    bytes_free(&past->places);
    bytes_free(&past->unregistered);
    bytes_free(&past->unregistered_places);
    bytes_free(&past->inbox);
    *past = (struct past_rights){0};
}

#endif
