#include "publish_refusals.h"

#include "publish_post.h"
#include "publishers/publisher.h"
#include "refusal.h"

#include <string.h>

enum { TOLD_MOST = 16 }; /* points of one post */

/* Why this point was not published, or NULL. */
static const char *reason_of(const struct publish_post *post, size_t point)
{
    if (post->refused)
        return post->fault.reason;
    enum point_result result = post->decisions[point].result;
    return result != POINT_GRANTED ? point_result_word(result) : NULL;
}

/* Its reader takes no longer ones. */
static bool fits(const struct refusal *refusal)
{
    return strlen(refusal->reason) <= REFUSAL_TEXT_MAX && strlen(refusal->by) <= REFUSAL_TEXT_MAX &&
           strlen(refusal->user) <= REFUSAL_TEXT_MAX;
}

/* How many there are. */
static size_t gather(const struct publish_post *post, struct bytes *records,
                     struct bus_event *events)
{
    size_t count = 0;
    for (size_t i = 0; i < post->asked.count && count < TOLD_MOST; i++) {
        const char *reason = reason_of(post, i);
        if (reason == NULL)
            continue;
        const struct refusal refusal = {.reason = reason,
                                        .by = post->publisher->name,
                                        .user = post->user,
                                        .topic = post->asked.points[i].topic};
        if (!fits(&refusal))
            continue;
        refusal_write(&records[count], &refusal);
        if (!records[count].failed) {
            events[count] = bus_event_of_refusal(&records[count]);
            count++;
        }
    }
    return count;
}

static bool is_published_whole(const struct publish_post *post)
{
    return !post->refused && post->event_count == post->asked.count;
}

void publish_refusals_tell(struct publish_queue *queue, const struct publish_post *post)
{
    if (is_published_whole(post))
        return;
    struct bytes records[TOLD_MOST] = {BYTES_EMPTY};
    struct bus_event events[TOLD_MOST];
    size_t count = gather(post, records, events);
    if (count > 0)
        publish_queue_tell(queue, events, count);
    for (size_t i = 0; i < TOLD_MOST; i++)
        bytes_free(&records[i]);
}
