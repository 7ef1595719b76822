#include "bus/bus_redis_look.h"

#include "clock.h"

#include <stdlib.h>

void redis_look_at_nodes(struct redis_peers *peers, const struct redis_answer *nodes)
{
    uint64_t now = clock_monotonic_ms();
    redis_peers_begin(peers, now);
    for (size_t i = 0; i + 1 < redis_answer_count(nodes); i += 2) {
        size_t length;
        struct redis_record record;
        const char *node = redis_answer_text(redis_answer_part(nodes, i), &length);
        const char *text = redis_answer_text(redis_answer_part(nodes, i + 1), &length);
        unsigned long number = node != NULL ? strtoul(node, NULL, 10) : BUS_NODES_MOST;
        if (number < BUS_NODES_MOST && text != NULL && redis_record_read(&record, text))
            (void)redis_peers_see(peers, (unsigned)number, &record, now);
    }
}
