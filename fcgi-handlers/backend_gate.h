/* Between the threads of a process and something that may not answer: the database, the binding
 * server. What was found to be down is known to be down for a moment, and then one thread tries for
 * all (a "circuit breaker"). And they are never all waiting for it, so that who does not need it is
 * served. */
#ifndef ESN_BACKEND_GATE_H
#define ESN_BACKEND_GATE_H

#include <stdbool.h>
#include <stdint.h>

struct backend_gate;

struct backend_gate_options {
    unsigned threads; /* of the process; one of them at least is kept out, when there are several */
    uint64_t time_limit_ms; /* of one question */
    uint64_t down_ms;       /* how long it counts as down after one that took time; 0: not at all */
};

/* NULL without memory. */
struct backend_gate *backend_gate_open(const struct backend_gate_options *options);
void backend_gate_close(struct backend_gate **gate);

/* 0: it is not to be asked now, and not to be waited for. Else ask, and give the number to
 * backend_gate_leave(), with whether it answered. What fails at once, such as a connection that is
 * refused, costs nobody anything, and is not remembered. */
uint64_t backend_gate_enter(struct backend_gate *gate);
void backend_gate_leave(struct backend_gate *gate, uint64_t entered, bool answered);

#endif
