#include "bus/bus_redis_reader.h"

#include "bus/bus_redis_given.h"
#include "bus/bus_redis_message.h"
#include "bus/bus_redis_past.h"
#include "clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* docs/bus.md gives the reasons for these numbers. */
enum {
    BLOCK_MS = 500,
    TRY_AGAIN_MS = 20,
    FIRST_ENTRIES = 64, /* of one answer */
    MOST_ENTRIES = 256,
    ANSWER_BYTES = 1 << 20, /* that one answer should have, by the size of the entries before */
    LEAST_ANSWER_MAX = 16 << 20
};

struct redis_reader {
    struct redis_node *node;
    struct redis_link link;
    struct redis_place place; /* all up to here has been read */
    struct redis_place ready; /* what comes up to here is of the past */
    struct redis_window window;
    enum { FIND_WINDOW, PUT_VALUES, PUT_DROPS, READ_LOG } stage;
    bool is_past; /* the daemon does not know yet that all of it was given */
    struct redis_given given;
    size_t entries; /* to ask for */
};

/* ---- giving to the loop ---- */

static bool put_news(struct redis_reader *reader, struct bus_news news)
{
    struct redis_item *item = redis_item_new(NULL, 0);
    if (item == NULL)
        return false;
    item->news = news;
    return redis_queue_put(&reader->node->queue, item);
}

/* No more receivers than before. */
static void acknowledge_again(struct redis_reader *reader, const struct envelope *envelope,
                              const struct redis_entry *entry)
{
    const struct ack ack = {.sequence = envelope->sequence,
                            .event_sequence = entry->place.sequence,
                            .status = ACK_DELIVERED};
    unsigned char header[ACK_HEADER_SIZE], record[ACK_RECORD_SIZE];
    struct bytes text = BYTES_EMPTY;
    ack_header_write(header, entry->place.epoch);
    ack_record_write(record, &ack);
    bytes_append(&text, header, sizeof header);
    bytes_append(&text, record, sizeof record);
    redis_node_send(reader->node, envelope->publisher, &text);
}

/* What was given before it was lost is to be kept under its new id, and not to be delivered again. */
static bool was_given(struct redis_reader *reader, const struct redis_entry *entry)
{
    struct bus_part parts[BUS_EVENT_PARTS];
    struct envelope envelope;
    if (!redis_message_read(parts, entry->message, entry->length) ||
        !envelope_read(&envelope, parts[BUS_ENVELOPE].data, parts[BUS_ENVELOPE].length) ||
        !redis_given_note(&reader->given, &envelope))
        return false;
    acknowledge_again(reader, &envelope, entry);
    return true;
}

static bool put_entry(struct redis_reader *reader, const struct redis_entry *entry)
{
    struct redis_item *item = redis_item_new(entry->message, entry->length);
    if (item == NULL)
        return false;
    item->number = entry->place.sequence;
    item->wall_ms = entry->wall_ms;
    item->past = was_given(reader, entry) || reader->is_past;
    return redis_queue_put(&reader->node->queue, item);
}

/* An epoch begins after this one. Where its beginning was trimmed, what was is missing as what was before is. */
static bool put_epoch(struct redis_reader *reader, const struct redis_entry *entry)
{
    redis_given_doubt(&reader->given);
    return put_news(reader,
                    (struct bus_news){.kind = BUS_NEWS_EPOCH,
                                      .epoch = entry->place.epoch,
                                      .sequence = entry->place.sequence - !entry->begins_epoch});
}

/* Sequences have no gaps: what is missing was trimmed before it was read. */
static bool put_what_is_between(struct redis_reader *reader, const struct redis_entry *entry)
{
    uint64_t expected = reader->place.sequence + 1;
    if (entry->place.epoch != reader->place.epoch)
        return put_epoch(reader, entry);
    return reader->place.epoch == 0 || entry->place.sequence <= expected ||
           put_news(reader, (struct bus_news){.kind = BUS_NEWS_LOST,
                                              .sequence = entry->place.sequence - 1});
}

static bool tell_that_past_is_over(struct redis_reader *reader)
{
    if (!reader->is_past || redis_place_is_before(reader->place, reader->ready))
        return true;
    reader->is_past = false;
    return put_news(reader, (struct bus_news){.kind = BUS_NEWS_WINDOW});
}

