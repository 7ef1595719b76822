#include "streams/topic_limits.h"

#include "topic.h"

#include <stdbool.h>
#include <string.h>

const char TOPIC_LIMITS_FULL[] = "Too many topics are held at present";

enum { SHARES = 16 /* one may take so much of what is left */ };

static const char presence_prefix[] = "@CONNECTION@/";

static bool watches_many(const char *topic, size_t length)
{
    return length >= sizeof presence_prefix - 1 &&
           memcmp(topic, presence_prefix, sizeof presence_prefix - 1) == 0 &&
           topic_has_wildcard(topic, length);
}

static uint64_t weight_of(size_t levels, size_t length)
{
    return levels * sizeof(struct topic_node) + length + sizeof(struct topic_receiver) +
           sizeof(struct subscription);
}

static uint64_t weight_of_requested(const struct requested_topic *topic)
{
    size_t levels = 1;

    for (size_t i = 0; i < topic->length; i++)
        levels += topic->text[i] == '/';
    return weight_of(levels, topic->length);
}

static uint64_t weight_of_held(const struct topic_node *node)
{
    size_t levels = 0, length = 0;

    for (; node->parent != NULL; node = node->parent) {
        levels++;
        length += node->level_length + 1;
    }
    return weight_of(levels, length);
}

bool topic_limits_watches_many(const struct topic_node *node)
{
    bool wildcard = false;

    for (; node->parent != NULL; node = node->parent) {
        wildcard = wildcard ||
                   (node->level_length == 1 && (node->level[0] == '+' || node->level[0] == '#'));
        if (node->parent->parent == NULL)
            return wildcard && node->level_length == sizeof presence_prefix - 2 &&
                   memcmp(node->level, presence_prefix, node->level_length) == 0;
    }
    return false;
}

uint64_t topic_limits_used(const struct streams *streams)
{
    uint64_t used = 0;

    for (int kind = 0; kind < SUBSCRIPTION_KINDS; kind++)
        used += streams->topics[kind].bytes + hash_table_bytes(&streams->topics[kind].levels);
    return used;
}

const char *topic_limits_fault(const struct streams *streams, const struct config *config,
                               const struct subscriber *held, const struct requested_topic *topics,
                               size_t count)
{
    uint64_t used = topic_limits_used(streams), patterns = 0, weight = 0;
    uint64_t left = used < config->max_topics_total ? config->max_topics_total - used : 0;

    for (size_t i = 0; i < count; i++) {
        weight += weight_of_requested(&topics[i]);
        patterns += watches_many(topics[i].text, topics[i].length);
    }
    uint64_t added = weight;
    for (uint32_t i = 0; i < held->count; i++) {
        weight += weight_of_held(held->subscriptions[i].node);
        patterns += topic_limits_watches_many(held->subscriptions[i].node);
    }
    if (patterns > config->max_presence_patterns)
        return "Too many patterns of client ids";
    if (weight > config->max_topics_size)
        return "Topics are too large together";
    return added > left / SHARES ? TOPIC_LIMITS_FULL : NULL;
}
