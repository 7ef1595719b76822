/* The worker: takes rows that were committed, publishes them, and deletes them when they are
 * acknowledged. docs/outbox.md says what is promised. */
#ifndef ESN_OUTBOX_WORKER_H
#define ESN_OUTBOX_WORKER_H

#include "outbox_settings.h"

#include <signal.h>
#include <stdint.h>

struct outbox_worker;

enum outbox_turn {
    TURN_WORKED,  /* there were rows */
    TURN_IDLE,    /* there was none to publish */
    TURN_STANDBY, /* another worker is at it */
    TURN_AWAY     /* the database or the daemon does not answer */
};

/* The settings outlive it; connects to nothing yet. NULL with a sentence in error. */
struct outbox_worker *outbox_worker_open(const struct outbox_settings *settings,
                                         char error[CONFIG_ERROR_SIZE]);
void outbox_worker_close(struct outbox_worker **worker);

/* Publishes until nothing waits that may be published. Ends earlier when *stop is set. */
enum outbox_turn outbox_worker_turn(struct outbox_worker *worker,
                                    const volatile sig_atomic_t *stop);
/* How long until a queue that waits may be tried; UINT64_MAX: none waits. */
uint64_t outbox_worker_wait_ms(const struct outbox_worker *worker);
/* Writes down what became of rows, if that is still to be done; before it ends. */
void outbox_worker_settle(struct outbox_worker *worker);

#endif
