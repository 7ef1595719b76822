/* Rows as posts: read, decided about and published by the code that serves POST /event, and what is
 * to become of each row. A row is published whole or not at all: nobody is there to read that one of
 * its event points was refused. */
#ifndef ESN_ROW_POSTS_H
#define ESN_ROW_POSTS_H

#include "outbox/outbox_table.h"
#include "outbox_settings.h"
#include "publish_post.h"

enum row_verdict {
    ROW_DONE,    /* acknowledged: to be deleted */
    ROW_REFUSED, /* for ever, with words */
    ROW_HELD,    /* not now: the publisher's rate, or a database that does not answer */
    ROW_AWAY     /* the daemon did not acknowledge it, or cannot take it */
};

struct row_outcome {
    enum row_verdict verdict;
    unsigned wait_ms; /* of ROW_HELD; 0: nothing is known */
    char words[OUTBOX_FAILURE_MAX];
};

/* Publishes some rows together, in no order; outcomes has room for one each. */
void row_posts_publish(const struct outbox_settings *settings, const struct publish_judge *judge,
                       const struct outbox_row *const *rows, size_t count,
                       struct row_outcome *outcomes);

#endif
