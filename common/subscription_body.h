/* A subscription as it is asked for (docs/protocol.md sections 2 and 8): bytes, a query or a ticket
 * in, topics or the reason out. Read alike by esn-subscribe and by the daemon. Pure. */
#ifndef ESN_SUBSCRIPTION_BODY_H
#define ESN_SUBSCRIPTION_BODY_H

#include "config/config.h"
#include "identity/access_token.h"
#include "requested_topics.h"
#include "ticket.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What whoever reads it allows beyond topics for everybody. */
enum subscription_allow {
    SUBSCRIPTION_PROOF = 1,        /* a bind key or an access token, and what needs one */
    SUBSCRIPTION_TOPICS_LATER = 2, /* in a query: no topic, by who can speak later */
    SUBSCRIPTION_PROVEN = 4        /* what needs a proof, since it stands elsewhere */
};

/* The reason when a proof was given and is not allowed, whatever else is wrong: compare pointers.
 */
extern const char SUBSCRIPTION_HAS_BIND_KEY[];
extern const char SUBSCRIPTION_HAS_TOKEN[];
/* The reason why no tree is built of a text: json_text_weight() is more than any subscription. */
extern const char SUBSCRIPTION_TOO_HEAVY[];

struct subscription_body {
    struct json_t *json; /* owns the texts; NULL: they are a ticket's */
    const char *clid;    /* NULL: the client gave none */
    struct requested_topics topics;
    const char *last_id;  /* of the newest event the client had; NULL: it wants no past */
    uint64_t connid;      /* its last one; 0: it does not say who it was */
    const char *secret;   /* that proves it; NULL with connid 0 */
    const char *bind_key; /* may have NUL inside; NULL: none */
    size_t bind_key_length;
    const char *token; /* an access token; NULL: none */
    size_t token_length;
    const char *user;               /* of a ticket, like the next two; NULL: unbound */
    const char *sid;                /* NULL: none */
    uint64_t until_ms;              /* wall clock; 0: nobody said */
    const struct past_rights *past; /* of a ticket, likewise */
    struct past_rights placed;      /* the same, once places have become names: past points here */
    bool says_had;                  /* will say which events it had, where a post wants to know */
    bool has_wait;                  /* says how long it wants to wait for an answer (long-poll) */
    uint64_t wait_ms;
};

/* All return NULL, or the reason why the subscription is refused: static, or of *body, which is to
 * be freed either way. `allow`: of enum subscription_allow. */
const char *subscription_body_read(struct subscription_body *body, const char *text, size_t length,
                                   unsigned allow, const struct config *config);
bool subscription_body_is_too_heavy(const char *text, size_t length, const struct config *config);
/* The same as subscription_body_read() of parsed JSON, which it takes over; NULL counts as invalid
 * JSON. */
const char *subscription_body_read_json(struct subscription_body *body, struct json_t *json,
                                        unsigned allow, const struct config *config);
const char *subscription_body_read_query(struct subscription_body *body, const char *query,
                                         unsigned allow, const struct config *config);
/* What a ticket says, which must outlive the body. */
const char *subscription_body_from_ticket(struct subscription_body *body,
                                          const struct ticket *ticket, const struct config *config);
/* The same, with the topics of the body that the ticket stands for (ticket_is_of_body()). */
const char *subscription_body_from_ticket_and_body(struct subscription_body *body,
                                                   const struct ticket *ticket, const char *text,
                                                   size_t length, const struct config *config);
/* The ticket for it; `identity` is NULL without a proof. Borrows from both. */
struct ticket subscription_body_ticket(const struct subscription_body *body,
                                       const struct identity *identity);

/* Whoever comes with a ticket says beside it who it was, and whether it will say what it had: sets
 * connid, secret and says_had when `json` has them. */
void subscription_body_read_former_self(struct subscription_body *body, const struct json_t *json);
void subscription_body_free(struct subscription_body *body);

#endif
