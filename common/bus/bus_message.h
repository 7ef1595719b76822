/* A message of the bus between its parts, as an engine carries them, and what it says (docs/bus.md). No I/O. */
#ifndef ESN_BUS_MESSAGE_H
#define ESN_BUS_MESSAGE_H

#include "bus/bus.h"

enum { BUS_TOPIC, BUS_ENVELOPE, BUS_ALLOWED, BUS_EVENT, BUS_EVENT_PARTS };

#define BUS_DROP_TOPIC "@drop@"
#define BUS_POSITION_TOPIC "@position@"
#define BUS_QUESTION_TOPIC "@question@"
#define BUS_REFUSAL_TOPIC "@refusal@"

struct bus_part {
    const char *data;
    size_t length;
};

/* Fills envelope, event, drop, question and refusal, which borrow from the parts. False when these are no message of
 * this version, or a hello. */
bool bus_message_read(struct bus_message *message, const struct bus_part parts[BUS_EVENT_PARTS]);

/* The envelope that an event travels in. */
struct envelope bus_event_envelope(const struct bus_event *event, uint64_t publisher,
                                   uint64_t sequence);

#endif
