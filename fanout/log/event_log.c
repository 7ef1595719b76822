#include "log/event_log.h"

#include "envelope.h"
#include "heap.h"
#include "log/saved_event.h"

#include <stdlib.h>
#include <string.h>

enum {
    FIRST_RING = 4,
    RESUME_GAP = 1 << 20,
    EXPIRED_AT_ONCE = 4096,    /* events whose time is over: the others in the next tick */
    SEQUENCES_PER_MS_BITS = 10 /* more events than a daemon can take in a millisecond */
};

bool event_log_open(struct event_log *log, uint64_t wall_ms, uint64_t seed)
{
    *log = (struct event_log){.epoch = wall_ms};
    bool opened = topic_index_open(&log->topics, seed);
    opened = topic_index_open(&log->targeted, seed) && opened;
    return last_values_open(&log->values, seed) && opened;
}

static uint64_t greater(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Clients may hold ids that never reached the disk: none is given a second time. */
void event_log_resume(struct event_log *log, uint64_t head, uint64_t lost_through, bool sure,
                      uint64_t wall_ms)
{
    uint64_t elapsed = wall_ms > log->epoch ? wall_ms - log->epoch : 0;

    log->stored_head = head;
    log->resumed_at = greater(head + RESUME_GAP, elapsed << SEQUENCES_PER_MS_BITS);
    log->lost_through = sure ? lost_through : log->resumed_at;
    log->sequence = log->given = log->resumed_at;
}

uint64_t event_log_take_sequence(struct event_log *log)
{
    return ++log->given;
}

void event_log_note_given(struct event_log *log, uint64_t sequence)
{
    log->given = sequence;
}

void event_log_pass(struct event_log *log, uint64_t sequence)
{
    log->sequence = sequence;
}

void event_log_lose(struct event_log *log, uint64_t through)
{
    log->lost_through = greater(log->lost_through, through);
    log->given = greater(log->given, through);
    log->sequence = greater(log->sequence, through);
}

bool event_log_has_all_after(const struct event_log *log, uint64_t sequence)
{
    return sequence >= log->forgotten && sequence >= log->lost_through &&
           (sequence <= log->stored_head || sequence >= log->resumed_at);
}

uint64_t event_log_iat(struct event_log *log, uint64_t wall_ms)
{
    if (wall_ms > log->last_iat)
        log->last_iat = wall_ms;
    return log->last_iat;
}

bool event_log_has_any_after(const struct event_log *log, uint64_t sequence)
{
    return log->newest != NULL && log->newest->sequence > sequence;
}

const struct logged_event *event_log_first_after(const struct event_log *log, uint64_t sequence)
{
    const struct logged_event *event = log_marks_find(&log->marks, sequence);

    if (event == NULL)
        event = log->oldest;
    while (event != NULL && event->sequence <= sequence)
        event = event->newer;
    return event;
}

uint64_t event_log_count_after(const struct event_log *log, uint64_t sequence)
{
    uint64_t count = log_marks_count_after(&log->marks, sequence);

    return count < log->events ? count : log->events;
}

static struct logged_event **slot_at(const struct logged_topic *topic, uint32_t position)
{
    return &topic->events[(topic->start + position) & (topic->capacity - 1)];
}

static void topic_free(struct event_log *log, struct logged_topic *topic)
{
    if (topic->subscription.node != NULL)
        topic_index_remove(topic->targeted ? &log->targeted : &log->topics, &topic->subscriber, 0);
    log->bytes -=
        sizeof *topic + topic->length + 1 + topic->capacity * sizeof(struct logged_event *);
    free(topic->events);
    free(topic);
}

static bool resize_ring(struct event_log *log, struct logged_topic *topic, uint32_t capacity)
{
    struct logged_event **ring = malloc(capacity * sizeof(struct logged_event *));

    if (ring == NULL)
        return false;
    for (uint32_t i = 0; i < topic->count; i++)
        ring[i] = *slot_at(topic, i);
    free(topic->events);
    log->bytes -= topic->capacity * sizeof(struct logged_event *);
    log->bytes += capacity * sizeof(struct logged_event *);
    topic->events = ring;
    topic->start = 0;
    topic->capacity = capacity;
    return true;
}

static bool make_room_in_ring(struct event_log *log, struct logged_topic *topic)
{
    if (topic->count < topic->capacity)
        return true;
    return resize_ring(log, topic, topic->capacity ? topic->capacity * 2 : FIRST_RING);
}

/* When three quarters are empty; without memory it stays as large as it is. */
static void give_back_room(struct event_log *log, struct logged_topic *topic)
{
    if (topic->capacity > FIRST_RING && topic->count <= topic->capacity / 4)
        (void)resize_ring(log, topic, topic->capacity / 2);
}

static void forget_oldest(struct event_log *log)
{
    struct logged_event *event = log->oldest;
    struct logged_topic *topic = event->topic;

    log->oldest = event->newer;
    if (log->oldest == NULL)
        log->newest = NULL;
    log->forgotten = greater(log->forgotten, event->sequence);
    log->bytes -= logged_event_bytes(event);
    log->events--;
    log_marks_forget(&log->marks, event);
    free(event);
    topic->start = (topic->start + 1) & (topic->capacity - 1);
    topic->gone++;
    if (--topic->count == 0)
        topic_free(log, topic);
    else
        give_back_room(log, topic);
}

uint64_t event_log_bytes(const struct event_log *log)
{
    return log->bytes + log->topics.bytes + log->targeted.bytes + log_marks_bytes(&log->marks);
}

void event_log_expire(struct event_log *log, uint64_t now_ms)
{
    while (log->oldest != NULL && event_log_bytes(log) > log->max_bytes)
        forget_oldest(log);
    for (int i = 0; i < EXPIRED_AT_ONCE && log->oldest != NULL &&
                    now_ms - log->oldest->logged_at_ms > log->max_age_ms;
         i++)
        forget_oldest(log);
}

void event_log_forget(struct event_log *log, uint64_t through)
{
    while (log->oldest != NULL && log->oldest->sequence <= through)
        forget_oldest(log);
    log->forgotten = greater(log->forgotten, through);
}

void event_log_begin_anew(struct event_log *log, uint64_t epoch, uint64_t sequence)
{
    event_log_forget(log, UINT64_MAX);
    log->epoch = epoch;
    log->sequence = log->given = log->forgotten = sequence;
    log->stored_head = log->resumed_at = log->lost_through = 0;
    log->newest_bound = log->newest_targeted = 0;
    last_values_forget_after(&log->values, sequence);
}

static struct topic_index *index_of(struct event_log *log, bool targeted)
{
    return targeted ? &log->targeted : &log->topics;
}

static struct logged_topic *topic_new(struct event_log *log, const char *name, size_t length,
                                      bool targeted)
{
    struct logged_topic *topic = calloc(1, sizeof *topic + length + 1);

    if (topic == NULL)
        return NULL;
    topic->length = (uint32_t)length;
    topic->targeted = targeted;
    memcpy(topic->name, name, length);
    topic->subscriber = (struct subscriber){&topic->subscription, 1};
    log->bytes += sizeof *topic + length + 1;
    if (!topic_index_add(index_of(log, targeted), &topic->subscriber, 0, name, length)) {
        topic_free(log, topic);
        return NULL;
    }
    return topic;
}

static struct logged_topic *find_topic(struct event_log *log, const char *name, size_t length,
                                       bool targeted)
{
    const struct topic_node *node = topic_index_find(index_of(log, targeted), name, length);

    return node != NULL && node->receiver_count > 0 ? logged_topic_of(node) : NULL;
}

static void link_event(struct event_log *log, struct logged_event *event)
{
    struct logged_topic *topic = event->topic;

    *slot_at(topic, topic->count) = event;
    topic->count++;
    if (log->newest != NULL)
        log->newest->newer = event;
    else
        log->oldest = event;
    log->newest = event;
    log_marks_note(&log->marks, event, event->sequence);
    log->events++;
    log->bytes += logged_event_bytes(event);
}

static void note_rights(struct event_log *log, const struct event *event)
{
    if ((event->flags & ENVELOPE_ADDRESSED) != 0)
        return;
    if ((event->flags & ENVELOPE_TARGETED) != 0)
        log->newest_targeted = event->sequence;
    else if ((event->flags & ENVELOPE_BOUND) != 0)
        log->newest_bound = event->sequence;
}

bool event_log_append(struct event_log *log, const struct event *event, uint64_t now_ms)
{
    bool targeted = (event->flags & ENVELOPE_TARGETED) != 0;
    struct logged_topic *topic = find_topic(log, event->topic, event->topic_length, targeted);
    struct logged_event *logged = logged_event_new(event, now_ms);

    if (topic == NULL)
        topic = topic_new(log, event->topic, event->topic_length, targeted);
    if (logged == NULL || topic == NULL || !make_room_in_ring(log, topic)) {
        if (topic != NULL && topic->count == 0)
            topic_free(log, topic);
        free(logged);
        return false;
    }
    logged->topic = topic;
    note_rights(log, event);
    log->sequence = event->sequence;
    link_event(log, logged);
    event_log_expire(log, now_ms);
    return true;
}

void event_log_write_id(const struct event_log *log, struct log_position position,
                        struct bytes *out)
{
    bytes_append_number(out, position.epoch != 0 ? position.epoch : log->epoch);
    bytes_append_text(out, "-");
    bytes_append_number(out, position.sequence);
    if (!log_position_lacks_values(position))
        return;
    bytes_append_text(out, "-");
    bytes_append_number(out, position.values_after);
}

const struct topic_matches *event_log_match(struct event_log *log, const char *topic, size_t length,
                                            size_t most_work)
{
    topic_index_match_within(&log->topics, topic, length, false, most_work, &log->matches);
    return log->matches.failed ? NULL : &log->matches;
}

const struct topic_matches *event_log_match_targeted(struct event_log *log, size_t most_work)
{
    topic_index_all(&log->targeted, most_work, &log->matches);
    return log->matches.failed ? NULL : &log->matches;
}

void event_log_close(struct event_log *log)
{
    while (log->oldest != NULL)
        forget_oldest(log);
    topic_matches_free(&log->matches);
    log_marks_free(&log->marks);
    topic_index_close(&log->topics);
    topic_index_close(&log->targeted);
    last_values_close(&log->values);
}

uint64_t event_log_heap_bytes(const struct event_log *log)
{
    uint64_t topics = log->topics.topics + log->targeted.topics;

    return heap_taken_by_many(log->events + 2 * topics, log->bytes) +
           topic_index_bytes(&log->topics) + topic_index_bytes(&log->targeted) +
           log_marks_bytes(&log->marks) + topic_matches_bytes(&log->matches);
}

bool event_log_save_ahead(const struct event_log *log, uint64_t *through, size_t most,
                          struct saved_writer *writer)
{
    const struct logged_event *event = event_log_first_after(log, *through);

    for (; event != NULL && writer->out.length < most; event = event->newer) {
        saved_event_put(writer, event);
        *through = event->sequence;
    }
    return event != NULL;
}

void event_log_save(const struct event_log *log, uint64_t after, struct saved_writer *writer)
{
    const struct logged_event *first = event_log_first_after(log, after);
    uint64_t count = 0;

    const uint64_t figures[] = {log->epoch,        log->sequence,     log->given,
                                log->forgotten,    log->stored_head,  log->resumed_at,
                                log->lost_through, log->newest_bound, log->newest_targeted,
                                log->last_iat};

    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
        saved_put(writer, figures[i]);
    for (const struct logged_event *event = first; event != NULL; event = event->newer)
        count++;
    saved_put(writer, count);
    for (const struct logged_event *event = first; event != NULL; event = event->newer)
        saved_event_put(writer, event);
}

static bool load_one(struct event_log *log, struct saved_reader *reader)
{
    struct event event;
    uint64_t logged_at_ms = saved_event_take(reader, &event);

    return !reader->failed && event.sequence > log->sequence &&
           event_log_append(log, &event, logged_at_ms);
}

bool event_log_load_ahead(struct event_log *log, struct saved_reader *reader)
{
    while (reader->at < reader->end)
        if (!load_one(log, reader))
            return false;
    return !reader->failed;
}

static void load_figures(struct event_log *log, const struct event_log *figures)
{
    log->epoch = figures->epoch;
    log->sequence = figures->sequence;
    log->given = figures->given;
    log->forgotten = greater(log->forgotten, figures->forgotten);
    log->stored_head = figures->stored_head;
    log->resumed_at = figures->resumed_at;
    log->lost_through = figures->lost_through;
    log->newest_bound = figures->newest_bound;
    log->newest_targeted = figures->newest_targeted;
    log->last_iat = figures->last_iat;
}

bool event_log_load(struct event_log *log, struct saved_reader *reader)
{
    struct event_log figures = {.epoch = saved_take(reader)};

    uint64_t *const rest[] = {
        &figures.sequence,     &figures.given,           &figures.forgotten,
        &figures.stored_head,  &figures.resumed_at,      &figures.lost_through,
        &figures.newest_bound, &figures.newest_targeted, &figures.last_iat};
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++)
        *rest[i] = saved_take_within(reader, SAVED_COUNTER_MOST);
    for (size_t left = saved_take_count(reader, SAVED_EVENT_LEAST); left > 0; left--)
        if (!load_one(log, reader))
            return false;
    if (reader->failed || log->sequence > figures.sequence)
        return false;
    event_log_forget(log, figures.forgotten);
    load_figures(log, &figures);
    return true;
}
