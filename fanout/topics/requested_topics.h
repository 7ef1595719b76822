/* The topics that a client asks for: a list out, or the reason why it is refused. Pure. */
#ifndef ESN_REQUESTED_TOPICS_H
#define ESN_REQUESTED_TOPICS_H

#include "config/config.h"
#include "ticket.h"
#include "topics/audience.h"

#include <stdbool.h>
#include <stddef.h>

struct json_t;

/* The reason that is no fault of the client: compare pointers. */
extern const char SUBSCRIPTION_NO_MEMORY[];

struct subscription_topic {
    const char *text; /* borrowed from what was read */
    size_t length;
    enum subscription_kind kind;
};

/* Reads an array of event points (docs/protocol.md section 2). NULL, or the static reason why it is
 * refused; *topics, each once and in the order asked for, is to be freed either way. Bound ones are
 * refused unless they may be named. */
const char *requested_topics_read(struct subscription_topic **topics, size_t *count,
                                  const struct json_t *points, bool may_be_bound,
                                  const struct config *config);
/* The same from a ticket. */
const char *requested_topics_from_ticket(struct subscription_topic **topics, size_t *count,
                                         const struct ticket *ticket, const struct config *config);

#endif
