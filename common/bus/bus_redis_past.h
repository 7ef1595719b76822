/* What a daemon that begins is given of the past: last values and drops from before the window of its log, and where
 * that window begins. */
#ifndef ESN_BUS_REDIS_PAST_H
#define ESN_BUS_REDIS_PAST_H

#include "bus/bus_redis_entry.h"

#include <stdbool.h>

/* The window in the log: all behind `before`, up to `newest`. */
struct redis_window {
    struct redis_place before, newest;
    size_t page; /* so many entries are asked for at once; set by the caller */
};

/* Walks back from the newest event, as far as age and bytes allow, within one epoch. False when Redis failed. */
bool redis_past_find_window(const struct redis_node *node, struct redis_link *link,
                            struct redis_window *window);
/* Puts last values and drops from before the window into the queue. False when Redis failed, or the node is to stop. */
bool redis_past_put_values(struct redis_node *node, struct redis_link *link,
                           const struct redis_window *window);
bool redis_past_put_drops(struct redis_node *node, struct redis_link *link,
                          const struct redis_window *window);

#endif
