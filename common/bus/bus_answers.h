/* Acknowledgements on their way to publishers, those of one publisher in one message (envelope.h). No I/O. */
#ifndef ESN_BUS_ANSWERS_H
#define ESN_BUS_ANSWERS_H

#include "bytes.h"
#include "envelope.h"

#include <stddef.h>
#include <stdint.h>

/* What waits to be said to one publisher. */
struct bus_answer {
    uint64_t publisher;
    struct bytes text; /* header and records; to be let alone when it has failed */
};

/* Zeroed: none. */
struct bus_answers {
    struct bus_answer *list;
    size_t count;    /* in use */
    size_t capacity; /* those beyond count keep their memory */
};

/* Without memory it is lost: publishers know what to do about that. */
void bus_answers_add(struct bus_answers *answers, uint64_t publisher, uint64_t epoch,
                     const struct ack *ack);
/* Forgets all and keeps the memory. */
void bus_answers_clear(struct bus_answers *answers);
void bus_answers_free(struct bus_answers *answers);
/* Appends an answer to a question: its acknowledgement, and a text. */
void bus_answer_write(struct bytes *out, uint64_t epoch, const struct ack *ack, const char *text,
                      size_t length);

#endif
