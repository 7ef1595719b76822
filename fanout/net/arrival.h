/* Whose a connection is that has just come. */
#ifndef ESN_ARRIVAL_H
#define ESN_ARRIVAL_H

#include "net/address_limits.h"
#include "net/net.h"

/* From its address, if it has one, and the kind of its socket: whether it is of a trusted proxy. */
void arrival_look(struct arrival *arrival, const struct net *net);
/* Counts it to its address, see address_limits_enter(). Whose a proxy's connection is, each of its
 * requests says, or what it says first: it is not counted. */
enum address_verdict arrival_enter(const struct arrival *arrival, struct net *net,
                                   struct counted_address **counted);

#endif
