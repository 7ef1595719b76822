/* What became of a post, in the words that its publisher is told (docs/protocol.md section 3). Pure. */
#ifndef ESN_PUBLISH_WORDS_H
#define ESN_PUBLISH_WORDS_H

#include "authorise_point.h"
#include "bus/bus.h"
#include "bytes.h"
#include "publish_request.h"

struct publisher;

enum {
    PUBLISH_WORDS_RETRY_S = 1
}; /* after which it is worth trying again, when nothing is known */

struct publish_outcome {
    const struct publisher *publisher; /* who posts */
    const struct publish_request *post;
    const struct point_decision *decisions; /* one for each event point */
    const struct bus_event *events;         /* one for each that was granted, in the same order */
    size_t event_count;
    bool of_several_daemons; /* whether all of them have told their receivers in time is said */
};

struct publish_words {
    int status;             /* HTTP */
    const char *reason;     /* static */
    unsigned retry_after_s; /* 0: not said */
    struct bytes body;      /* a JSON object and the end of its line */
};

/* 200: the daemon has all that was granted; 403: nothing was; 503: the daemon did not acknowledge
 * all of it in time; 429: it refused some because the publisher has published too much, and what is
 * "sent" is delivered. The caller frees the body. */
void publish_words_of_outcome(struct publish_words *words, const struct publish_outcome *outcome);
/* The same for one post of a batch: appends an object that begins with the status, which it
 * returns. */
int publish_words_add_outcome(struct bytes *out, const struct publish_outcome *outcome);
void publish_words_add_fault(struct bytes *out, const struct publish_fault *fault);

#endif
