/* Bound topics that the user of a stream could not hear at the moment when its ticket was signed:
 * the client is told, since a page that hears nothing for want of a right looks like one for which
 * nothing is said. */
#ifndef ESN_DEAF_TOPICS_H
#define ESN_DEAF_TOPICS_H

#include "bytes.h"
#include "past_rights.h"

/* Appends the member ,"deaf":[{"topic":"...","reason":"..."}], or nothing when there are none or
 * nobody has looked. */
void deaf_topics_write(struct bytes *out, const struct past_rights *past);

#endif
