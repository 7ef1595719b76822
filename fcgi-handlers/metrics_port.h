/* A handler's `/metrics`: web servers speak FastCGI to it, Prometheus does not. A small HTTP server
 * in a thread of each worker, of which any answers for all; one client at a time, in little time,
 * and only from the addresses that may ([metrics] addresses). */
#ifndef ESN_METRICS_PORT_H
#define ESN_METRICS_PORT_H

#include "config/config.h"
#include "listen_socket.h"

#include <stdbool.h>

struct metrics_port;

/* Borrowed. */
struct metrics_port_options {
    const struct config *config;
    const struct listen_sockets *sockets;
    const char *handler; /* its name */
    unsigned workers;
    bool publishes; /* it tells of events, too */
};

/* In a worker, whose signals are blocked: the thread takes none. NULL when there is nothing to listen
 * on, or, said in the log, no thread. */
struct metrics_port *metrics_port_begin(const struct metrics_port_options *options);
void metrics_port_end(struct metrics_port **port);

#endif
