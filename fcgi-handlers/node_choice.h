/* Which of several daemons a subscriber is sent to (docs/nodes.md): to the one where its stream
 * was, when it comes back and that one lives, else to the emptier of two taken at random. Used
 * by all threads; one of them at a time looks in Redis, once a second at most, and the others go
 * on with what is known. */
#ifndef ESN_NODE_CHOICE_H
#define ESN_NODE_CHOICE_H

#include "config/config.h"
#include "nodes/node_record.h"
#include "redis/redis_config.h"

#include <stdbool.h>
#include <stdint.h>

struct node_choice;

/* config and redis outlive it. NULL without memory. */
struct node_choice *node_choice_open(const struct config *config, const struct redis_config *redis);
void node_choice_close(struct node_choice **choice);

struct chosen_node {
    unsigned node;
    char way[NODE_WAY_SIZE];
};

/* former_connid: of the stream that the client had; 0: none. False: none is known that says
 * where it is reached in the way that [handoff] mode goes, or there is one daemon alone; then
 * the web server decides. */
bool node_choice_make(struct node_choice *choice, uint64_t former_connid,
                      struct chosen_node *chosen);

#endif
