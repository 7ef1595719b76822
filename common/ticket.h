/* Tickets: what esn-subscribe hands to the daemon with a subscriber, and what a backend may make
 * itself. A JWT (RFC 7519) signed with HS256 and nothing else, for the audience "esn-fanout", valid
 * for seconds and once.
 *
 *     {"aud": "esn-fanout", "exp": 1700000010, "iat": 1700000000, "jti": "random", "uid": "ana",
 *      "ep": ["a/b", {"topic": "@USER@", "binded": true}, {"topic": "orders/4711", "private": true}],
 *      "clid": "page", "last_id": "7-12", "until": 1700000600, "since": 1699999900, "sid": "9f2c"}
 *
 * `uid`, `clid`, `last_id`, `until` (when the user's proof ends), `since` (when it was made, if the
 * ticket is newer) and `sid` (the application's session) may be missing or null, and times may have
 * fractions. `ep` is as in a subscription request; a bound or private topic needs a `uid`, and a
 * private one is granted by standing there. In place of `ep` a ticket may have `body`, the SHA-256
 * of the body of a request in lower-case hexadecimal: it is worth something beside that body alone,
 * and the topics are the body's `ep`. So a ticket has a bounded size however many they are.
 *
 * `deaf` has those bound topics that the user may not hear now, and `unregistered` those of them
 * that nobody may; of a client that wants what it missed, `inbox` has those that it follows and may
 * hear. What is missing was not looked at, and is not replayed.
 *
 * Of several daemons (docs/nodes.md) `node` has the number of the one that is to take it, and no
 * other does; without it any does, and tells the others. */
#ifndef ESN_TICKET_H
#define ESN_TICKET_H

#include "bytes.h"
#include "config/config.h"
#include "past_rights.h"
#include "requested_topics.h"
#include "secret.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TICKET_AUDIENCE "esn-fanout"

enum {
    TICKET_SIZE_MAX = 7500, /* it travels in header lines */
    TICKET_ID_MAX = 64,
    TICKET_DIGEST_SIZE = 65, /* with its NUL */
    TICKET_SECRET_MIN = 32   /* characters: shorter ones could be found by trying */
};

struct ticket_rules {
    const struct secret_list
        *secrets;        /* signs with the first, takes any: so they are changed without a gap */
    unsigned life_s;     /* of the tickets signed */
    unsigned life_max_s; /* of the tickets taken: bounds the memory of used ones */
    unsigned skew_s;     /* between the clocks of who signs and who takes */
};

/* All texts are borrowed: of a ticket that was read, from `storage`. NULL: absent. */
struct ticket {
    const char *user; /* canonical user id, or USER_ID_NO_USER */
    const struct requested_topic *topics;
    size_t topic_count;
    const char *clid;
    const char *last_id;
    const char *sid;                /* the application's session */
    uint64_t until_ms;              /* when the proof ends, wall clock; 0: nobody said */
    uint64_t since_ms;              /* when it was made; 0: with the ticket, or nobody said */
    const struct past_rights *past; /* NULL: nothing was looked at */
    bool names_node;                /* it is for ... */
    unsigned node;                  /* ... this daemon of several, below NODE_NUMBERS */
    const char *body;   /* the digest of the body that has the topics; NULL: they are here */
    uint64_t issued_ms; /* iat; 0 of one that was read: it does not say, of one to sign: now */
    /* Of a ticket that was read; signing makes its own. */
    const char *id;          /* jti, for the memory of used tickets */
    uint64_t forget_after_s; /* from then on the ticket is refused for its age */
    struct ticket_storage *storage;
};

enum ticket_result {
    TICKET_OK,
    TICKET_TOO_LARGE, /* more than TICKET_SIZE_MAX: 413 */
    TICKET_REFUSED,
    TICKET_NO_RESOURCES /* memory or random numbers */
};

struct ticket_rules ticket_rules_of(const struct config *config, const struct secret_list *secrets);
/* NULL when the rules can be used, else a sentence. */
const char *ticket_rules_fault(const struct ticket_rules *rules);

/* The digest of a body, as a ticket has it. False: OpenSSL failed. */
bool ticket_digest(char digest[TICKET_DIGEST_SIZE], const void *body, size_t length);
/* True when the ticket has the digest of this body. */
bool ticket_is_of_body(const struct ticket *ticket, const void *body, size_t length);

/* Appends a ticket: characters of base64url and dots only. Not TICKET_REFUSED. */
enum ticket_result ticket_sign(struct bytes *out, const struct ticket_rules *rules,
                               const struct ticket *ticket, uint64_t now_s);

/* TICKET_OK: *ticket is filled, the caller frees it with ticket_free(). Else it is empty, and *why
 * (when given) a few static words for the log; clients are all told the same. Topics are not looked
 * at beyond being texts. Whether the ticket was used before is another question: used_tickets.h. */
enum ticket_result ticket_read(struct ticket *ticket, const struct ticket_rules *rules,
                               const char *text, size_t length, uint64_t now_s, const char **why);
void ticket_free(struct ticket *ticket);

#endif
