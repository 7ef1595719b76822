#include "log/last_values.h"

#include "envelope.h"
#include "heap.h"
#include "log/logged_event.h"
#include "log/saved_event.h"
#include "messages.h"

#include <stdlib.h>
#include <string.h>

enum {
    FIRST_SLOTS = 64,
    LET_GO_AT_ONCE = 4096 /* when there may be fewer than before: the others with the next tick */
};

struct last_value_slot {
    uint64_t sequence;
    struct logged_event *event; /* NULL: another one has taken its place */
};

enum last_value_kind last_value_kind_of(uint16_t flags)
{
    if ((flags & ENVELOPE_PRIVATE) != 0)
        return LAST_VALUE_PRIVATE;
    return (flags & ENVELOPE_BOUND) != 0 ? LAST_VALUE_BOUND : LAST_VALUE_OPEN;
}

bool last_values_open(struct last_values *values, uint64_t seed)
{
    bool opened = true;

    *values = (struct last_values){.max_bytes = UINT64_MAX};
    for (int kind = 0; kind < LAST_VALUE_KINDS; kind++)
        opened = topic_index_open(&values->topics[kind], seed) && opened;
    return opened;
}

/* ---- order ---- */

/* Where the first one with a sequence above the given one stands, or would. */
static size_t place_after(const struct last_values *values, uint64_t sequence)
{
    size_t low = values->start, high = values->end;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (values->order[middle].sequence > sequence)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static void close_gaps(struct last_values *values)
{
    size_t to = 0;

    for (size_t from = values->start; from < values->end; from++)
        if (values->order[from].event != NULL)
            values->order[to++] = values->order[from];
    values->start = 0;
    values->end = to;
}

/* Gaps are closed when there are as many of them as values: so that each costs little. */
static bool make_room_in_order(struct last_values *values)
{
    if (values->end == values->capacity && values->end > values->count * 2 + FIRST_SLOTS / 2)
        close_gaps(values);
    if (values->end < values->capacity)
        return true;
    size_t capacity = values->capacity > 0 ? 2 * values->capacity : FIRST_SLOTS;
    struct last_value_slot *larger = realloc(values->order, capacity * sizeof *larger);
    if (larger == NULL)
        return false;
    values->order = larger;
    values->capacity = capacity;
    return true;
}

static void leave_order(struct last_values *values, const struct logged_event *event)
{
    values->order[place_after(values, event->sequence) - 1].event = NULL;
    while (values->start < values->end && values->order[values->start].event == NULL)
        values->start++;
}

/* ---- topics ---- */

static uint64_t size_of(const struct logged_topic *topic)
{
    return sizeof *topic + topic->length + 1 + sizeof *topic->events;
}

static void free_topic(struct last_values *values, enum last_value_kind kind,
                       struct logged_topic *topic)
{
    if (topic->subscription.node != NULL) {
        topic_index_remove(&values->topics[kind], &topic->subscriber, 0);
        values->bytes -= size_of(topic);
    }
    free(topic->events);
    free(topic);
}

static struct logged_topic *add_topic(struct last_values *values, enum last_value_kind kind,
                                      const char *name, size_t length)
{
    struct logged_topic *topic = calloc(1, sizeof *topic + length + 1);

    if (topic == NULL)
        return NULL;
    topic->length = (uint32_t)length;
    memcpy(topic->name, name, length);
    topic->subscriber = (struct subscriber){&topic->subscription, 1};
    topic->capacity = 1;
    topic->events = calloc(1, sizeof *topic->events);
    if (topic->events == NULL ||
        !topic_index_add(&values->topics[kind], &topic->subscriber, 0, name, length)) {
        free_topic(values, kind, topic);
        return NULL;
    }
    values->bytes += size_of(topic);
    return topic;
}

static struct logged_topic *find_topic(const struct last_values *values, enum last_value_kind kind,
                                       const char *name, size_t length)
{
    const struct topic_node *node = topic_index_find(&values->topics[kind], name, length);

    return node != NULL && node->receiver_count > 0 ? logged_topic_of(node) : NULL;
}

/* ---- values ---- */

static void remove_value(struct last_values *values, struct logged_topic *topic)
{
    struct logged_event *event = topic->events[0];

    topic->count = 0;
    leave_order(values, event);
    values->bytes -= logged_event_bytes(event);
    values->count--;
    free(event);
}

static void note_let_go(struct last_values *values)
{
    if (values->let_go++ == 0)
        message_warning("last values of topics are let go of, the oldest first: there is no room "
                        "for all of them ([log] max_kept)",
                        message_number("values", (int64_t)values->count),
                        message_number("bytes", (int64_t)last_values_bytes(values)));
}

static void let_go_of(struct last_values *values, struct logged_event *event)
{
    struct logged_topic *topic = event->topic;
    enum last_value_kind kind = last_value_kind_of(event->flags);

    note_let_go(values);
    values->forgotten = event->sequence;
    remove_value(values, topic);
    free_topic(values, kind, topic);
}

void last_values_trim(struct last_values *values)
{
    for (int i = 0;
         i < LET_GO_AT_ONCE && values->count > 0 && last_values_bytes(values) > values->max_bytes;
         i++)
        let_go_of(values, values->order[values->start].event);
}

/* False without memory. Whom the database named says nothing of who may hear it later. */
static bool put_value(struct last_values *values, enum last_value_kind kind,
                      const struct event *event)
{
    struct event kept = *event;
    kept.allowed_length = 0;
    struct logged_topic *topic = find_topic(values, kind, event->topic, event->topic_length);
    struct logged_event *logged = make_room_in_order(values) ? logged_event_new(&kept, 0) : NULL;

    if (logged != NULL && topic == NULL)
        topic = add_topic(values, kind, event->topic, event->topic_length);
    if (logged == NULL || topic == NULL) {
        free(logged);
        return false;
    }
    if (topic->count > 0)
        remove_value(values, topic);
    logged->topic = topic;
    topic->events[0] = logged;
    topic->count = 1;
    values->order[values->end++] = (struct last_value_slot){event->sequence, logged};
    values->bytes += logged_event_bytes(logged);
    values->count++;
    return true;
}

static void forget_value(struct last_values *values, enum last_value_kind kind,
                         const struct event *event)
{
    struct logged_topic *topic = find_topic(values, kind, event->topic, event->topic_length);

    if (topic == NULL)
        return;
    remove_value(values, topic);
    free_topic(values, kind, topic);
}

/* ---- those that come in any order ---- */

static int compare_slots(const void *one, const void *other)
{
    const struct last_value_slot *a = one, *b = other;

    return (a->sequence > b->sequence) - (a->sequence < b->sequence);
}

void last_values_settle(struct last_values *values)
{
    if (!values->is_unsettled)
        return;
    close_gaps(values);
    qsort(values->order, values->end, sizeof *values->order, compare_slots);
    values->is_unsettled = false;
    last_values_trim(values);
}

void last_values_add(struct last_values *values, const struct event *event)
{
    enum last_value_kind kind = last_value_kind_of(event->flags);
    const struct logged_topic *topic = find_topic(values, kind, event->topic, event->topic_length);

    if (topic != NULL && topic->events[0]->sequence >= event->sequence)
        return;
    if (topic != NULL) /* it is removed from where it stands */
        last_values_settle(values);
    if (!put_value(values, kind, event))
        note_let_go(values);
    else
        values->is_unsettled = true;
}

void last_values_forget_after(struct last_values *values, uint64_t sequence)
{
    last_values_settle(values);
    for (size_t at = values->end; at > values->start && values->order[at - 1].sequence > sequence;
         at--) {
        const struct logged_event *event = values->order[at - 1].event;
        if (event == NULL)
            continue;
        struct logged_topic *topic = event->topic;
        enum last_value_kind kind = last_value_kind_of(event->flags);
        remove_value(values, topic);
        free_topic(values, kind, topic);
    }
    while (values->end > values->start && values->order[values->end - 1].event == NULL)
        values->end--;
}

bool last_values_fit(const struct last_values *values, const struct event *event)
{
    return event->json_length <= values->max_bytes / 2;
}

void last_values_take(struct last_values *values, const struct event *event)
{
    enum last_value_kind kind = last_value_kind_of(event->flags);

    if ((event->flags & ENVELOPE_FORGET) != 0) {
        forget_value(values, kind, event);
        return;
    }
    if (!put_value(values, kind, event)) {
        /* That of before is no last value any more. */
        note_let_go(values);
        forget_value(values, kind, event);
    }
    last_values_trim(values);
}

const struct logged_event *last_values_after(const struct last_values *values, uint64_t sequence)
{
    for (size_t at = place_after(values, sequence); at < values->end; at++)
        if (values->order[at].event != NULL)
            return values->order[at].event;
    return NULL;
}

uint64_t last_values_count_after(const struct last_values *values, uint64_t sequence)
{
    return values->end - place_after(values, sequence);
}

void last_values_match(const struct last_values *values, enum last_value_kind kind,
                       const char *topic, size_t length, size_t most_work,
                       struct topic_matches *matches)
{
    topic_index_match_within(&values->topics[kind], topic, length, false, most_work, matches);
}

uint64_t last_values_bytes(const struct last_values *values)
{
    uint64_t bytes = values->bytes + 2 * values->count * sizeof *values->order;

    for (int kind = 0; kind < LAST_VALUE_KINDS; kind++)
        bytes += values->topics[kind].bytes;
    return bytes;
}

uint64_t last_values_heap_bytes(const struct last_values *values)
{
    uint64_t bytes = heap_taken_by_many(3 * values->count, values->bytes) +
                     values->capacity * sizeof *values->order;

    for (int kind = 0; kind < LAST_VALUE_KINDS; kind++)
        bytes += topic_index_bytes(&values->topics[kind]);
    return bytes;
}

void last_values_close(struct last_values *values)
{
    while (values->count > 0) {
        struct logged_event *event = values->order[values->start].event;
        struct logged_topic *topic = event->topic;
        enum last_value_kind kind = last_value_kind_of(event->flags);
        remove_value(values, topic);
        free_topic(values, kind, topic);
    }
    free(values->order);
    for (int kind = 0; kind < LAST_VALUE_KINDS; kind++)
        topic_index_close(&values->topics[kind]);
    *values = (struct last_values){0};
}

void last_values_save(const struct last_values *values, struct saved_writer *writer)
{
    saved_put(writer, values->forgotten);
    saved_put(writer, values->count);
    for (size_t i = values->start; i < values->end; i++)
        if (values->order[i].event != NULL)
            saved_event_put(writer, values->order[i].event);
}

bool last_values_load(struct last_values *values, struct saved_reader *reader)
{
    uint64_t forgotten = saved_take(reader), last = 0;

    for (size_t left = saved_take_count(reader, SAVED_EVENT_LEAST); left > 0; left--) {
        struct event event;
        (void)saved_event_take(reader, &event);
        if (reader->failed || event.sequence <= last)
            return false;
        last = event.sequence;
        last_values_take(values, &event);
    }
    if (forgotten > values->forgotten)
        values->forgotten = forgotten;
    return !reader->failed;
}
