/* What a daemon's keeper says and hears: notes of daemons, questions and refusals of handlers, acknowledgements, and
 * who came and went. */
#ifndef ESN_BUS_REDIS_TALK_H
#define ESN_BUS_REDIS_TALK_H

#include "bus/bus_redis_membership.h"

/* Subscribes, unless it has. False with a sentence in keeper->notes.error. */
bool redis_talk_listen(struct redis_keeper *keeper);
/* Waits so long for something to hear, or to send. False when the connection is lost. */
bool redis_talk_hear(struct redis_keeper *keeper, uint64_t wait_ms);
/* Publishes what waits. False when Redis failed: it is lost then. */
bool redis_talk_send(struct redis_keeper *keeper);
/* Compares the peers with what was told of them, tells the rest, and gives the loop the list of the living. `remove`
 * is called for each that died without taking its leave. */
void redis_talk_tell_changes(struct redis_keeper *keeper,
                             void (*remove)(struct redis_keeper *keeper,
                                            const struct redis_peer *peer));

#endif
