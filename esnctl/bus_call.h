/* What esnctl says to the daemon on the bus, as the handlers do. */
#ifndef ESN_BUS_CALL_H
#define ESN_BUS_CALL_H

#include "bus/bus.h"
#include "config/config.h"

/* Sends one event or order and waits for its acknowledgement, [publish] time_limit at most. The
 * exit status: good when the daemon has acknowledged and the status of event->ack is for the caller
 * to tell; else it has said why. */
int bus_call(const struct config *config, struct bus_event *event);
/* Says on standard error what is wrong with the sockets of this machine, when that is why nobody
 * answered. */
void bus_call_explain(const struct config *config);

#endif
