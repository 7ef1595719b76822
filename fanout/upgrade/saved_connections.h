/* Clients' connections and streams, handed over to the next program (docs/upgrade.md). */
#ifndef ESN_SAVED_CONNECTIONS_H
#define ESN_SAVED_CONNECTIONS_H

#include "bytes.h"
#include "saved_state.h"

#include <stdbool.h>
#include <stddef.h>

struct service;

/* Finds out which of them can be handed over (connection->handed_over). What stays is secured, ends,
 * catches up, is in the middle of what cannot be told, or has more queued than fits into
 * max_pending_total beside what is queued for the others. */
void saved_connections_choose(struct service *service);
/* None is: this program serves on. */
void saved_connections_keep(struct service *service);
/* Writes the sections of those that ended, of connections, and of who is between two. A stream that
 * stays is one that has ended, and whose client is present until it comes back, as between two polls.
 * Descriptors are appended, as ints. */
void saved_connections_save(struct service *service, struct saved_writer *writer,
                            struct bytes *descriptors);
/* Reads those sections; descriptors: one for each connection. False when something is not as it
 * should be, or without memory: what was made until then is there. */
bool saved_connections_load(struct service *service, struct saved_state *state,
                            const int *descriptors, size_t count);
/* Another program has them: ends the streams that stay as when the daemon stops, each client being
 * told when to come back, and lets go of those that were handed over. */
void saved_connections_leave(struct service *service);

#endif
