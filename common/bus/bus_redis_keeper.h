/* The thread that keeps one daemon among the nodes: its number and lease, who else lives, agreement on a server that is
 * new, notes both ways, acknowledgements. */
#ifndef ESN_BUS_REDIS_KEEPER_H
#define ESN_BUS_REDIS_KEEPER_H

#include "bus/bus_redis_node.h"

/* False without a thread, reason in errno. The caller joins. */
bool redis_keeper_start(struct redis_node *node, pthread_t *thread);

#endif
