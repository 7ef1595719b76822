/* A connection on which a proxy has yet to say whose it is ([fanout] proxy_protocol). What it says
 * stands in front of everything, of TLS too; then the connection is its client's. */
#ifndef ESN_PROXY_OPENING_H
#define ESN_PROXY_OPENING_H

#include "net/net.h"

#include <stdbool.h>

/* Serves the accepted socket of a trusted proxy, and takes it over. False without memory. */
bool proxy_opening_begin(struct net *net, int descriptor, struct arrival arrival);

#endif
