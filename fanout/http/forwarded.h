/* Who asks, when a proxy says so: `X-Forwarded-For`, or `Forwarded` (RFC 7239). Pure.
 *
 * Each proxy adds the address that it was asked from behind what it was given, and what it was given
 * may be anybody's invention. So the list is read from its end, as far as those who wrote it are
 * trusted. */
#ifndef ESN_FORWARDED_H
#define ESN_FORWARDED_H

#include "address_range.h"

#include <stdbool.h>
#include <stddef.h>

/* As [fanout] proxy_header has it. */
enum forwarded_form { FORWARDED_X_FORWARDED_FOR, FORWARDED_RFC_7239 };

/* The last address that is no trusted proxy's, or the first one of all when each is. False when the
 * last element says none (`unknown`, `_hidden`, nonsense): then nothing is known beyond the proxy
 * that handed the list over; behind others of that kind the address that follows them counts. */
bool forwarded_find_client(struct ip_address *client, const char *list, enum forwarded_form form,
                           const struct address_range *proxies, size_t proxy_count);

#endif
