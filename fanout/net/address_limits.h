/* Counts connections by the address they come from, so that one client cannot take all that there
 * are. Only those that are asked for are counted. */
#ifndef ESN_ADDRESS_LIMITS_H
#define ESN_ADDRESS_LIMITS_H

#include "hash_table.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* One address, or one IPv6 network of 64 bits: whoever has one address of it has them all. */
struct counted_address;

struct address_limits {
    struct hash_table by_address;
    uint64_t seed; /* set by the owner */
};

enum address_verdict {
    ADDRESS_ADMITTED,
    ADDRESS_HAS_MOST, /* not counted */
    ADDRESS_NO_MEMORY /* not counted */
};

/* Counts a connection, unless `most` of that address are counted already. *counted is for
 * address_limits_leave(); NULL unless admitted, and for addresses that are neither IPv4 nor IPv6,
 * which are admitted and not counted. */
enum address_verdict address_limits_enter(struct address_limits *limits,
                                          const struct sockaddr *address, uint64_t most,
                                          struct counted_address **counted);
/* Harmless on NULL; clears it. */
void address_limits_leave(struct address_limits *limits, struct counted_address **counted);
/* Frees the table; everybody has left. */
void address_limits_free(struct address_limits *limits);

#endif
