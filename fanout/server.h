/* The daemon. One of these is one loop on one thread; nothing in the daemon is global, so that several
 * may run in one process. Nothing but main() includes this. */
#ifndef ESN_SERVER_H
#define ESN_SERVER_H

#include "server_parts.h"

/* Takes over *config. Opens everything, or nothing: false with a sentence in error. Free with
 * server_close(). */
bool server_open(struct server *server, struct config *config, char error[SERVER_ERROR_SIZE]);
/* The same, of the one that takes over from the program before (NULL: there is none). When it fails
 * the process is to end without another word: what it has is shared. */
bool server_open_as_heir(struct server *server, struct config *config, struct heir *heir,
                         char error[SERVER_ERROR_SIZE]);
/* Serves until SIGTERM or SIGINT has ended every stream. */
void server_run(struct server *server);
void server_close(struct server *server);

#endif
