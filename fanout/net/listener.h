/* Sockets on which clients arrive. */
#ifndef ESN_LISTENER_H
#define ESN_LISTENER_H

#include <stdbool.h>

struct server;
struct listener;

/* Listens on every address of [fanout] listen and listen_lines; false with a sentence in error
 * (SERVER_ERROR_SIZE). What was opened is in server->listeners either way. */
bool listener_open_all(struct server *server, char *error);
/* Leaves the loop, which must run once more before listener_free_all(). */
void listener_stop_all(struct server *server);
void listener_free_all(struct server *server);
/* Nothing is accepted for a while; harmless when nothing is. */
void listener_pause_all(struct server *server);
void listener_resume_all(struct server *server);
/* Sets what accepted sockets inherit anew (after a reload). */
void listener_apply_config(struct server *server);

#endif
