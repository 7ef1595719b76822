#include "publish_refusals.h"

#include "publish_post.h"
#include "publishers/publisher.h"
#include "refusal.h"

#include <string.h>

enum { TOLD_MOST = 16 }; /* points of one post */

/* Why what was given to the bus is no new event, as the engine of several daemons has judged; the one daemon of ZeroMQ
 * does so itself, and knows. Or NULL. */
static const char *judgement_of(const struct publish_post *post, const struct bus_event *event)
{
    if (!post->of_several_daemons || !event->acknowledged)
        return NULL;
    switch (event->ack.status) {
    case ACK_DOUBLE:
        return (event->flags & ENVELOPE_HAS_POST_KEY) != 0 ? REFUSAL_DOUBLE : NULL;
    case ACK_OTHER:
        return REFUSAL_OTHER;
    case ACK_LIMITED:
        return REFUSAL_LIMITED;
    default:
        return NULL;
    }
}

/* Why this point was not published, or NULL. event: the one that came of it, NULL when none did. */
static const char *reason_of(const struct publish_post *post, size_t point,
                             const struct bus_event *event)
{
    if (post->refused)
        return post->fault.reason;
    if (event != NULL)
        return judgement_of(post, event);
    enum point_result result = post->decisions[point].result;
    return result != POINT_GRANTED ? point_result_word(result) : NULL;
}

/* Of the points before this one as many were granted as events stand before it. */
static const struct bus_event *event_of(const struct publish_post *post, size_t point,
                                        size_t granted)
{
    bool is_granted = !post->refused && post->decisions[point].result == POINT_GRANTED;
    return is_granted && granted < post->event_count ? &post->events[granted] : NULL;
}

static uint64_t first_of(const struct bus_event *event)
{
    bool was_before = event != NULL && event->ack.status != ACK_LIMITED;
    return was_before ? event->ack.event_sequence : 0;
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
    size_t count = 0, granted = 0;
    for (size_t i = 0; i < post->asked.count && count < TOLD_MOST; i++) {
        const struct bus_event *event = event_of(post, i, granted);
        granted += event != NULL;
        const char *reason = reason_of(post, i, event);
        if (reason == NULL)
            continue;
        const struct refusal refusal = {.reason = reason,
                                        .by = post->publisher->name,
                                        .user = post->user,
                                        .topic = post->asked.points[i].topic,
                                        .first = first_of(event)};
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
    if (post->refused || post->event_count != post->asked.count)
        return false;
    for (size_t i = 0; i < post->event_count; i++)
        if (judgement_of(post, &post->events[i]) != NULL)
            return false;
    return true;
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
