/* What a subscription asks for, and whether it may be asked: the body of `POST /` (docs/protocol.md
 * section 2), bytes in, the ticket's content or a reason out. Pure. */
#ifndef ESN_AUTHORISE_SUBSCRIPTION_H
#define ESN_AUTHORISE_SUBSCRIPTION_H

#include "config/config.h"
#include "ticket.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct subscription {
    struct ticket_topic *topics;
    size_t topic_count;
    bool bound;           /* some topic is */
    const char *clid;     /* NULL: none */
    const char *last_id;  /* NULL: no past is wanted */
    const char *bind_key; /* NULL: none */
    size_t bind_key_length;
    uint64_t connid;    /* the client's last one; 0: it does not say who it was */
    const char *secret; /* that proves it; NULL with connid 0 */
    uint64_t wait_ms;   /* how long a poll is to wait, when has_wait */
    bool has_wait;
    void *json; /* owns the texts */
};

/* The one reason that is not the client's fault. */
extern const char AUTHORISE_NO_MEMORY[];

/* NULL, or the static reason of a 400 (AUTHORISE_NO_MEMORY: of a 500); *subscription is to be freed
 * either way. The limits are those of [fanout], which the daemon applies again. */
const char *authorise_subscription_read(struct subscription *subscription, const char *text,
                                        size_t length, const struct config *config);
/* The same for what stands in a query. */
const char *authorise_subscription_read_query(struct subscription *subscription, const char *query,
                                              const struct config *config);
void authorise_subscription_free(struct subscription *subscription);

/* What the ticket says; `user` is NULL without a bind key. Borrows from both. */
struct ticket authorise_subscription_ticket(const struct subscription *subscription,
                                            const char *user);

#endif
