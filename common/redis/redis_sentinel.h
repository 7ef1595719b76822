/* Asks sentinels where the master is. */
#ifndef ESN_REDIS_SENTINEL_H
#define ESN_REDIS_SENTINEL_H

#include "redis/redis_client.h"

/* One sentinel after the other, until one knows; each has its part of the time. */
redis_locate redis_sentinel_locate;

#endif
