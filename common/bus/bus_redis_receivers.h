/* What the living daemons say of the events of one call of bus_publish(): who has said it of which, the receivers
 * summed up, the answers to questions gathered. No I/O. */
#ifndef ESN_BUS_REDIS_RECEIVERS_H
#define ESN_BUS_REDIS_RECEIVERS_H

#include "bus/bus.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct redis_receivers {
    struct bus_event *events;
    size_t count;
    uint64_t first_sequence;
    const unsigned *nodes; /* that are waited for, borrowed */
    size_t node_count;
    unsigned char *said;    /* a byte for each event and node, event by event */
    size_t missing;         /* of those bytes: 0, everybody has said everything */
    size_t missing_answers; /* of those, to questions */
};

/* The events have been taken: each has the status that the script gave it. Those that were published now, drops and
 * questions are waited for. False without memory: then nothing is. */
bool redis_receivers_begin(struct redis_receivers *receivers, struct bus_event *events,
                           size_t count, uint64_t first_sequence, const unsigned *nodes,
                           size_t node_count);
/* What came on the channel of acknowledgements; what is of an earlier call counts for nothing. */
void redis_receivers_take(struct redis_receivers *receivers, const char *data, size_t length);
/* Says of each event whether it is complete; a question that nobody has answered, or not everybody while nobody knew
 * anything, is not acknowledged. */
void redis_receivers_end(struct redis_receivers *receivers);

#endif
