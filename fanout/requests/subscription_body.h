/* The body of a subscription: bytes in, topics or reason out. Pure. */
#ifndef ESN_SUBSCRIPTION_BODY_H
#define ESN_SUBSCRIPTION_BODY_H

#include "config/config.h"
#include "ticket.h"
#include "topics/requested_topics.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The reason of subscription_body_read() when a bind key was given: compare pointers. */
extern const char SUBSCRIPTION_HAS_BIND_KEY[];

struct subscription_body {
    struct json_t *json;
    const char *clid; /* PRESENCE_ANONYMOUS when the client gave none */
    size_t clid_length;
    struct subscription_topic *topics; /* each once, in the order asked for */
    size_t topic_count;
    const char *last_id; /* of the newest event the client had; NULL: it wants no past */
    size_t last_id_length;
    uint64_t connid;    /* its last one; 0: it does not say who it was */
    const char *secret; /* that proves it */
    const char *user;   /* of a ticket; NULL: unbound */
    bool has_wait;      /* says how long it wants to wait for an answer (long-poll) */
    uint64_t wait_ms;
};

/* NULL, or the static reason why the body is refused (docs/protocol.md section 2). Free it either
 * way.
 */
const char *subscription_body_read(struct subscription_body *body, const char *text, size_t length,
                                   const struct config *config);
/* The same of parsed JSON, which it takes over; NULL counts as invalid JSON. */
const char *subscription_body_read_json(struct subscription_body *body, struct json_t *json,
                                        const struct config *config);
/* The same from a ticket, which must outlive the body. */
const char *subscription_body_from_ticket(struct subscription_body *body,
                                          const struct ticket *ticket, const struct config *config);
/* Takes over what a client that comes back says of who it was, for its whispers; borrowed from the
 * JSON. */
void subscription_body_read_former_self(struct subscription_body *body, const struct json_t *json);
void subscription_body_free(struct subscription_body *body);

#endif
