/* What a process takes of the machine, in the names that Prometheus's own libraries give it. */
#ifndef ESN_PROCESS_METRICS_H
#define ESN_PROCESS_METRICS_H

struct exposition;

/* Costs a few system calls, whatever the process holds; what the system does not tell is left out. */
void process_metrics_write(struct exposition *exposition);

#endif
