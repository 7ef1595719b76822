/* Whether the server that a daemon has come to has all that daemons have seen (docs/bus.md, "Another Redis than
 * before"). */
#ifndef ESN_BUS_REDIS_AGREEMENT_H
#define ESN_BUS_REDIS_AGREEMENT_H

#include "bus/bus_redis_membership.h"

enum redis_agreement {
    REDIS_AGREED,
    REDIS_NOT_YET, /* others have not said how far they had seen; or something was settled: look again */
    REDIS_FAILED /* Redis, with a sentence in link.error */
};

/* Looks, and settles what can be settled. Fills keeper->caught_up. */
enum redis_agreement redis_agreement_seek(struct redis_keeper *keeper);

#endif
