#include "events/seen_events.h"

#include "saved_state.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
    CONTENT_MASK = 0x7fffffff,
    FORGOTTEN_AT_ONCE = 64 /* more than come: so they never heap up */
};

static const uint64_t TIME_MASK = (1ULL << SEEN_TIME_BITS) - 1;

static struct seen_event *event_of(struct hash_node *node)
{
    return (struct seen_event *)(void *)((char *)node - offsetof(struct seen_event, by_key));
}

void seen_events_open(struct seen_events *events, uint64_t seed)
{
    TAILQ_INIT(&events->by_age);
    events->seed = seed;
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

uint32_t seen_events_content(const struct seen_events *events, const struct event *event)
{
    if ((event->flags & ENVELOPE_HAS_POST_KEY) == 0)
        return 0;
    uint64_t said = hash_bytes(events->seed, event->json, event->json_length);
    said = hash_bytes(said, &event->whisper, sizeof event->whisper);
    said = hash_bytes(said, &event->except, sizeof event->except);
    if ((event->flags & ENVELOPE_KEEP) != 0)
        said = hash_bytes(said, "keep", sizeof "keep");
    if ((event->flags & ENVELOPE_ADDRESSED) != 0)
        said = hash_bytes(said, event->allowed, event->allowed_length);
    return (uint32_t)(said & CONTENT_MASK);
}

static void forget_event(struct seen_events *events, struct seen_event *event)
{
    TAILQ_REMOVE(&events->by_age, event, by_age);
    hash_table_remove(&events->by_key, &event->by_key);
    free(event);
}

static bool is_over(const struct seen_events *events, const struct seen_event *event,
                    uint64_t now_ms)
{
    uint64_t age_ms = (now_ms - event->seen_at_ms) & TIME_MASK;

    return !event->pending && age_ms > events->max_age_ms;
}

/* After a flood and a silence many are over at once: a few with each event. */
static void forget_some(struct seen_events *events, uint64_t now_ms)
{
    struct seen_event *oldest;

    for (int i = 0; i < FORGOTTEN_AT_ONCE && (oldest = TAILQ_FIRST(&events->by_age)) != NULL &&
                    !oldest->pending &&
                    (events->by_key.count > events->max_count || is_over(events, oldest, now_ms));
         i++)
        forget_event(events, oldest);
}

/* Of the bus: sequences of a publisher that follow each other stand beside each other in the table, so
 * that a batch of events touches little memory. Of posts' own ids both halves are of a digest. */
static uint64_t hash_of(const struct seen_events *events,
                        const unsigned char key[ENVELOPE_POST_KEY_SIZE])
{
    uint64_t sequence;

    memcpy(&sequence, key + 8, sizeof sequence);
    return hash_bytes(events->seed, key, 8) + sequence;
}

static struct seen_event *find_event(const struct seen_events *events,
                                     const unsigned char key[ENVELOPE_POST_KEY_SIZE])
{
    struct hash_node *node = hash_table_find(&events->by_key, hash_of(events, key));
    for (; node != NULL; node = hash_table_find_next(node))
        if (memcmp(event_of(node)->key, key, ENVELOPE_POST_KEY_SIZE) == 0)
            return event_of(node);
    return NULL;
}

const struct seen_event *seen_events_find(struct seen_events *events,
                                          const unsigned char key[ENVELOPE_POST_KEY_SIZE],
                                          uint64_t now_ms)
{
    forget_some(events, now_ms);
    struct seen_event *event = find_event(events, key);
    if (event == NULL || !is_over(events, event, now_ms))
        return event;
    forget_event(events, event);
    return NULL;
}

static struct seen_event *add_event(struct seen_events *events,
                                    const unsigned char key[ENVELOPE_POST_KEY_SIZE],
                                    uint32_t content, uint64_t event_sequence, uint64_t now_ms)
{
    struct seen_event *event = calloc(1, sizeof *event);

    if (event == NULL)
        return NULL;
    memcpy(event->key, key, ENVELOPE_POST_KEY_SIZE);
    event->content = content & CONTENT_MASK;
    event->event_sequence = event_sequence;
    event->seen_at_ms = now_ms & TIME_MASK;
    if (!hash_table_add(&events->by_key, &event->by_key, hash_of(events, key))) {
        free(event);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&events->by_age, event, by_age);
    return event;
}

bool seen_events_add(struct seen_events *events, const unsigned char key[ENVELOPE_POST_KEY_SIZE],
                     uint32_t content, uint64_t event_sequence, uint32_t receivers, uint64_t now_ms)
{
    struct seen_event *event = add_event(events, key, content, event_sequence, now_ms);

    if (event != NULL)
        event->receivers = receivers;
    return event != NULL;
}

bool seen_events_add_pending(struct seen_events *events,
                             const unsigned char key[ENVELOPE_POST_KEY_SIZE], uint32_t content,
                             uint64_t event_sequence, uint64_t now_ms)
{
    struct seen_event *event = add_event(events, key, content, event_sequence, now_ms);

    if (event != NULL)
        event->pending = true;
    return event != NULL;
}

/* Never 0. */
static uint32_t message_hash(uint64_t publisher, uint64_t sequence)
{
    return (uint32_t)(((publisher + sequence) * 0x9e3779b97f4a7c15ULL) >>
                      (64 - SEEN_MESSAGE_BITS)) |
           1;
}

void seen_events_note_message(struct seen_events *events, uint64_t publisher, uint64_t sequence)
{
    struct seen_event *newest = TAILQ_LAST(&events->by_age, seen_events_by_age);

    newest->message = message_hash(publisher, sequence);
}

bool seen_events_came_by(const struct seen_event *event, uint64_t publisher, uint64_t sequence)
{
    return event->message == message_hash(publisher, sequence);
}

void seen_events_settle(struct seen_events *events, const unsigned char key[ENVELOPE_POST_KEY_SIZE],
                        uint32_t receivers)
{
    struct seen_event *event = find_event(events, key);

    if (event == NULL)
        return;
    event->receivers = receivers;
    event->pending = false;
}

void seen_events_forget(struct seen_events *events, const unsigned char key[ENVELOPE_POST_KEY_SIZE])
{
    struct seen_event *event = find_event(events, key);

    if (event != NULL)
        forget_event(events, event);
}

void seen_events_free(struct seen_events *events)
{
    while (!TAILQ_EMPTY(&events->by_age))
        forget_event(events, TAILQ_FIRST(&events->by_age));
    hash_table_free(&events->by_key);
}

uint64_t seen_events_bytes(const struct seen_events *events)
{
    return hash_table_bytes_with(&events->by_key, sizeof(struct seen_event));
}

void seen_events_save(const struct seen_events *events, struct saved_writer *writer)
{
    const struct seen_event *event;
    uint64_t count = 0;

    TAILQ_FOREACH(event, &events->by_age, by_age)
    count += !event->pending;
    saved_put(writer, events->seed);
    saved_put(writer, count);
    TAILQ_FOREACH(event, &events->by_age, by_age)
    {
        if (event->pending)
            continue;
        saved_put_bytes(writer, event->key, sizeof event->key);
        saved_put(writer, event->content);
        saved_put(writer, event->message);
        saved_put(writer, event->event_sequence);
        saved_put(writer, event->receivers);
        saved_put(writer, event->seen_at_ms);
    }
}

bool seen_events_load(struct seen_events *events, struct saved_reader *reader)
{
    unsigned char key[ENVELOPE_POST_KEY_SIZE];

    events->seed = saved_take(reader);
    for (size_t left = saved_take_count(reader, sizeof key); left > 0; left--) {
        saved_take_exactly(reader, key, sizeof key);
        uint32_t content = (uint32_t)saved_take_within(reader, CONTENT_MASK);
        uint64_t message = saved_take_within(reader, (1ULL << SEEN_MESSAGE_BITS) - 1);
        uint64_t sequence = saved_take(reader);
        uint32_t receivers = (uint32_t)saved_take_within(reader, UINT32_MAX);
        uint64_t seen_at_ms = saved_take(reader);
        if (reader->failed ||
            !seen_events_add(events, key, content, sequence, receivers, seen_at_ms))
            return false;
        TAILQ_LAST(&events->by_age, seen_events_by_age)->message = message;
    }
    return !reader->failed;
}
