#include "seen_events.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static struct seen_event *event_of(struct hash_node *node)
{
    return (struct seen_event *)(void *)((char *)node - offsetof(struct seen_event, by_key));
}

void seen_events_key(unsigned char key[ENVELOPE_POST_KEY_SIZE], const struct envelope *envelope)
{
    if (envelope->flags & ENVELOPE_HAS_POST_KEY) {
        memcpy(key, envelope->post_key, ENVELOPE_POST_KEY_SIZE);
        return;
    }
    memcpy(key, &envelope->publisher, 8);
    memcpy(key + 8, &envelope->sequence, 8);
}

static void forget_oldest(struct seen_events *events)
{
    struct seen_event *oldest = events->oldest;

    events->oldest = oldest->newer;
    if (!events->oldest)
        events->newest = NULL;
    hash_table_remove(&events->by_key, &oldest->by_key);
    free(oldest);
}

static void forget_old(struct seen_events *events, uint64_t now_ms)
{
    while (events->oldest && (events->by_key.count > events->max_count ||
                              now_ms - events->oldest->seen_at_ms > events->max_age_ms))
        forget_oldest(events);
}

const struct seen_event *seen_events_find(struct seen_events *events,
                                          const unsigned char key[ENVELOPE_POST_KEY_SIZE],
                                          uint64_t now_ms)
{
    struct hash_node *node;

    forget_old(events, now_ms);
    node = hash_table_find(&events->by_key, hash_bytes(events->seed, key, ENVELOPE_POST_KEY_SIZE));
    for (; node; node = hash_table_find_next(node))
        if (memcmp(event_of(node)->key, key, ENVELOPE_POST_KEY_SIZE) == 0)
            return event_of(node);
    return NULL;
}

bool seen_events_add(struct seen_events *events, const unsigned char key[ENVELOPE_POST_KEY_SIZE],
                     uint64_t event_sequence, uint32_t receivers, uint64_t now_ms)
{
    struct seen_event *event = calloc(1, sizeof *event);

    if (!event)
        return false;
    memcpy(event->key, key, ENVELOPE_POST_KEY_SIZE);
    event->event_sequence = event_sequence;
    event->receivers = receivers;
    event->seen_at_ms = now_ms;
    if (!hash_table_add(&events->by_key, &event->by_key,
                        hash_bytes(events->seed, key, ENVELOPE_POST_KEY_SIZE))) {
        free(event);
        return false;
    }
    if (events->newest)
        events->newest->newer = event;
    else
        events->oldest = event;
    events->newest = event;
    return true;
}

void seen_events_free(struct seen_events *events)
{
    while (events->oldest)
        forget_oldest(events);
    hash_table_free(&events->by_key);
}
