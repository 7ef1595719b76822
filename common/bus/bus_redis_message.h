/* What travels through Redis as bytes (docs/bus.md, "Over Redis"): messages of handlers in the log and on the channel
 * of notes, notes of daemons, acknowledgements. No I/O. */
#ifndef ESN_BUS_REDIS_MESSAGE_H
#define ESN_BUS_REDIS_MESSAGE_H

#include "bus/bus_message.h"
#include "bytes.h"

#include <stdbool.h>
#include <stdint.h>

/* Appends the parts as one message. */
void redis_message_write(struct bytes *out, const struct bus_part parts[BUS_EVENT_PARTS]);
/* The parts borrow from it; false when it is no message of this version. */
bool redis_message_read(struct bus_part parts[BUS_EVENT_PARTS], const char *data, size_t length);

/* What a daemon says to the others. */
struct redis_note {
    unsigned node;
    uint64_t boot;
    uint64_t number; /* from 1, without a gap: what is missing was lost */
    const char *text;
    size_t length;
};

void redis_note_write(struct bytes *out, const struct redis_note *note);
/* Borrows; false when it is none of this version. */
bool redis_note_read(struct redis_note *note, const char *data, size_t length);

/* Acknowledgements or an answer (envelope.h), behind the number of the node that says so. */
enum { REDIS_ACK_NODE_SIZE = 2 };
void redis_ack_write_node(unsigned char out[REDIS_ACK_NODE_SIZE], unsigned node);
/* Moves *data and *length on to what follows; false when it is too short, or no node. */
bool redis_ack_read_node(unsigned *node, const char **data, size_t *length);

/* A daemon's record among the nodes, as text. */
struct redis_record {
    uint64_t boot;
    uint64_t counter; /* grows with each renewal */
    uint64_t notes;   /* number of the newest note */
    uint64_t streams;
    uint64_t renewed_ms; /* by the wall clock of who renewed it: for people, since clocks differ */
    const char *url;     /* borrowed, to the end of the text */
};

void redis_record_write(struct bytes *out, const struct redis_record *record);
/* Of a text that ends with NUL; false when it is none. */
bool redis_record_read(struct redis_record *record, const char *text);

#endif
