#include "events/replay_filter.h"

#include "envelope.h"
#include "topic.h"
#include "topics/audience.h"

#include <stdlib.h>

enum {
    NAME_WORK = 4 /* bytes of a topic's name for a unit of work: it is put together by levels */
};

struct replay_filter {
    struct topic_index index;
    struct subscriber subscriber; /* slot by slot like the connection's */
    int64_t inbox;                /* its slot; -1: there is none */
    uint32_t next;                /* slot to be added; those before it are there */
};

/* A level that is made costs far more than one that is looked at. */
static size_t work_of(const struct topic_index *index, uint64_t bytes_before)
{
    return 1 + (size_t)(index->bytes - bytes_before) / 16;
}

bool replay_filter_grow(struct replay_filter *filter, const struct subscriber *subscriber,
                        size_t most_work, struct replay_hits *scratch)
{
    struct bytes *name = &scratch->name;

    for (scratch->work = 0; filter->next < subscriber->count && scratch->work < most_work;
         filter->next++) {
        uint32_t slot = filter->next;
        const struct subscription *subscription = &subscriber->subscriptions[slot];
        uint64_t before = filter->index.bytes;
        if (subscription->kind == SUBSCRIPTION_INBOX) {
            filter->inbox = slot;
            continue;
        }
        bytes_clear(name);
        topic_node_write_name(subscription->node, name);
        if (name->failed ||
            !topic_index_add(&filter->index, &filter->subscriber, slot, name->data, name->length))
            return false;
        scratch->work += work_of(&filter->index, before);
    }
    return true;
}

bool replay_filter_is_whole(const struct replay_filter *filter)
{
    return filter->next == filter->subscriber.count;
}

struct replay_filter *replay_filter_new(const struct subscriber *subscriber, uint64_t seed)
{
    struct replay_filter *filter = calloc(1, sizeof *filter);

    if (filter == NULL)
        return NULL;
    filter->inbox = -1;
    filter->subscriber.subscriptions =
        calloc(subscriber->count + (size_t)1, sizeof(struct subscription));
    filter->subscriber.count = subscriber->count;
    if (!topic_index_open(&filter->index, seed) || filter->subscriber.subscriptions == NULL)
        replay_filter_free(&filter);
    return filter;
}

void replay_filter_free(struct replay_filter **filter)
{
    if (*filter == NULL)
        return;
    topic_index_close(&(*filter)->index);
    free((*filter)->subscriber.subscriptions);
    free(*filter);
    *filter = NULL;
}

uint64_t replay_filter_bytes(const struct replay_filter *filter)
{
    return sizeof *filter + filter->index.bytes + hash_table_bytes(&filter->index.levels) +
           filter->subscriber.count * sizeof(struct subscription);
}

static bool add_hit(struct replay_hits *hits, uint32_t slot)
{
    if (hits->count == hits->capacity) {
        size_t capacity = hits->capacity ? 2 * hits->capacity : 16;
        uint32_t *larger = realloc(hits->slots, capacity * sizeof *larger);
        if (larger == NULL)
            return false;
        hits->slots = larger;
        hits->capacity = capacity;
    }
    hits->slots[hits->count++] = slot;
    return true;
}

static bool add_receivers(struct replay_hits *hits, const struct topic_node *node)
{
    for (uint32_t i = 0; i < node->receiver_count; i++)
        if (!add_hit(hits, node->receivers[i].slot))
            return false;
    return true;
}

bool replay_filter_match(const struct replay_filter *filter, const struct logged_event *event,
                         struct replay_hits *hits)
{
    const struct logged_topic *topic = event->topic;

    hits->count = 0;
    hits->work = 1;
    if (event->flags & ENVELOPE_TARGETED)
        return filter->inbox < 0 || add_hit(hits, (uint32_t)filter->inbox);
    topic_index_match(&filter->index, topic->name, topic->length, false, &hits->matches);
    hits->work += hits->matches.work;
    for (size_t i = 0; i < hits->matches.count; i++)
        if (!add_receivers(hits, hits->matches.nodes[i]))
            return false;
    return !hits->matches.failed;
}

static bool matches_topic(const struct subscription *subscription, const struct logged_topic *topic,
                          struct bytes *name)
{
    bytes_clear(name);
    topic_node_write_name(subscription->node, name);
    return !name->failed && topic_matches(name->data, name->length, topic->name, topic->length);
}

bool replay_filter_compare(const struct subscriber *subscriber, const struct logged_event *event,
                           struct replay_hits *hits)
{
    bool targeted = (event->flags & ENVELOPE_TARGETED) != 0;

    hits->count = 0;
    hits->work = 1;
    for (uint32_t slot = 0; slot < subscriber->count; slot++) {
        const struct subscription *subscription = &subscriber->subscriptions[slot];
        bool hit = subscription->kind == SUBSCRIPTION_INBOX ? targeted : !targeted;
        if (hit && !targeted) {
            hit = matches_topic(subscription, event->topic, &hits->name);
            hits->work += 1 + hits->name.length / NAME_WORK;
        }
        if ((hit && !add_hit(hits, slot)) || hits->name.failed)
            return false;
    }
    return true;
}

void replay_hits_free(struct replay_hits *hits)
{
    free(hits->slots);
    topic_matches_free(&hits->matches);
    bytes_free(&hits->name);
    *hits = (struct replay_hits){0};
}
