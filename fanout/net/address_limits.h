/* Counts connections and work by the address they come from, so that one client cannot take all
 * that there is. */
#ifndef ESN_ADDRESS_LIMITS_H
#define ESN_ADDRESS_LIMITS_H

#include "hash_table.h"
#include "ip_address.h"
#include "net/turn_shares.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

enum { COUNTED_ADDRESS_TEXT_SIZE = IP_ADDRESS_TEXT_SIZE + 4 };

/* One address, or one IPv6 network of 64 bits: whoever has one address of it has them all. */
struct counted_address {
    struct hash_node by_address;
    TAILQ_ENTRY(counted_address) by_age; /* while it has no connection */
    struct turn_share share;
    uint64_t connections;
    uint64_t waiting; /* requests that wait for its share, see requests/waiting_requests.h */
    uint64_t topics;  /* bytes of those of its streams, see streams/topic_limits.h */
    uint64_t bodies;  /* bytes that are coming in, see http/input_budget.h */
    uint64_t left_at_ms;
    struct ip_address network;
};

struct address_limits {
    struct hash_table by_address;
    TAILQ_HEAD(, counted_address) left; /* those without connections, oldest first */
    uint64_t seed;                      /* set by the owner */
};

enum address_verdict {
    ADDRESS_ADMITTED,
    ADDRESS_HAS_MOST, /* not counted */
    ADDRESS_NO_MEMORY /* not counted */
};

/* Of a zeroed one. */
void address_limits_open(struct address_limits *limits);
/* Counts a connection, unless `most` (0: any number) of that address are counted already. *counted
 * is for address_limits_leave(); NULL unless admitted. */
enum address_verdict address_limits_enter(struct address_limits *limits,
                                          const struct ip_address *address, uint64_t most,
                                          uint64_t now_ms, struct counted_address **counted);
/* Harmless on NULL; clears it. What the address has used is remembered for a moment, so that coming
 * anew is no way out of it. */
void address_limits_leave(struct address_limits *limits, uint64_t now_ms,
                          struct counted_address **counted);
/* `192.0.2.1`, `2001:db8:1:2::/64`; NULL is nobody, "". Gives out. */
const char *counted_address_write(const struct counted_address *counted,
                                  char out[COUNTED_ADDRESS_TEXT_SIZE]);
/* Bytes held. */
uint64_t address_limits_bytes(const struct address_limits *limits);
/* Frees all; everybody has left. */
void address_limits_free(struct address_limits *limits);

#endif
