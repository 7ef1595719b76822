/* A slice of what one client missed: finds the events, has them formatted and queues them. For
 * replay.c. */
#ifndef ESN_REPLAY_SEND_H
#define ESN_REPLAY_SEND_H

#include "events/replay_queue.h"

#include <stdbool.h>

enum {
    /* Things done in one slice, a tenth of a microsecond each. */
    REPLAY_SLICE_WORK = 4096
};

/* Queues the next one, and goes on behind it. False without memory. */
bool replay_send_slice(struct replay *replay);
/* Forgets what is kept from one slice to the next. */
void replay_drop_kept(struct replay *replay);

#endif
