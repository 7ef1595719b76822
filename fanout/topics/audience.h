/* Who may hear one event, beyond its topic (docs/protocol.md section 4). */
#ifndef ESN_AUDIENCE_H
#define ESN_AUDIENCE_H

#include "event.h"
#include "requested_topics.h"
#include "user_set.h"

#include <stdbool.h>

/* What a subscription is; each kind has a topic index of its own. */
enum subscription_kind {
    SUBSCRIPTION_OPEN,    /* hears what is not bound */
    SUBSCRIPTION_BOUND,   /* hears bound events that its user may hear */
    SUBSCRIPTION_INBOX,   /* @USER@: hears what is targeted at its user; indexed by user id */
    SUBSCRIPTION_PRIVATE, /* hears private events; it was granted before it began */
    SUBSCRIPTION_KINDS
};

struct audience {
    const struct event *event; /* the owner's */
    struct user_set users;     /* whom it is for, filled when the first receiver asks */
    bool filled, failed;
};

#define AUDIENCE_INBOX_TOPIC "@USER@"

/* What subscribing to this topic makes: a bound @USER@ is an inbox. */
enum subscription_kind audience_kind_of(const struct requested_topic *topic);

/* Which kinds of event (flags) a kind of subscription is for, whoever its user. */
bool audience_suits(uint16_t flags, enum subscription_kind kind);
/* True when a subscription of this kind and user (NULL: none) may hear it. */
bool audience_has(struct audience *audience, enum subscription_kind kind, const char *user);
/* For events of the log, one receiver at a time. */
bool audience_may_hear(const struct event *event, enum subscription_kind kind, const char *user);
/* Frees the set; harmless when there is none. */
void audience_free(struct audience *audience);

#endif
