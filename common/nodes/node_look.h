/* A look at the records of all daemons that share a Redis (node_record.h), for who is none of
 * them. */
#ifndef ESN_NODE_LOOK_H
#define ESN_NODE_LOOK_H

#include "nodes/node_lives.h"
#include "redis/redis_client.h"

#include <stdbool.h>
#include <stdint.h>

/* False with a sentence in error: Redis does not answer, and what was known stays. Records that
 * are of no known form are passed over. */
bool node_look(struct redis_client *client, const char *prefix, struct node_lives *lives,
               uint64_t now_ms, char error[REDIS_CLIENT_ERROR_SIZE]);

/* Those that were found dead by the others, and whose way no other one has yet: each is told. False
 * with a sentence in error. */
bool node_look_at_gone(struct redis_client *client, const char *prefix,
                       void (*tell)(void *context, unsigned node, const struct node_record *record),
                       void *context, char error[REDIS_CLIENT_ERROR_SIZE]);

#endif
