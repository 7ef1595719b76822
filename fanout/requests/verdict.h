/* Why one stream did or did not have an event: one cause, and what shows it. Written as members of a
 * JSON object (docs/protocol.md section 6). */
#ifndef ESN_VERDICT_H
#define ESN_VERDICT_H

#include "bytes.h"
#include "requests/stream_past.h"

#include <stdint.h>

struct logged_event;
struct service;

struct verdict_question {
    const struct service *service;
    const struct logged_event *logged;
    uint64_t at_ms; /* when it came, wall clock */
};

/* Appends `"cause":"...","at":...` and more. */
void verdict_write(struct bytes *out, const struct verdict_question *question,
                   const struct stream_past *past);

/* What a stream with these topics would hear of what is published on a topic: appends `"hears":[...]`,
 * kinds of events, or how near its topics are. */
void verdict_write_hearing(struct bytes *out, const struct bytes *topics, const char *topic,
                           size_t length);

/* Members of JSON, each with a comma before it. */
void verdict_add_number(struct bytes *out, const char *name, uint64_t value);
void verdict_add_text(struct bytes *out, const char *name, const char *text, size_t length);

#endif
