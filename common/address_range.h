/* Ranges of internet addresses: `10.0.0.0/8`, `2001:db8::/32`, or one address (RFC 4632, RFC 4291
 * section 2.3). Pure. */
#ifndef ESN_ADDRESS_RANGE_H
#define ESN_ADDRESS_RANGE_H

#include "ip_address.h"

#include <stdbool.h>
#include <stddef.h>

struct address_range {
    struct ip_address address;
    unsigned bits; /* of the 128 */
};

/* False when the text is no range, or has bits set behind its prefix. */
bool address_range_read(struct address_range *range, const char *text);

/* The address, as text without port, is in one of the ranges. What is no address is in none. */
bool address_range_contains(const struct address_range *ranges, size_t count, const char *address);
/* The same for one that was read. */
bool address_range_has(const struct address_range *ranges, size_t count,
                       const struct ip_address *address);

/* The same for ranges as they are written; what is none counts for nothing. */
bool address_range_any_has(char *const *words, const struct ip_address *address);

#endif
