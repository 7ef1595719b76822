/* The daemon's state as a whole, from one program to the next (docs/upgrade.md). */
#ifndef ESN_HANDOVER_H
#define ESN_HANDOVER_H

#include <stdbool.h>

struct heir;
struct server;

/* So that it can hand over when it is asked to. */
void handover_open(struct server *server);
/* Waits for the state of the program before, and takes what it knew of events, users and streams,
 * after which that is opened that goes on with it. False with a sentence in error
 * (SERVER_ERROR_SIZE). */
bool handover_take_tables(struct server *server, struct heir *heir, char *error);
/* Takes the clients over, last of all, and waits until the program before does nothing any more. */
bool handover_take_clients(struct server *server, struct heir *heir, char *error);

#endif
