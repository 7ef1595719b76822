/* The thread that reads the log for one daemon: what it may still want of the past, then what comes. */
#ifndef ESN_BUS_REDIS_READER_H
#define ESN_BUS_REDIS_READER_H

#include "bus/bus_redis_node.h"

/* Begins when the keeper has agreed on a server, ends when the node is stopped. False without a thread, reason in
 * errno. The caller joins. */
bool redis_reader_start(struct redis_node *node, pthread_t *thread);

#endif
