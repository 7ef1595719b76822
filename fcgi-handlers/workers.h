/* A supervisor and its worker processes: replaces those that die, ends all of them, renews them one
 * by one. */
#ifndef ESN_WORKERS_H
#define ESN_WORKERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct workers_plan {
    unsigned count;
    /* Runs in each worker; the result is its exit status. It calls workers_tell_ready() once it
     * serves. It is asked to end by SIGTERM, which is blocked until it waits for it; SIGINT and
     * SIGHUP are ignored there: the supervisor acts on them. */
    int (*serve)(void *context, pid_t supervisor);
    /* Runs in the supervisor when the first worker serves. */
    void (*ready)(void *context);
    /* Runs in the supervisor on SIGHUP; true: workers are to be renewed. */
    bool (*reload)(void *context);
    void *context;
    uint64_t stop_limit_ms; /* how long workers may take to end when all do; then SIGKILL */
};

/* Runs until SIGTERM or SIGINT, then until every worker has ended. The process's exit status, a
 * failure also when no worker stays alive: then it ends by itself, for whoever started it to know.
 */
int workers_run(const struct workers_plan *plan);
/* Of a worker: it serves. */
void workers_tell_ready(pid_t supervisor);

#endif
