#include "event_log.h"

void event_log_open(struct event_log *log, uint64_t wall_ms)
{
    *log = (struct event_log){.epoch = wall_ms};
}

uint64_t event_log_next(struct event_log *log)
{
    return ++log->sequence;
}

uint64_t event_log_iat(struct event_log *log, uint64_t wall_ms)
{
    if (wall_ms > log->last_iat)
        log->last_iat = wall_ms;
    return log->last_iat;
}
