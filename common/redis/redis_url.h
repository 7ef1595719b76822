/* Where a Redis is, as the configuration writes it: "redis://host:port/database", of which port
 * (6379) and database (0) may be missing, or "unix:/path" with "?db=1" when it is another. Pure. */
#ifndef ESN_REDIS_URL_H
#define ESN_REDIS_URL_H

#include "net_address.h"

enum { REDIS_URL_SOCKET_SIZE = 108 };

struct redis_url {
    struct net_address address;         /* when socket is empty */
    char socket[REDIS_URL_SOCKET_SIZE]; /* "": by TCP */
    unsigned database;
};

/* NULL, and *url is filled; else what the text should be, static. */
const char *redis_url_read(struct redis_url *url, const char *text);

#endif
