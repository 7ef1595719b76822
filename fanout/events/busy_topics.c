#include "events/busy_topics.h"

#include "hash_table.h"

#include <stdlib.h>
#include <string.h>

enum { SECOND_MS = 1000, OF_LATE = 4 /* a second's weight is a fourth */ };

static uint64_t weight(const struct busy_topic *topic)
{
    return topic->rate + topic->count * BUSY_TOPICS_SCALE;
}

/* The topic's own place, a free one, or that of the one that matters least. */
static size_t find_place(const struct busy_topics *topics, uint64_t hash)
{
    size_t least = 0;

    for (size_t i = 0; i < BUSY_TOPICS; i++)
        if (topics->hashes[i] == hash)
            return i;
    for (size_t i = 1; i < BUSY_TOPICS; i++)
        if (weight(&topics->places[i]) < weight(&topics->places[least]))
            least = i;
    return least;
}

void busy_topics_note(struct busy_topics *topics, const char *topic, size_t length,
                      uint64_t receivers)
{
    uint64_t hash = hash_bytes(topics->seed, topic, length) | 1;
    size_t place = find_place(topics, hash);
    struct busy_topic *found = &topics->places[place];

    if (topics->hashes[place] != hash) {
        topics->hashes[place] = hash;
        *found = (struct busy_topic){
            .length = (uint16_t)(length < BUSY_TOPIC_NAME ? length : BUSY_TOPIC_NAME)};
        memcpy(found->name, topic, found->length);
    }
    found->count++;
    found->receivers = receivers;
}

static void pass_second(struct busy_topics *topics)
{
    for (size_t i = 0; i < BUSY_TOPICS; i++) {
        struct busy_topic *topic = &topics->places[i];
        topic->rate = (topic->rate * (OF_LATE - 1) + topic->count * BUSY_TOPICS_SCALE) / OF_LATE;
        topic->count = 0;
        if (topic->rate == 0)
            topics->hashes[i] = 0;
    }
}

void busy_topics_pass(struct busy_topics *topics, uint64_t now_ms)
{
    if (now_ms - topics->second_at < SECOND_MS)
        return;
    topics->second_at = now_ms;
    pass_second(topics);
}

static int compare(const void *a, const void *b)
{
    uint64_t left = weight(*(const struct busy_topic *const *)a),
             right = weight(*(const struct busy_topic *const *)b);

    return (left < right) - (left > right);
}

size_t busy_topics_list(const struct busy_topics *topics,
                        const struct busy_topic *list[BUSY_TOPICS])
{
    size_t count = 0;

    for (size_t i = 0; i < BUSY_TOPICS; i++)
        if (topics->hashes[i] != 0)
            list[count++] = &topics->places[i];
    qsort(list, count, sizeof *list, compare);
    return count;
}
