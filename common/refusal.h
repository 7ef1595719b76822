/* A post that was not published, as a handler tells the daemon of it (docs/bus.md), for who asks
 * later why an event did not arrive. Pure. */
#ifndef ESN_REFUSAL_H
#define ESN_REFUSAL_H

#include "bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reasons that are judged where events are numbered: by the daemon, or by the engine that daemons share. */
#define REFUSAL_DOUBLE "double"
#define REFUSAL_OTHER "id of another event"
#define REFUSAL_LIMITED "too many events"

enum { REFUSAL_TEXT_MAX = 512 /* bytes of each text but the topic */ };

/* All texts end with NUL. */
struct refusal {
    const char *reason; /* a word of the publisher's answer, such as "forbidden" */
    const char *by;     /* the publisher's name; "": it has none */
    const char *user;   /* of the bind key; "": none */
    const char *topic;
    uint64_t first; /* of a post that was had before: sequence of its event; 0: none */
};

/* Appends the record to `out`. */
void refusal_write(struct bytes *out, const struct refusal *refusal);
/* Borrows from the record; false when it is none. */
bool refusal_read(struct refusal *refusal, const char *record, size_t length);

#endif
