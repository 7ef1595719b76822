/* What one handler does, beside what all of them do. */
#ifndef ESN_HANDLER_PROGRAM_H
#define ESN_HANDLER_PROGRAM_H

#include "config/config.h"
#include "handler_request.h"

#include <stdbool.h>
#include <stddef.h>

/* What a handler reads at its start and at SIGHUP. Settings begin with their struct config. */
struct handler_settings {
    /* Reads the configuration and what it names; NULL with a sentence in error. */
    void *(*load)(const char *path, char error[CONFIG_ERROR_SIZE]);
    void (*unload)(void *settings);
    /* For --check-config: looks at what is not a file; false after it said on standard error what
     * is wrong. NULL: nothing. */
    bool (*check)(const void *settings);
    /* Says in the log what will not work, for want of configuration. */
    void (*warn)(const void *settings);
    /* How many requests one supervised process serves at once, each in a thread of its own. */
    unsigned (*threads)(const struct config *config);
    /* How many connections of the web server such a process keeps for further requests; NULL: none. */
    unsigned (*kept_connections)(const struct config *config);
    /* Where it tells its metrics; NULL: nowhere. */
    const char *(*metrics_listen)(const struct config *config);
    bool publishes; /* events, which its metrics tell of */
};

/* How it serves. */
struct handler_service {
    /* What the threads of a process share. `lasting`: more than one request will be served. NULL
     * without memory. */
    void *(*open)(const void *settings, bool lasting);
    void (*close)(void *shared);
    /* What one thread needs to serve; settings and what is shared outlive it. NULL, and said in the
     * log, when that cannot be had. */
    void *(*begin)(const void *settings, void *shared);
    void (*end)(void *service);
    /* Serves one request with exactly one answer. NULL when there are the next two. */
    void (*handle)(void *service, struct handler_request *request);
    /* Serves several requests together: those that have come while a thread looked for one.
     * take() reads a request, at once when all of it has come, which is kept until it is answered,
     * or refuses it and finishes it. True: another one may be taken, up to `together` of them;
     * false: what this one asks for takes its time, and the others should not have to wait for it.
     * answer() gives each that was taken exactly one answer and finishes it. */
    size_t together;
    bool (*take)(void *service, struct handler_request *request);
    void (*answer)(void *service);
};

struct handler_program {
    const char *name;
    const char *help;
    const struct handler_settings *settings;
    const struct handler_service *service;
};

#endif
