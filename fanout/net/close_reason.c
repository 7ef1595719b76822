#include "net/close_reason.h"

static const char *const reason_names[CLOSE_REASONS] = {
    "client",   "reset",     "done",    "idle",    "head_time", "body_time", "stream_time",
    "slow",     "talkative", "refused", "full",    "address",   "memory",    "stopping",
    "replaced", "silent",    "expired", "dropped", "tls"};

const char *close_reason_name(enum close_reason reason)
{
    return reason_names[reason];
}
