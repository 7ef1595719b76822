/* What the workers of a handler count, in memory that all of them share, so that each can tell it for
 * all and none is lost when a worker ends. A process that has no supervisor counts nothing: the web
 * server may end it after any request. */
#ifndef ESN_HANDLER_COUNTERS_H
#define ESN_HANDLER_COUNTERS_H

#include "bus/bus.h"
#include "exposition.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In the supervisor, before its first worker; false without memory (errno). Once for a process. */
bool handler_counters_share(void);
/* A request was answered with this status, or handed on to the daemon (0), so long after it began. */
void handler_counters_note_request(int status, uint64_t took_ns);
/* Events went over the bus together, and this became of them. */
void handler_counters_note_events(const struct bus_event *events, size_t count, uint64_t took_ns);
/* Of a program that publishes: what became of its events as well. */
void handler_counters_write(struct exposition *out, const char *handler, unsigned workers,
                            bool publishes);

#endif
