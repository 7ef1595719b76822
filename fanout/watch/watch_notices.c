#include "watch/watch_notices.h"

#include <stdlib.h>

void watch_notices_open(struct watch_notices *notices)
{
    (void)pthread_mutex_init(&notices->lock, NULL);
    STAILQ_INIT(&notices->for_loop);
    STAILQ_INIT(&notices->for_thread);
}

void watch_notices_free(struct notice **notice)
{
    if (*notice != NULL)
        bytes_free(&(*notice)->list);
    free(*notice);
    *notice = NULL;
}

void watch_notices_post(struct watch_notices *notices, struct notices *queue,
                        const struct notice *notice)
{
    struct notice *copy = malloc(sizeof *copy);
    struct bytes list = notice->list;
    (void)pthread_mutex_lock(&notices->lock);
    bool has_room = copy != NULL && notices->count < WATCH_NOTICES_MAX;
    if (has_room) {
        *copy = *notice;
        STAILQ_INSERT_TAIL(queue, copy, next);
        notices->count++;
    } else {
        notices->lost = true;
    }
    (void)pthread_mutex_unlock(&notices->lock);
    if (has_room)
        return;
    bytes_free(&list);
    free(copy);
}

struct notice *watch_notices_take(struct watch_notices *notices, struct notices *queue)
{
    (void)pthread_mutex_lock(&notices->lock);
    struct notice *notice = STAILQ_FIRST(queue);
    if (notice != NULL) {
        STAILQ_REMOVE_HEAD(queue, next);
        notices->count--;
    }
    (void)pthread_mutex_unlock(&notices->lock);
    return notice;
}

bool watch_notices_took_loss(struct watch_notices *notices)
{
    (void)pthread_mutex_lock(&notices->lock);
    bool lost = notices->lost;
    notices->lost = false;
    (void)pthread_mutex_unlock(&notices->lock);
    return lost;
}

static void empty(struct watch_notices *notices, struct notices *queue)
{
    struct notice *notice;
    while ((notice = watch_notices_take(notices, queue)) != NULL)
        watch_notices_free(&notice);
}

void watch_notices_close(struct watch_notices *notices)
{
    empty(notices, &notices->for_loop);
    empty(notices, &notices->for_thread);
    (void)pthread_mutex_destroy(&notices->lock);
}