static bool take_entry(struct redis_reader *reader, const struct redis_answer *answer)
{
    struct redis_entry entry;
    bool known = redis_entry_read(&entry, answer);
    if (entry.place.epoch == 0)
        return true;
    if (!put_what_is_between(reader, &entry) ||
        (known && !entry.begins_epoch && !put_entry(reader, &entry)))
        return false;
    reader->place = entry.place;
    return tell_that_past_is_over(reader);
}

static void note_seen(struct redis_reader *reader, const struct redis_answer *last)
{
    struct redis_place place;
    if (!redis_place_read(&place, redis_answer_part(last, 0)))
        return;
    (void)pthread_mutex_lock(&reader->node->lock);
    reader->node->seen = place;
    (void)pthread_mutex_unlock(&reader->node->lock);
}

static void note_given(struct redis_reader *reader)
{
    (void)pthread_mutex_lock(&reader->node->lock);
    reader->node->given = reader->place;
    (void)pthread_mutex_unlock(&reader->node->lock);
}

/* ---- reading ---- */

static void adapt(struct redis_reader *reader, const struct redis_answer *entries, size_t count)
{
    size_t bytes = 1;
    for (size_t i = 0; i < count; i++) {
        struct redis_entry entry;
        (void)redis_entry_read(&entry, redis_answer_part(entries, i));
        bytes += entry.length;
    }
    size_t fits = ANSWER_BYTES / (bytes / count + 1) + 1;
    reader->entries = fits < MOST_ENTRIES ? fits : MOST_ENTRIES;
}

static bool take_entries(struct redis_reader *reader, const struct redis_answer *entries)
{
    size_t count = redis_answer_count(entries);
    if (count == 0)
        return true;
    note_seen(reader, redis_answer_part(entries, count - 1));
    adapt(reader, entries, count);
    for (size_t i = 0; i < count; i++)
        if (!take_entry(reader, redis_answer_part(entries, i)))
            return false;
    note_given(reader);
    return true;
}

/* False: Redis failed, which is in link.error, or the node is to stop. */
static bool ask_for_entries(struct redis_reader *reader, struct redis_answer **answer)
{
    char count[REDIS_NUMBER_SIZE], block[REDIS_NUMBER_SIZE], place[REDIS_PLACE_SIZE];
    struct redis_link *link = &reader->link;
    struct bytes key = BYTES_EMPTY;
    const struct redis_word words[] = {{"XREAD", 5},
                                       {"COUNT", 5},
                                       redis_word_number(count, reader->entries),
                                       {"BLOCK", 5},
                                       redis_word_number(block, BLOCK_MS),
                                       {"STREAMS", 7},
                                       redis_link_key(&key, link, "log"),
                                       redis_place_write(place, reader->place)};
    bool sent = !key.failed && redis_client_send(link->client, words, 8, link->error);
    bytes_free(&key);
    *answer = sent
                  ? redis_client_next(link->client, reader->node->stop,
                                      BLOCK_MS + reader->node->options.redis->limit_ms, link->error)
                  : NULL;
    if (*answer == NULL && link->error[0] == '\0')
        (void)snprintf(link->error, sizeof link->error, "Redis does not answer in time");
    return *answer != NULL;
}

/* An entry may be larger than many are together. */
static void ask_for_less(struct redis_reader *reader)
{
    if (strstr(reader->link.error, "max_answer") != NULL)
        reader->entries = reader->entries / 4 + 1;
}

static bool read_some(struct redis_reader *reader)
{
    struct redis_answer *answer;
    if (!ask_for_entries(reader, &answer))
        return false;
    size_t length;
    bool good;
    if (redis_answer_kind(answer) == REDIS_ANSWER_ERROR) {
        (void)snprintf(reader->link.error, sizeof reader->link.error, "%s",
                       redis_answer_text(answer, &length));
        good = false;
    } else {
        good = take_entries(reader, redis_answer_part(redis_answer_part(answer, 0), 1));
    }
    redis_answer_free(&answer);
    return good;
}

/* ---- the beginning ---- */

