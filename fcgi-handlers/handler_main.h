/* What the handlers have in common: options, configuration, signals, workers, and the loop that
 * takes requests. */
#ifndef ESN_HANDLER_MAIN_H
#define ESN_HANDLER_MAIN_H

#include "config.h"
#include "handler_request.h"

#include <stdbool.h>

struct handler_program {
    const char *name;
    const char *help;
    /* Reads the configuration and what it names; NULL with a sentence in error. */
    void *(*load)(const char *path, char error[CONFIG_ERROR_SIZE]);
    void (*unload)(void *settings);
    const struct config *(*config)(const void *settings);
    /* Says in the log what will not work, for want of configuration. */
    void (*warn)(const void *settings);
    /* How many requests one supervised process serves at once, each in a thread of its own. */
    unsigned (*threads)(const void *settings);
    /* What the threads of a process share. `lasting`: more than one request will be served. NULL
     * without memory. */
    void *(*open)(const void *settings, bool lasting);
    void (*close)(void *shared);
    /* What one thread needs to serve; settings and what is shared outlive it. NULL, and said in the
     * log, when that cannot be had. */
    void *(*begin)(const void *settings, void *shared);
    /* Serves one request with exactly one answer. */
    void (*handle)(void *service, struct handler_request *request);
    void (*end)(void *service);
};

/* Runs until it is asked to end; the process's exit status. */
int handler_main(const struct handler_program *program, int argc, char **argv);

#endif
