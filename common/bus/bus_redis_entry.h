/* An entry of the log as Redis answers it, and as it stands among last values and drops. No I/O. */
#ifndef ESN_BUS_REDIS_ENTRY_H
#define ESN_BUS_REDIS_ENTRY_H

#include "bus/bus_redis_node.h"

#include <stdbool.h>

struct redis_entry {
    struct redis_place place;
    bool begins_epoch; /* it says nothing else */
    uint64_t wall_ms;
    const char *message; /* borrowed */
    size_t length;
};

/* Of XREAD, XRANGE and XREVRANGE; false when it is none of this version (the place is read all the same, or 0). */
bool redis_entry_read(struct redis_entry *entry, const struct redis_answer *answer);
/* Of a text "id wall message". */
bool redis_entry_read_text(struct redis_entry *entry, const char *text, size_t length);

enum { REDIS_PLACE_SIZE = 48 };
/* As an id of the log. */
struct redis_word redis_place_write(char out[REDIS_PLACE_SIZE], struct redis_place place);
bool redis_place_read(struct redis_place *place, const struct redis_answer *answer);

#endif
