/* The loop: its clock, and the hook between two batches of clients. */
#ifndef ESN_LOOP_H
#define ESN_LOOP_H

#include "net/loop_watch.h"

#include <stdint.h>
#include <uv.h>

struct loop {
    uv_loop_t uv;
    void (*between)(void *context); /* see loop_set_between() */
    void *between_context;
    unsigned clients; /* served since it was called */
    struct loop_watch watch;
    char date[32]; /* HTTP date of date_second */
    int64_t date_second;
};

/* Clients between two calls of the hook. */
enum { LOOP_BATCH = 64 };

/* 0, or an error of libuv. */
int loop_open(struct loop *loop);
/* Milliseconds of a clock that never goes back, as of this turn of the loop. */
uint64_t loop_now(const struct loop *loop);
/* The Date header's value (RFC 9110, section 6.6.1). */
const char *loop_date(struct loop *loop);
/* Has something looked after that the loop would come to only after all clients of a crowd: called
 * after every LOOP_BATCH clients that came, asked or went. It may close any connection. NULL: none.
 */
void loop_set_between(struct loop *loop, void (*between)(void *context), void *context);
/* To be called for every such client. */
void loop_count_client(struct loop *loop);
/* It was just looked after, anyhow: a whole batch may come before the next call. */
void loop_begin_batch(struct loop *loop);

#endif
