/* Reads HTTP/1.1 answers off a keep-alive connection, no more than the load tool needs: where each
 * one ends and its status. Pure: bytes in, verdict out. */
#ifndef BENCH_POST_ANSWER_H
#define BENCH_POST_ANSWER_H

#include <stddef.h>

enum { POST_ANSWER_SIZE = 16384 };

struct post_answer {
    char data[POST_ANSWER_SIZE]; /* of the answer under way */
    size_t length;
};

enum post_verdict { POST_INCOMPLETE, POST_COMPLETE, POST_MALFORMED };

/* Looks at what is in `answer`, to which the caller has appended what it read. POST_COMPLETE:
 * *status is set and the answer is forgotten. One answer at a time: bytes beyond it are
 * POST_MALFORMED, as nothing was asked meanwhile. */
enum post_verdict post_answer_take(struct post_answer *answer, int *status);

#endif
