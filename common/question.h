/* What a handler asks the daemon on the bus, for a publisher (docs/bus.md). Pure. */
#ifndef ESN_QUESTION_H
#define ESN_QUESTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { QUESTION_SIZE = 20 };

enum question_kind { QUESTION_REPORT = 1 /* who had an event (docs/protocol.md section 3) */ };

struct question {
    enum question_kind kind;
    uint64_t epoch, sequence; /* the event's id */
};

void question_write(unsigned char out[QUESTION_SIZE], const struct question *question);
/* False when the bytes are no question of this version. */
bool question_read(struct question *question, const void *bytes, size_t length);

#endif
