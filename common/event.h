/* An event as the daemon has it, from the bus to the frames of its receivers. */
#ifndef ESN_EVENT_H
#define ESN_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct log_position;

/* All texts are borrowed. */
struct event {
    const char *topic;
    size_t topic_length;
    const char *json; /* `e` as canonical ASCII JSON */
    size_t json_length;
    const char *allowed; /* user ids, each followed by NUL; empty when it is not bound */
    size_t allowed_length;
    uint16_t flags;    /* enum envelope_flag: who may hear it */
    uint64_t whisper;  /* connid, or 0 for a shout */
    uint64_t except;   /* connid of the only stream that does not hear it, or 0 */
    uint64_t sequence; /* second half of its id; 0: it has none yet */
    uint64_t wall_ms;  /* when the engine that numbered it took it; 0: now */
    /* With ENVELOPE_REPORT, as it comes from the bus; of the past nobody knows them any more. */
    uint64_t token;     /* id of who published it; 0: nobody's */
    uint32_t within_ms; /* with ENVELOPE_WITHIN */
    bool is_value;      /* the last value of its topic, said to who asks later */
    /* Where its receiver goes on that has it, borrowed; NULL: at the event itself. */
    const struct log_position *place;
};

#endif
