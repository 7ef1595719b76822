/* The index of topics against topic_matches(), which takes one pair at a time. Each line does
 * something: "+topic" subscribes, "-n" takes the n-th away, "?topic" publishes, "!topic" publishes
 * it literally. */
#include "topic.h"
#include "topics/topic_index.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SLOTS = 40, LONGEST = 60 };

struct scene {
    struct topic_index index;
    struct topic_matches matches;
    struct subscription subscriptions[SLOTS];
    struct subscriber subscriber;
    char topics[SLOTS][LONGEST];
    size_t lengths[SLOTS];
};

/* Wildcards of a published topic become names that a valid topic cannot have; in a subscription
 * only `#` before the last level, which is no wildcard there. */
static void make_literal(char *topic, size_t length, bool published)
{
    for (size_t start = 0, end; start <= length; start = end + 1) {
        for (end = start; end < length && topic[end] != '/';)
            end++;
        if (end - start != 1)
            continue;
        if (topic[start] == '#' && (published || end < length))
            topic[start] = '\x01';
        else if (topic[start] == '+' && published)
            topic[start] = '\x02';
    }
}

static bool should_match(const struct scene *scene, int slot, const char *topic, size_t length,
                         bool literal)
{
    char pattern[LONGEST], published[LONGEST];

    memcpy(pattern, scene->topics[slot], scene->lengths[slot]);
    memcpy(published, topic, length);
    if (literal) {
        make_literal(pattern, scene->lengths[slot], false);
        make_literal(published, length, true);
    }
    return topic_matches(pattern, scene->lengths[slot], published, length);
}

static int times_found(const struct scene *scene, const struct topic_node *node)
{
    int found = 0;

    for (size_t i = 0; i < scene->matches.count; i++)
        found += scene->matches.nodes[i] == node;
    return found;
}

static void publish(struct scene *scene, const char *topic, size_t length, bool literal)
{
    topic_index_match(&scene->index, topic, length, literal, &scene->matches);
    if (scene->matches.failed)
        abort();
    for (int slot = 0; slot < SLOTS; slot++)
        if (scene->subscriptions[slot].node != NULL &&
            times_found(scene, scene->subscriptions[slot].node) !=
                should_match(scene, slot, topic, length, literal))
            abort();
}

static void subscribe(struct scene *scene, const char *topic, size_t length)
{
    struct bytes name = BYTES_EMPTY;
    uint32_t slot = 0;

    while (slot < SLOTS && scene->subscriptions[slot].node != NULL)
        slot++;
    if (slot == SLOTS)
        return;
    memcpy(scene->topics[slot], topic, length);
    scene->lengths[slot] = length;
    if (!topic_index_add(&scene->index, &scene->subscriber, slot, topic, length))
        abort();
    topic_node_write_name(scene->subscriptions[slot].node, &name);
    if (name.length != length || memcmp(name.data, topic, length) != 0)
        abort();
    bytes_free(&name);
}

static void do_line(struct scene *scene, const char *line, size_t length)
{
    if (line[0] == '-' && length > 1) {
        topic_index_remove(&scene->index, &scene->subscriber, (unsigned char)line[1] % SLOTS);
        return;
    }
    if (topic_fault(line + 1, length - 1, LONGEST, LONGEST) != NULL ||
        memchr(line, '\x01', length) != NULL || memchr(line, '\x02', length) != NULL)
        return;
    if (line[0] == '+')
        subscribe(scene, line + 1, length - 1);
    else if (line[0] == '?' || line[0] == '!')
        publish(scene, line + 1, length - 1, line[0] == '!');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct scene scene = {0};
    const char *line = (const char *)data, *end = line + size;

    scene.subscriber = (struct subscriber){scene.subscriptions, SLOTS};
    if (!topic_index_open(&scene.index, 1))
        abort();
    while (line < end) {
        const char *next = memchr(line, '\n', (size_t)(end - line));
        size_t length = (size_t)((next != NULL ? next : end) - line);
        if (length > 0)
            do_line(&scene, line, length);
        line += length + 1;
    }
    for (uint32_t slot = 0; slot < SLOTS; slot++)
        topic_index_remove(&scene.index, &scene.subscriber, slot);
    if (scene.index.bytes || scene.index.topics || scene.index.subscriptions)
        abort();
    topic_matches_free(&scene.matches);
    topic_index_close(&scene.index);
    return 0;
}
