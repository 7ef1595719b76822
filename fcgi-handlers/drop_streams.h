/* `POST /drop` (docs/protocol.md section 6): a backend ends streams. */
#ifndef ESN_DROP_STREAMS_H
#define ESN_DROP_STREAMS_H

#include "bytes.h"
#include "config/config.h"
#include "drop_request.h"
#include "envelope.h"
#include "handler_request.h"
#include "publish_queue.h"
#include "publisher_gate.h"

#include <stdbool.h>

/* The request asks for this, by the last part of its path. */
bool drop_streams_is_asked(const struct handler_request *request);

/* An order that was read and not yet carried out; not to be copied. */
struct drop_order {
    const struct publisher *publisher;
    struct drop_request asked;
    bool has_key; /* by which it is recognised when it is given again */
    unsigned char key[ENVELOPE_POST_KEY_SIZE];
};

/* Reads the body of a publisher's order. False when it was refused, and answered. */
bool drop_streams_read(struct drop_order *order, struct handler_request *request,
                       const struct publisher_visit *visit, const struct bytes *body,
                       const struct config *config);
/* Carries it out, answers and frees it. */
void drop_streams_answer(struct drop_order *order, struct handler_request *request,
                         struct publish_queue *queue);

#endif
