/* An answer of 200 that takes long to make: it is made piece by piece, one in a turn of the loop, each
 * when the one before it was taken. So nobody waits for it, and no memory holds it. */
#ifndef ESN_PIECEWISE_ANSWER_H
#define ESN_PIECEWISE_ANSWER_H

#include "bytes.h"

#include <stdbool.h>
#include <sys/queue.h>

struct connection;
struct http_request;
struct piecewise_answer;
struct service;

struct piecewise_kind {
    /* Appends to answer->piece, which may stay as it is. True: that was all. */
    bool (*write)(struct piecewise_answer *answer);
    /* Frees it and what it has, the piece excepted. */
    void (*free)(struct piecewise_answer *answer);
};

/* The first member of what is being answered. */
struct piecewise_answer {
    TAILQ_ENTRY(piecewise_answer) by_turn;
    struct connection *connection;
    struct bytes piece; /* since the last one was queued */
    const struct piecewise_kind *kind;
    bool is_ready;  /* in the queue: what was written has been taken */
    bool has_moved; /* likewise, since that was looked at */
    bool chunked;
};

struct piecewise_answers {
    TAILQ_HEAD(, piecewise_answer) ready; /* for their next piece */
};

/* Of a zeroed one. */
void piecewise_answers_open(struct piecewise_answers *answers);
/* Answers with JSON to come; takes over the answer, which is zeroed but for what is its kind's own.
 * Without memory the connection is closed. */
void piecewise_answer_begin(struct connection *connection, const struct http_request *request,
                            struct piecewise_answer *answer, const struct piecewise_kind *kind);
/* What it would begin with, for who asks by HEAD. */
void piecewise_answer_head(struct connection *connection, const struct http_request *request);
/* Makes the next piece of one of them. */
void piecewise_answers_run(struct service *service);
/* Whether one of them could go on at once. */
bool piecewise_answers_can_go_on(const struct service *service);

#endif
