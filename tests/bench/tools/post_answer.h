/* Reads answers off a connection that is kept, no more than the load tool needs: where each one ends,
 * and the status of one of HTTP/1.1. Pure: bytes in, verdict out. */
#ifndef BENCH_POST_ANSWER_H
#define BENCH_POST_ANSWER_H

#include "message.h"

#include <stddef.h>

enum { POST_ANSWER_SIZE = 1 << 18 /* to a batch of a thousand */ };

struct post_answer {
    char data[POST_ANSWER_SIZE]; /* of the answer under way */
    size_t length;
    size_t marks; /* seen of what ends one that is not HTTP */
};

enum post_verdict { POST_INCOMPLETE, POST_COMPLETE, POST_MALFORMED };

/* Looks at what is in `answer`, to which the caller has appended what it read. POST_COMPLETE:
 * *status is set and the answer is forgotten. One answer at a time: bytes beyond it are
 * POST_MALFORMED, as nothing was asked meanwhile. */
enum post_verdict post_answer_take(struct post_answer *answer, int *status);
/* The same for answers of other protocols, which are complete when `mark` was seen so many times. */
enum post_verdict post_answer_count(struct post_answer *answer, const struct marker *mark,
                                    size_t times);

#endif
