/* A supervisor and its worker processes: replaces those that die, ends all of them, renews them one
 * by one. */
#ifndef ESN_WORKERS_H
#define ESN_WORKERS_H

#include <stdbool.h>

struct workers_plan {
    unsigned count;
    /* Runs in each worker; the result is its exit status. It is asked to end by SIGTERM, which is
     * blocked until it waits for it; SIGINT and SIGHUP are ignored there: the supervisor acts on
     * them. */
    int (*serve)(void *context);
    /* Runs in the supervisor on SIGHUP; true: workers are to be renewed. */
    bool (*reload)(void *context);
    void *context;
};

/* Runs until SIGTERM or SIGINT, then until every worker has ended. The process's exit status. */
int workers_run(const struct workers_plan *plan);

#endif
