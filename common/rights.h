/* Who may say what to whom: decisions over a registered topic's row. Pure: no database, no clock,
 * no password. A publisher is answered in this order:
 *   - acl_find_topic() finds none: "unregistered";
 *   - rights_check_publisher() does not grant: "forbidden";
 *   - password_check(), when the row has a pub_password: "wrong password";
 *   - then rights_find_receivers(), or rights_find_inboxes() for a targeted event.
 * docs/rights.md says the same in words for operators. */
#ifndef ESN_RIGHTS_H
#define ESN_RIGHTS_H

#include "acl/acl.h"
#include "bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum rights_result {
    RIGHTS_GRANTED,
    RIGHTS_FORBIDDEN,
    RIGHTS_UNBOUND, /* the publisher has no valid bind key: refuse the whole request with 400 */
    RIGHTS_DAMAGED, /* pub or sub is no JSON array: nothing is granted; say so in the log */
    RIGHTS_NO_MEMORY
};

/* `publisher` is a canonical user id (user_id.h) or USER_ID_NO_USER; NULL: unbound. `ignored`, when
 * given, is set to the number of entries of `pub` that mean nobody. */
enum rights_result rights_check_publisher(const struct acl_topic *row, const char *publisher,
                                          size_t *ignored);

/* What goes onto the bus. `allowed` is cleared and filled with user ids, each followed by NUL
 * (USER_ID_NO_USER among them when sessions without a user may hear); empty when the flags already
 * say everybody. *flags: ENVELOPE_BOUND and whichever of ENVELOPE_EVERYONE, ENVELOPE_ALL_USERS,
 * ENVELOPE_TARGETED apply. */
enum rights_result rights_find_receivers(const struct acl_topic *row, uint16_t *flags,
                                         struct bytes *allowed);
/* The same for a targeted event: those followers who may hear the topic. `followers` as
 * acl_find_followers() gives them. */
enum rights_result rights_find_inboxes(const struct acl_topic *row, const struct bytes *followers,
                                       uint16_t *flags, struct bytes *allowed);

/* The other end's question: may a subscription of this user (NULL: an unbound one) hear an event
 * with these flags and allowed users? Walks over `allowed`: for many subscriptions look the user up
 * in a struct user_set instead. */
bool rights_may_hear(uint16_t flags, const char *allowed, size_t allowed_length, const char *user);

#endif
