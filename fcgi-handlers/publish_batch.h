/* Many posts in one request (docs/protocol.md section 3): each is read, decided about and answered by
 * itself, as if it had come alone; some are published together. No more of them is held than that. */
#ifndef ESN_PUBLISH_BATCH_H
#define ESN_PUBLISH_BATCH_H

#include "batch_reader.h"
#include "bytes.h"
#include "handler_request.h"
#include "publish_post.h"
#include "publishers/publishers.h"

#include <stdbool.h>
#include <stddef.h>

/* A batch whose first bytes have come. */
struct publish_batch {
    enum batch_form form;
    const struct publisher *publisher;
    struct bytes body; /* what was read and not taken apart yet */
    struct bytes id;   /* of a signed one: what its posts get an id from; else empty */
};

/* True when the request is a batch: by its Content-Type, or by the first bytes of its body. */
bool publish_batch_is(const struct handler_request *request, const struct bytes *body,
                      enum batch_form *form);
/* Reads what is left of it, publishes, answers. */
void publish_batch_serve(struct publish_batch *batch, struct handler_request *request,
                         const struct publish_judge *judge);
void publish_batch_free(struct publish_batch *batch);

#endif
