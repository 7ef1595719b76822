/* One process of a handler, from its settings to its last request: signals, threads, and the loop
 * that takes requests. */
#ifndef ESN_HANDLER_SERVE_H
#define ESN_HANDLER_SERVE_H

#include "handler_program.h"
#include "listen_socket.h"

struct handler {
    const struct handler_program *program;
    const char *config_path;
    void *settings;                /* owned; begins with a struct config */
    int listener;                  /* HANDLER_CGI: none */
    struct listen_sockets sockets; /* all that it listens on, when supervised */
    struct listen_sockets metrics; /* where it tells its metrics, when supervised */
    bool supervised;
    /* Called once this process takes requests. */
    void (*serving)(const struct handler *handler);
    pid_t supervisor;   /* of a worker */
    const char *listen; /* where the listener is, for the log */
    unsigned workers;
};

/* Serves until it is asked to end; the process's exit status. `handler` is a struct handler. */
int handler_serve(void *handler);
/* Reads the configuration again. True when the settings are new ones; else the old ones stay, and
 * the log says why. */
bool handler_reload(void *handler);
const struct config *handler_config(const struct handler *handler);
void handler_configure_log(const struct handler *handler);

#endif
