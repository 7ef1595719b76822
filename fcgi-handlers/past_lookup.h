/* Which of the bound topics of a subscription its user may hear now, and, when the client wants what
 * it missed, what comes to its inbox. */
#ifndef ESN_PAST_LOOKUP_H
#define ESN_PAST_LOOKUP_H

#include "past_rights.h"
#include "subscribe_settings.h"
#include "subscription_body.h"

/* What the threads of a process share, and one thread's connection to the database. */
struct past_lookup_common;
struct past_lookup;

/* NULL without memory. */
struct past_lookup_common *past_lookup_common_open(const struct config *config);
void past_lookup_common_close(struct past_lookup_common **common);
/* Connects to nothing yet. NULL without memory. */
struct past_lookup *past_lookup_open(const struct subscribe_settings *settings,
                                     struct past_lookup_common *common);
void past_lookup_close(struct past_lookup **lookup);

/* Fills *past, empty before, which the caller frees. What the database does not answer in time
 * stays unknown, and the log says so once. */
void past_lookup_find(struct past_lookup *lookup, const struct subscription_body *subscription,
                      const char *user, struct past_rights *past);

#endif
