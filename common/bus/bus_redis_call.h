/* One call of the script by which a handler publishes: its words, and what it answers. No I/O. */
#ifndef ESN_BUS_REDIS_CALL_H
#define ESN_BUS_REDIS_CALL_H

#include "bus/bus.h"
#include "bytes.h"
#include "redis/redis_client.h"

#include <stdbool.h>

struct redis_call {
    struct bytes text;        /* all that is no event's own text */
    struct redis_word *words; /* to be given to redis_link_call() */
    size_t count, capacity;
    bool failed; /* without memory */
};

/* Who calls, and for the how-manieth time. */
struct redis_caller {
    const struct bus_redis_options *options;
    const char *run; /* of the server that is called */
    uint64_t publisher;
    uint64_t batch;
};

/* Fills the words for some events, of which the first has this sequence. False without memory. */
bool redis_call_write(struct redis_call *call, const struct redis_caller *caller,
                      const struct bus_event *events, size_t count, uint64_t first_sequence);
void redis_call_free(struct redis_call *call);

/* Reads what became of the events from the script's text; false when it is none, or of another number of events. */
bool redis_call_read(struct bus_event *events, size_t count, uint64_t first_sequence,
                     const char *text);

#endif
