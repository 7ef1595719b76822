/* Ends the streams of a user, a session, a client id or one alone, by order of a backend: in slices
 * of a turn's time, one order after the other, and says how many there were when the last is gone.
 */
#ifndef ESN_DROPPING_H
#define ESN_DROPPING_H

#include "drop.h"
#include "events/drops.h"

#include <stdbool.h>
#include <sys/queue.h>

struct drop_job;
struct service;

struct dropping {
    struct service *service;
    STAILQ_HEAD(, drop_job) jobs; /* in the order in which they came */
    /* Is told of each that is done. */
    void (*done)(void *context, const struct drop_receipt *receipt, uint32_t dropped);
    void *context;
};

/* Of a zeroed one; done is set by the owner. */
void dropping_open(struct dropping *dropping, struct service *service);
/* False without memory. */
bool dropping_begin(struct dropping *dropping, const struct drop *drop,
                    const struct drop_receipt *receipt);
/* False when some are left, for which there was no time in this turn. */
bool dropping_run(struct dropping *dropping);
/* Forgets what is left, after the streams were closed. */
void dropping_close(struct dropping *dropping);

#endif
