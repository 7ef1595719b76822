/* Tells who watches a client id ("@CONNECTION@/<clid>", docs/protocol.md section 3) how many
 * streams it has. */
#ifndef ESN_PRESENCE_EVENTS_H
#define ESN_PRESENCE_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PRESENCE_EVENT_SIZE = 96 };

struct bytes;
struct service;
struct stream;

/* Tells of those that came ("connect") or went ("disconnect") since the last call, once for each
 * client id, with the newest count. False when there was no time for all of them, unless all are to
 * be told. */
bool presence_events_flush(struct service *service, bool all);
/* Writes the topic of a client id. */
void presence_events_write_topic(struct bytes *topic, const char *clid, size_t length);
/* Writes an event of it: so many streams have it now. Gives its length. */
size_t presence_events_write(char json[PRESENCE_EVENT_SIZE], const char *type, uint32_t instances);
/* Tells a client how many streams the client ids have that it watches, by its topics in the slots
 * from this one on. False without memory. */
bool presence_events_send_available(struct service *service, struct stream *stream, uint32_t first);

#endif
