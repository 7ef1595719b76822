/* Gives events their ids and their time. Ids are "<epoch>-<sequence>": the epoch is another after
 * each start of the daemon, the sequence counts events from 1. */
#ifndef ESN_EVENT_LOG_H
#define ESN_EVENT_LOG_H

#include <stdint.h>

struct event_log {
    uint64_t epoch;    /* milliseconds since 1970 at the start */
    uint64_t sequence; /* of the newest event; 0: none yet */
    uint64_t last_iat;
};

void event_log_open(struct event_log *log, uint64_t wall_ms);
/* The next event's sequence. */
uint64_t event_log_next(struct event_log *log);
/* wall_ms, or the last value given when the wall clock went back: iat never does (PROTOCOL.md
 * section 2). */
uint64_t event_log_iat(struct event_log *log, uint64_t wall_ms);

#endif
