/* The daemons that share a Redis, as one who looks at their records again and again knows them. A record that did not
 * change is that of a dead daemon, by the clock of whoever looks, not by that of Redis: within a lease of its death,
 * for who looks as often as they renew. No I/O. */
#ifndef ESN_BUS_REDIS_PEERS_H
#define ESN_BUS_REDIS_PEERS_H

#include "bus/bus_redis_message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In one lease. A change is seen up to one renewal late, and that it did not come another one. */
enum { REDIS_RENEWALS = 12, REDIS_GONE_RENEWALS = REDIS_RENEWALS - 2 };

struct redis_peer {
    unsigned node;
    struct redis_record record;
    char *url;           /* of the record, owned, and never NULL */
    uint64_t changed_at; /* ms of the looker's clock */
    bool is_there;       /* it had a record at the last look */
    bool told;           /* its coming has been told; the looker's to set */
    uint64_t heard;      /* number of the newest note of it */
    uint64_t owed;       /* that it had sent by the look before the last */
};

struct redis_peers {
    struct redis_peer *list; /* by node */
    size_t count, capacity;
    uint64_t lease_ms;
    uint64_t looked_at; /* 0: never */
};

void redis_peers_free(struct redis_peers *peers);
/* A look: begin, see each record, end. What could not be looked at for long says nothing of who is dead: all have a
 * lease from then on. */
void redis_peers_begin(struct redis_peers *peers, uint64_t now_ms);
/* The peer, borrowed until the next call; another boot than before makes it a new one. NULL without memory. */
struct redis_peer *redis_peers_see(struct redis_peers *peers, unsigned node,
                                   const struct redis_record *record, uint64_t now_ms);
struct redis_peer *redis_peers_find(const struct redis_peers *peers, unsigned node);
bool redis_peers_live(const struct redis_peers *peers, const struct redis_peer *peer,
                      uint64_t now_ms);
void redis_peers_remove(struct redis_peers *peers, struct redis_peer *peer);

#endif
