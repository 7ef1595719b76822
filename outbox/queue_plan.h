/* In which order the rows of one reading are published: those of one queue one after the other, the
 * next only when the one before is settled; what is not of one queue, together. (Events that are on
 * the way at once may come in another order when one is lost: docs/bus.md.) Pure. */
#ifndef ESN_QUEUE_PLAN_H
#define ESN_QUEUE_PLAN_H

#include "bytes.h"
#include "outbox/outbox_table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct queue_plan {
    const struct outbox_row **order; /* by queue, then id */
    struct queue_run {
        size_t next, end; /* in `order` */
        bool stopped;     /* nothing more of it this time */
    } * runs;
    size_t run_count, row_count;
};

/* False without memory. The rows stay the caller's. Free it either way. */
bool queue_plan_make(struct queue_plan *plan, const struct outbox_rows *rows);
void queue_plan_free(struct queue_plan *plan);

/* The first row of each queue that has one left and is not stopped, by id; the number of them is
 * returned. `wave` has room for as many as there are rows. */
size_t queue_plan_next(struct queue_plan *plan, const struct outbox_row **wave);
/* Leaves out what is left of the row's queue. */
void queue_plan_stop(struct queue_plan *plan, const struct outbox_row *row);

/* ---- queues that wait ---- */

enum { HELD_QUEUES_MAX = 256 };

/* Queues that are not to be tried before some moment. */
struct held_queues {
    struct held_queue {
        char *name;
        size_t length;
        uint64_t until_ms;
    } queues[HELD_QUEUES_MAX];
    size_t count;
};

/* False when no more can be held. */
bool held_queues_add(struct held_queues *held, const struct sql_text *queue, uint64_t until_ms);
/* Forgets those whose moment has come. */
void held_queues_expire(struct held_queues *held, uint64_t now_ms);
/* Appends their names as outbox_table_read() wants them. */
void held_queues_write(const struct held_queues *held, struct bytes *out);
bool held_queues_has(const struct held_queues *held, const struct sql_text *queue);
/* When the first of them may be tried; UINT64_MAX: there is none. */
uint64_t held_queues_first(const struct held_queues *held);
void held_queues_free(struct held_queues *held);

#endif
