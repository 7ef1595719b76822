/* What a publisher is told of its event points (docs/protocol.md section 3). */
#ifndef ESN_PUBLISH_ANSWER_H
#define ESN_PUBLISH_ANSWER_H

#include "authorise_point.h"
#include "bus.h"
#include "handler_request.h"
#include "publish_request.h"

struct publish_outcome {
    const struct publish_request *post;
    const struct point_decision *decisions; /* one for each event point */
    const struct bus_event *events;         /* one for each that was granted, in the same order */
    size_t event_count;
};

/* 200: the daemon has all that was granted; at least one was. */
void publish_answer_taken(struct handler_request *request, const struct publish_outcome *outcome);
/* 403: none was granted. */
void publish_answer_forbidden(struct handler_request *request,
                              const struct publish_outcome *outcome);
/* True when the daemon refused an event because its token has published too much. */
bool publish_outcome_is_limited(const struct publish_outcome *outcome);
/* 429: it did so; what is "sent" is delivered. */
void publish_answer_limited(struct handler_request *request, const struct publish_outcome *outcome);
/* 503: the daemon did not acknowledge. */
void publish_answer_unavailable(struct handler_request *request,
                                const struct publish_outcome *outcome);
/* The post as a whole is refused. */
void publish_answer_fault(struct handler_request *request, const struct publish_fault *fault);

#endif
