#include "streams/topic_limits.h"

#include "config/config.h"
#include "net/address_limits.h"
#include "topic.h"

#include <stdbool.h>
#include <string.h>

const char TOPIC_LIMITS_FULL[] = "Too many topics are held at present";
const char TOPIC_LIMITS_ADDRESS[] = "Too many topics are held from this address at present";

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

uint64_t topic_limits_weight(const struct stream *stream)
{
    const struct subscriber *held = &stream->subscriber;
    uint64_t weight = 0;

    for (uint32_t i = 0; i < held->count; i++)
        weight += weight_of_held(held->subscriptions[i].node);
    return weight;
}

void topic_limits_charge(struct stream *stream, uint64_t before)
{
    struct counted_address *address = connection_address(&stream->connection);

    if (address != NULL)
        address->topics += topic_limits_weight(stream) - before;
}

void topic_limits_release(struct stream *stream)
{
    struct counted_address *address = connection_address(&stream->connection);

    if (address != NULL)
        address->topics -= topic_limits_weight(stream);
}

static const char *fault_of_address(struct streams *streams, const struct stream *stream,
                                    uint64_t added)
{
    const struct counted_address *address = connection_address(&stream->connection);
    uint64_t most = stream->connection.net->config->max_topics_per_address;

    if (address == NULL || added <= most - (address->topics < most ? address->topics : most))
        return NULL;
    streams->refused_topics_of_address++;
    return TOPIC_LIMITS_ADDRESS;
}

const char *topic_limits_fault(struct streams *streams, const struct stream *stream,
                               const struct requested_topic *topics, size_t count)
{
    const struct config *config = stream->connection.net->config;
    const struct subscriber *held = &stream->subscriber;
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
    if (added > left / SHARES) {
        streams->refused_topics++;
        return TOPIC_LIMITS_FULL;
    }
    return fault_of_address(streams, stream, added);
}
