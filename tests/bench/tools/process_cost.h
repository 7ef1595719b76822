/* What a server has cost so far: processor time by the scheduler's own account, memory as
 * proportional set size. */
#ifndef BENCH_PROCESS_COST_H
#define BENCH_PROCESS_COST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { PROCESS_MAX = 64 };

struct process_set {
    pid_t pids[PROCESS_MAX];
    size_t count;
};

/* Reads "12,13,14". False when it is anything else or more than PROCESS_MAX. Empty text is an empty
 * set. */
bool process_set_parse(struct process_set *set, const char *text);

/* Nanoseconds on a processor of all threads of all processes (/proc/PID/task/TID/schedstat). False,
 * with a message, when a process is gone: its time would silently be missing. */
bool process_set_cpu_ns(const struct process_set *set, uint64_t *out);
/* Proportional set size of all (smaps_rollup), in KiB; likewise. */
bool process_set_pss_kib(const struct process_set *set, uint64_t *out);
/* Kernel memory in slabs of the whole machine (/proc/meminfo), in KiB. */
bool kernel_slab_kib(uint64_t *out);

#endif
