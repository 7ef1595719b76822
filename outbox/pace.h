/* How long to wait before the table is looked at again. Pure. */
#ifndef ESN_PACE_H
#define ESN_PACE_H

#include "outbox_worker.h"

#include <stdbool.h>
#include <stdint.h>

struct pace {
    uint64_t idle_ms; /* the pause before last, while there is nothing; 0: there was something */
    uint64_t away_ms; /* likewise, while somebody does not answer */
};

/* The pause after a turn, in milliseconds. `held_ms`: until a queue that waits may be tried. */
uint64_t pace_next(struct pace *pace, const struct config *config, enum outbox_turn turn,
                   uint64_t held_ms);
/* Somebody rang. */
void pace_hurry(struct pace *pace);
/* While somebody does not answer, no ring ends the pause. */
bool pace_is_deaf(enum outbox_turn turn);

#endif
