/* Tells who watches a client id ("@CONNECTION@/<clid>", docs/protocol.md section 3) how many
 * streams it has. */
#ifndef ESN_PRESENCE_EVENTS_H
#define ESN_PRESENCE_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct service;
struct stream;

/* Tells of those that came ("connect") or went ("disconnect") since the last call, once for each
 * client id, with the newest count. False when there was no time for all of them, unless all are to
 * be told. */
bool presence_events_flush(struct service *service, bool all);
/* Tells a client that has caught up what it missed meanwhile: how many streams the client ids have
 * that it watches by name, and which of those that it watches by pattern have come. False without
 * memory. */
bool presence_events_catch_up(struct service *service, struct stream *stream);
/* True of a topic that watches more than one client id. */
bool presence_events_is_pattern(const char *topic, size_t length);
/* Tells a client how many streams the client ids have that it watches, by its topics in the slots
 * from this one on. False without memory. */
bool presence_events_send_available(struct service *service, struct stream *stream, uint32_t first);

#endif
