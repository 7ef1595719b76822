/* The daemon as one of several on one engine: what ties its parts to events/nodes.h and events/node_notes.h. Of an
 * engine for one daemon alone none of it does anything. */
#ifndef ESN_NODE_H
#define ESN_NODE_H

#include <stdbool.h>

struct server;

/* Before the bus is opened. */
void node_prepare(struct server *server);
/* The bus is open, and nobody is served yet. goes_on: what is known is that of the program before. False with a
 * sentence in error (SERVER_ERROR_SIZE). */
bool node_open(struct server *server, bool goes_on, char *error);
/* After the bus was opened again by the program that had it: it is the same daemon to the others. False with a
 * sentence in error (SERVER_ERROR_SIZE). */
bool node_is_the_same(const struct server *server, char *error);
/* In each turn of the loop; false: there is more to be done at once. */
bool node_run(struct server *server);
/* What waits to be told is told now: the inbox is about to be closed. */
void node_flush(struct server *server);
/* All streams have ended, and the loop is to be left. */
void node_stop(struct server *server);
void node_close(struct server *server);

#endif
