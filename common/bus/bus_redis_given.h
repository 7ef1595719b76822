/* What a daemon was given lately, by which it knows again what comes a second time: an event that Redis lost, and that
 * its handler, who was not answered, published once more. No I/O. */
#ifndef ESN_BUS_REDIS_GIVEN_H
#define ESN_BUS_REDIS_GIVEN_H

#include "envelope.h"

#include <stdbool.h>
#include <stddef.h>

/* More than all handlers have on their way at once. */
enum { REDIS_GIVEN_MOST = 4096 };

/* Zeroed: nothing. */
struct redis_given {
    unsigned char keys[REDIS_GIVEN_MOST][ENVELOPE_POST_KEY_SIZE];
    size_t count;    /* that were noted, ever */
    size_t doubtful; /* so many of the next ones may have been given before */
};

/* Events have been lost: those that come now may be known. */
void redis_given_doubt(struct redis_given *given);
/* Notes an event; true when it was given before. */
bool redis_given_note(struct redis_given *given, const struct envelope *envelope);

#endif
