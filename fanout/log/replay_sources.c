#include "log/replay_sources.h"

#include "topics/audience.h"

#include <stdlib.h>

enum { NAME_WORK = 8 /* bytes of a topic's name for a unit of work */ };

static void sift_down(struct replay_sources *heap, size_t at)
{
    for (;;) {
        size_t least = at, left = 2 * at + 1, right = left + 1;
        struct replay_source kept = heap->sources[at];

        if (left < heap->count && heap->sources[left].next < heap->sources[least].next)
            least = left;
        if (right < heap->count && heap->sources[right].next < heap->sources[least].next)
            least = right;
        if (least == at)
            return;
        heap->sources[at] = heap->sources[least];
        heap->sources[least] = kept;
        at = least;
    }
}

static bool add_source(struct replay_sources *heap, const struct replay_source *source)
{
    if (heap->count == heap->capacity) {
        size_t capacity = heap->capacity ? heap->capacity * 2 : 16;
        struct replay_source *larger = realloc(heap->sources, capacity * sizeof *larger);
        if (larger == NULL)
            return false;
        heap->sources = larger;
        heap->capacity = capacity;
    }
    heap->sources[heap->count++] = *source;
    return true;
}

/* False when it has no event there. */
static bool set_place(struct replay_source *source, uint32_t position)
{
    if (position >= source->topic->count)
        return false;
    source->place = source->topic->gone + position;
    source->next = logged_topic_at(source->topic, position)->sequence;
    return true;
}

/* An inbox is looked for among all topics with targeted events: whose they are stands in the
 * events. */
static const struct topic_matches *find_logged(struct event_log *log,
                                               const struct subscription *requested,
                                               size_t most_work, struct bytes *name)
{
    if (requested->kind == SUBSCRIPTION_INBOX)
        return event_log_match_targeted(log, most_work);
    bytes_clear(name);
    topic_node_write_name(requested->node, name);
    return name->failed ? NULL : event_log_match(log, name->data, name->length, most_work);
}

/* None that came later than is wanted. */
static bool add_matching(struct replay_sources *heap, const struct topic_matches *matches,
                         const struct subscription *requested, uint64_t after)
{
    for (size_t i = 0; i < matches->count; i++) {
        struct replay_source source = {.topic = logged_topic_of(matches->nodes[i]),
                                       .requested = requested};
        if (set_place(&source, logged_topic_after(source.topic, after)) &&
            source.next <= heap->until && !add_source(heap, &source))
            return false;
    }
    return true;
}

static void make_heap(struct replay_sources *sources)
{
    for (size_t i = sources->count / 2; i-- > 0;)
        sift_down(sources, i);
}

/* An open subscription hears those bound events that are for everybody. */
static bool last_value_may_suit(enum last_value_kind kind, uint32_t subscription)
{
    switch (kind) {
    case LAST_VALUE_PRIVATE:
        return subscription == SUBSCRIPTION_PRIVATE;
    case LAST_VALUE_BOUND:
        return subscription == SUBSCRIPTION_BOUND || subscription == SUBSCRIPTION_OPEN;
    default:
        return subscription == SUBSCRIPTION_OPEN;
    }
}

enum replay_gathering replay_sources_gather(struct replay_sources *sources, struct event_log *log,
                                            const struct subscriber *subscriber, uint64_t after,
                                            size_t most_work, struct bytes *name, size_t *work)
{
    sources->count = 0;
    sources->until = log->sequence;
    *work = 0;
    for (uint32_t slot = 0; slot < subscriber->count; slot++) {
        const struct subscription *requested = &subscriber->subscriptions[slot];
        const struct topic_matches *matches = find_logged(log, requested, most_work - *work, name);
        if (matches == NULL || !add_matching(sources, matches, requested, after))
            return REPLAY_NO_MEMORY;
        *work += matches->work + name->length / NAME_WORK;
        if (matches->cut || *work >= most_work)
            return REPLAY_TOO_MUCH;
    }
    make_heap(sources);
    return REPLAY_GATHERED;
}

/* Of one requested topic, in those values that it may be for. */
static enum replay_gathering add_values(struct replay_sources *sources, struct event_log *log,
                                        const struct subscription *requested, uint64_t after,
                                        size_t most_work, const struct bytes *name, size_t *work)
{
    struct topic_matches *matches = &log->matches;

    for (int kind = 0; kind < LAST_VALUE_KINDS; kind++) {
        if (!last_value_may_suit((enum last_value_kind)kind, requested->kind))
            continue;
        last_values_match(&log->values, (enum last_value_kind)kind, name->data, name->length,
                          most_work - *work, matches);
        if (matches->failed || !add_matching(sources, matches, requested, after))
            return REPLAY_NO_MEMORY;
        *work += matches->work;
        if (matches->cut || *work >= most_work)
            return REPLAY_TOO_MUCH;
    }
    return REPLAY_GATHERED;
}

enum replay_gathering replay_sources_gather_values(struct replay_sources *sources,
                                                   struct event_log *log,
                                                   const struct subscriber *subscriber,
                                                   uint32_t first_slot, uint64_t after,
                                                   uint64_t until, size_t most_work,
                                                   struct bytes *name, size_t *work)
{
    sources->count = 0;
    sources->until = until;
    *work = 0;
    for (uint32_t slot = first_slot; slot < subscriber->count; slot++) {
        const struct subscription *requested = &subscriber->subscriptions[slot];
        if (requested->kind == SUBSCRIPTION_INBOX)
            continue;
        bytes_clear(name);
        topic_node_write_name(requested->node, name);
        if (name->failed)
            return REPLAY_NO_MEMORY;
        enum replay_gathering result =
            add_values(sources, log, requested, after, most_work, name, work);
        if (result != REPLAY_GATHERED)
            return result;
    }
    make_heap(sources);
    return REPLAY_GATHERED;
}

void replay_sources_trim(struct replay_sources *sources)
{
    struct replay_source *smaller =
        realloc(sources->sources, (sources->count + !sources->count) * sizeof *smaller);

    if (smaller == NULL)
        return;
    sources->sources = smaller;
    sources->capacity = sources->count + !sources->count;
}

const struct logged_event *replay_sources_first(const struct replay_sources *sources)
{
    const struct replay_source *first = &sources->sources[0];

    return logged_topic_at(first->topic, first->place - first->topic->gone);
}

void replay_sources_advance(struct replay_sources *sources)
{
    struct replay_source *first = &sources->sources[0];

    if (!set_place(first, first->place - first->topic->gone + 1) || first->next > sources->until)
        *first = sources->sources[--sources->count];
    if (sources->count > 0)
        sift_down(sources, 0);
}

void replay_sources_free(struct replay_sources *sources)
{
    free(sources->sources);
    *sources = (struct replay_sources){0};
}
