/* Who may hear what was said before: what the ticket of one that catches up says of its user's
 * rights (past_rights.h). A right that was taken away does not count for what was said before; nor
 * does what nobody has looked at. */
#ifndef ESN_PAST_AUDIENCE_H
#define ESN_PAST_AUDIENCE_H

#include "log/event_log.h"
#include "past_rights.h"
#include "user_set.h"

#include <stdbool.h>
#include <stdint.h>

struct past_audience { /* all 0: nothing is known */
    struct past_rights rights;
    struct user_set deaf, inbox; /* of the topics there */
};

/* Takes a copy of what the ticket says; NULL: nothing. False without memory; to be freed either
 * way. */
bool past_audience_set(struct past_audience *audience, const struct past_rights *rights);
/* Topics, each followed by NUL, that may not be heard any more, beside those of before. False
 * without memory. */
bool past_audience_withhold(struct past_audience *audience, const struct bytes *topics);
/* `kind`: of the subscription (enum subscription_kind). */
bool past_audience_may_hear(const struct past_audience *audience, const struct logged_event *logged,
                            uint32_t kind);
/* The answer is another for another user. Who hears the other kinds is settled by what was asked
 * for. */
bool past_audience_depends_on_user(uint32_t kind);
void past_audience_free(struct past_audience *audience);

#endif