static void tell_ready(struct redis_reader *reader, struct redis_place newest)
{
    struct redis_node *node = reader->node;
    (void)pthread_mutex_lock(&node->lock);
    if (newest.epoch != 0)
        node->facts.epoch = newest.epoch;
    node->facts.sequence = newest.sequence;
    node->seen = node->given = reader->place;
    node->is_ready = true;
    (void)pthread_cond_broadcast(&node->changed);
    (void)pthread_mutex_unlock(&node->lock);
}

static bool begin_where_another_was(struct redis_reader *reader)
{
    const struct bus_take_up *before = &reader->node->take_up;
    reader->place = reader->ready = (struct redis_place){before->epoch, before->sequence};
    tell_ready(reader, reader->place);
    reader->stage = READ_LOG;
    return tell_that_past_is_over(reader);
}

static bool find_window(struct redis_reader *reader)
{
    reader->is_past = true;
    if (reader->node->take_up.boot != 0)
        return begin_where_another_was(reader);
    reader->window.page = reader->entries;
    if (!redis_past_find_window(reader->node, &reader->link, &reader->window))
        return false;
    reader->place = reader->window.before;
    reader->ready = reader->window.newest;
    tell_ready(reader, reader->window.newest);
    reader->stage = PUT_VALUES;
    return true;
}

/* One step; it is done again when Redis failed. */
static bool go_on(struct redis_reader *reader)
{
    switch (reader->stage) {
    case FIND_WINDOW:
        return find_window(reader);
    case PUT_VALUES:
        if (!redis_past_put_values(reader->node, &reader->link, &reader->window))
            return false;
        reader->stage = PUT_DROPS;
        return true;
    case PUT_DROPS:
        if (!redis_past_put_drops(reader->node, &reader->link, &reader->window))
            return false;
        reader->stage = READ_LOG;
        return tell_that_past_is_over(reader);
    default:
        return read_some(reader);
    }
}

/* ---- the thread ---- */

/* The keeper has come to another server: what is read from this one may be of a past that is no more. */
static bool is_at_another_server(struct redis_reader *reader)
{
    struct redis_node *node = reader->node;
    (void)pthread_mutex_lock(&node->lock);
    bool differs = strcmp(node->run, reader->link.run) != 0;
    (void)pthread_mutex_unlock(&node->lock);
    return differs;
}

static bool connect_reader(struct redis_reader *reader)
{
    struct redis_node *node = reader->node;
    bool was_connected = redis_client_is_connected(reader->link.client);
    if (!redis_link_connect(&reader->link))
        return false;
    if (is_at_another_server(reader)) {
        redis_client_disconnect(reader->link.client);
        return false;
    }
    if (was_connected)
        return true;
    (void)pthread_mutex_lock(&node->lock);
    (void)snprintf(node->reader_run, sizeof node->reader_run, "%s", reader->link.run);
    (void)pthread_mutex_unlock(&node->lock);
    return true;
}

static void wait_for_keeper(struct redis_node *node)
{
    (void)pthread_mutex_lock(&node->lock);
    while (!node->is_stopping && !node->is_agreed)
        (void)pthread_cond_wait(&node->changed, &node->lock);
    (void)pthread_mutex_unlock(&node->lock);
}

static void *run_reader(void *context)
{
    struct redis_reader *reader = context;
    struct redis_node *node = reader->node;
    wait_for_keeper(node);
    while (!redis_node_is_stopping(node)) {
        if (connect_reader(reader) && go_on(reader))
            continue;
        ask_for_less(reader);
        redis_client_disconnect(reader->link.client);
        redis_node_pause(node, TRY_AGAIN_MS);
    }
    redis_link_close(&reader->link);
    free(reader);
    return NULL;
}

bool redis_reader_start(struct redis_node *node, pthread_t *thread)
{
    struct redis_reader *reader = calloc(1, sizeof *reader);
    size_t max_answer =
        node->max_message_bytes * 2 + (size_t)node->options.max_kept * 2 + LEAST_ANSWER_MAX;
    if (reader == NULL)
        return false;
    reader->node = node;
    reader->entries = FIRST_ENTRIES;
    if (redis_link_open(&reader->link, &node->options, max_answer)) {
        errno = pthread_create(thread, NULL, run_reader, reader);
        if (errno == 0)
            return true;
    }
    redis_link_close(&reader->link);
    free(reader);
    return false;
}
