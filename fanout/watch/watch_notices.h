/* What the loop and the thread that listens to Redis have to tell each other: two bounded queues.
 */
#ifndef ESN_WATCH_NOTICES_H
#define ESN_WATCH_NOTICES_H

#include "bytes.h"
#include "sessions/session_id.h"
#include "user_id.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

enum { WATCH_NOTICES_MAX = 100000 };

enum notice_kind {
    /* for the loop */
    NOTICE_ENDED,
    NOTICE_WRITTEN,    /* of session `text` */
    NOTICE_IS_OF,      /* user `text` */
    NOTICE_WANTS_LIST, /* of all sessions that are held */
    /* for the thread */
    NOTICE_LOOK, /* at session `text` */
    NOTICE_LIST
};

struct notice {
    STAILQ_ENTRY(notice) next;
    enum notice_kind kind;
    char sid[SESSION_SID_SIZE];
    char text[USER_ID_SIZE];
    struct bytes list; /* owned */
    size_t cursor;     /* how far it has come, while it is put together */
};

STAILQ_HEAD(notices, notice);

struct watch_notices {
    pthread_mutex_t lock; /* guards what follows */
    struct notices for_loop, for_thread;
    size_t count;
    bool lost; /* there was no room for some */
};

/* Of a zeroed one. */
void watch_notices_open(struct watch_notices *notices);
void watch_notices_close(struct watch_notices *notices);
/* Puts a copy into the queue, and takes over its list. Where there is no room it is lost, which is
 * remembered. */
void watch_notices_post(struct watch_notices *notices, struct notices *queue,
                        const struct notice *notice);
/* The oldest one, to be freed; NULL: none. */
struct notice *watch_notices_take(struct watch_notices *notices, struct notices *queue);
void watch_notices_free(struct notice **notice);
/* Whether some were lost since it was asked last. */
bool watch_notices_took_loss(struct watch_notices *notices);

#endif
