/* What a client is told that may not stay. */
#ifndef ESN_REFUSED_CLIENT_H
#define ESN_REFUSED_CLIENT_H

#include "net/net.h"

#include <stddef.h>

/* A courtesy, since it is closed either way: answers what it has sent so far, as far as the socket
 * takes it. */
void refused_client_answer(const struct net *net, int descriptor, const struct arrival *arrival,
                           const char *bytes, size_t count, const char *words);

#endif
