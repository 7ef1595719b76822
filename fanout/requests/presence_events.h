/* Tells who watches a client id ("@CONNECTION@/<clid>", docs/protocol.md section 3) how many
 * streams it has. */
#ifndef ESN_PRESENCE_EVENTS_H
#define ESN_PRESENCE_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

struct presence_entry;
struct service;
struct stream;

/* A stream of this client id came ("connect") or went ("disconnect"); instances: how many it has
 * then. */
void presence_events_publish(struct service *service, const char *type,
                             const struct presence_entry *entry, uint32_t instances);
/* Tells a client how many streams the client ids have that it watches, by its topics in the slots
 * from this one on. False without memory. */
bool presence_events_send_available(struct service *service, struct stream *stream, uint32_t first);

#endif
