/* Reads the hash of nodes, as Redis answers it, into what is known of the daemons. No I/O. */
#ifndef ESN_BUS_REDIS_LOOK_H
#define ESN_BUS_REDIS_LOOK_H

#include "bus/bus_redis_peers.h"
#include "redis/redis_client.h"

/* A whole look of now: begins, sees each. */
void redis_look_at_nodes(struct redis_peers *peers, const struct redis_answer *nodes);

#endif
