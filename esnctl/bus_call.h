/* What esnctl says to the daemon on the bus, as the handlers do. */
#ifndef ESN_BUS_CALL_H
#define ESN_BUS_CALL_H

#include "bus/bus.h"
#include "config/config.h"

/* Sends one event or order and waits for its acknowledgement, [publish] time_limit at most. The
 * exit status: good when the daemon has acknowledged and the status of event->ack is for the caller
 * to tell; else it has said why. */
int bus_call(const struct config *config, struct bus_event *event);

#endif
