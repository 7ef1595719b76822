/* What a publisher is told of its event points (docs/protocol.md section 3). */
#ifndef ESN_PUBLISH_ANSWER_H
#define ESN_PUBLISH_ANSWER_H

#include "handler_request.h"
#include "publish_words.h"

void publish_answer_outcome(struct handler_request *request, const struct publish_outcome *outcome);
/* The same for one post of a batch: appends an object that begins with the status, and returns
 * that. */
int publish_answer_add_outcome(struct bytes *out, const struct handler_request *request,
                               const struct publish_outcome *outcome);
void publish_answer_add_fault(struct bytes *out, const struct handler_request *request,
                              const struct publisher *publisher, const struct publish_fault *fault);
/* Strangers, and whose signature is not of this body, are all told 404, as for a path that is not
 * there; `why` is for the log. */
void publish_answer_stranger(struct handler_request *request, const char *why);
/* The publisher's post as a whole is refused. */
void publish_answer_fault(struct handler_request *request, const struct publisher *publisher,
                          const struct publish_fault *fault);
/* What the log calls a publisher; NULL, or one without a name: nothing. */
const char *publish_answer_name(const struct publisher *publisher);

#endif
