#include "streams/held_topics.h"

#include "saved_state.h"
#include "topics/audience.h"

#include <stdlib.h>
#include <string.h>

/* Nodes in the order of their addresses, to be searched; a topic's node is the same for everybody.
 */
struct node_set {
    const struct topic_node **nodes;
    size_t count;
};

static int compare_nodes(const void *a, const void *b)
{
    uintptr_t left = (uintptr_t) * (const struct topic_node *const *)a;
    uintptr_t right = (uintptr_t) * (const struct topic_node *const *)b;

    return (left > right) - (left < right);
}

static bool has_node(const struct node_set *set, const struct topic_node *node)
{
    return set->count > 0 &&
           bsearch(&node, set->nodes, set->count, sizeof *set->nodes, compare_nodes) != NULL;
}

static bool make_room_for_nodes(struct node_set *set, size_t count)
{
    *set = (struct node_set){.nodes = count ? malloc(count * sizeof *set->nodes) : NULL};
    return count == 0 || set->nodes != NULL;
}

static void sort_nodes(struct node_set *set)
{
    if (set->count > 1)
        qsort(set->nodes, set->count, sizeof *set->nodes, compare_nodes);
}

static bool set_of_held(struct node_set *set, const struct subscriber *subscriber)
{
    if (!make_room_for_nodes(set, subscriber->count))
        return false;
    for (uint32_t slot = 0; slot < subscriber->count; slot++)
        set->nodes[set->count++] = subscriber->subscriptions[slot].node;
    sort_nodes(set);
    return true;
}

/* Under which name a topic is indexed. */
static const char *name_of(const struct requested_topic *topic, enum subscription_kind kind,
                           const char *user, size_t *length)
{
    *length = kind == SUBSCRIPTION_INBOX ? strlen(user) : topic->length;
    return kind == SUBSCRIPTION_INBOX ? user : topic->text;
}

static bool set_of_requested(struct node_set *set, const struct topic_index *indexes,
                             const char *user, const struct requested_topic *topics, size_t count)
{
    if (!make_room_for_nodes(set, count))
        return false;
    for (size_t i = 0; i < count; i++) {
        enum subscription_kind kind = audience_kind_of(&topics[i]);
        const struct topic_node *node = NULL;
        if (user != NULL || kind != SUBSCRIPTION_INBOX) {
            size_t length;
            const char *name = name_of(&topics[i], kind, user, &length);
            node = topic_index_find(&indexes[kind], name, length);
        }
        if (node != NULL)
            set->nodes[set->count++] = node;
    }
    sort_nodes(set);
    return true;
}

static void resize_topics(struct subscriber *subscriber, size_t count)
{
    if (count == 0) {
        free(subscriber->subscriptions);
        subscriber->subscriptions = NULL;
        return;
    }
    struct subscription *other = realloc(subscriber->subscriptions, count * sizeof *other);
    if (other != NULL)
        subscriber->subscriptions = other;
}

static void cut_topics(struct topic_index *indexes, struct subscriber *subscriber, uint32_t count)
{
    while (subscriber->count > count) {
        uint32_t last = --subscriber->count;
        topic_index_remove(&indexes[subscriber->subscriptions[last].kind], subscriber, last);
    }
}

static const char *add_one(struct topic_index *indexes, struct subscriber *subscriber,
                           const char *user, const struct requested_topic *topic,
                           const struct node_set *held, uint64_t most)
{
    enum subscription_kind kind = audience_kind_of(topic);
    struct topic_index *index = &indexes[kind];
    size_t length;
    const char *name = name_of(topic, kind, user, &length);

    if (held->count > 0 && has_node(held, topic_index_find(index, name, length)))
        return NULL;
    if (subscriber->count >= most)
        return "Too many Event Points";
    subscriber->subscriptions[subscriber->count] = (struct subscription){.kind = kind};
    if (!topic_index_add(index, subscriber, subscriber->count, name, length))
        return REQUESTED_TOPICS_NO_MEMORY;
    subscriber->count++;
    return NULL;
}

const char *held_topics_add(struct topic_index *indexes, struct subscriber *subscriber,
                            const char *user, const struct requested_topic *topics, size_t count,
                            uint64_t most)
{
    uint32_t before = subscriber->count;
    const char *fault = NULL;

    if (count == 0)
        return NULL;
    struct subscription *larger =
        realloc(subscriber->subscriptions, (before + count) * sizeof *larger);
    if (larger == NULL)
        return REQUESTED_TOPICS_NO_MEMORY;
    subscriber->subscriptions = larger;
    struct node_set held;
    if (!set_of_held(&held, subscriber))
        fault = REQUESTED_TOPICS_NO_MEMORY;
    for (size_t i = 0; fault == NULL && i < count; i++)
        fault = add_one(indexes, subscriber, user, &topics[i], &held, most);
    if (fault != NULL)
        cut_topics(indexes, subscriber, before);
    free(held.nodes);
    if (subscriber->count < before + count)
        resize_topics(subscriber, subscriber->count);
    return fault;
}

bool held_topics_remove(struct topic_index *indexes, struct subscriber *subscriber,
                        const char *user, const struct requested_topic *topics, size_t count)
{
    struct node_set unwanted;

    if (!set_of_requested(&unwanted, indexes, user, topics, count))
        return false;
    for (uint32_t slot = subscriber->count; slot-- > 0;) {
        const struct subscription *subscription = &subscriber->subscriptions[slot];
        if (!has_node(&unwanted, subscription->node))
            continue;
        topic_index_remove(&indexes[subscription->kind], subscriber, slot);
        topic_index_move(subscriber, --subscriber->count, slot);
    }
    free(unwanted.nodes);
    resize_topics(subscriber, subscriber->count);
    return true;
}

bool held_topics_clear_some(struct topic_index *indexes, struct subscriber *subscriber,
                            uint32_t most)
{
    cut_topics(indexes, subscriber, subscriber->count > most ? subscriber->count - most : 0);
    if (subscriber->count > 0)
        return false;
    resize_topics(subscriber, 0);
    return true;
}

void held_topics_clear(struct topic_index *indexes, struct subscriber *subscriber)
{
    cut_topics(indexes, subscriber, 0);
    resize_topics(subscriber, 0);
}

void held_topics_save(const struct subscriber *subscriber, struct saved_writer *writer)
{
    struct bytes name = BYTES_EMPTY;

    saved_put(writer, subscriber->count);
    for (uint32_t slot = 0; slot < subscriber->count; slot++) {
        bytes_clear(&name);
        topic_node_write_name(subscriber->subscriptions[slot].node, &name);
        saved_put(writer, subscriber->subscriptions[slot].kind);
        saved_put_bytes(writer, name.data, name.length);
        writer->out.failed = writer->out.failed || name.failed;
    }
    bytes_free(&name);
}

bool held_topics_load(struct topic_index *indexes, struct subscriber *subscriber,
                      struct saved_reader *reader)
{
    size_t count = saved_take_count(reader, 2 * sizeof(uint64_t));

    if (count == 0)
        return !reader->failed;
    subscriber->subscriptions = calloc(count, sizeof *subscriber->subscriptions);
    if (subscriber->subscriptions == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        size_t length;
        uint32_t kind = (uint32_t)saved_take_within(reader, SUBSCRIPTION_KINDS - 1);
        const char *name = saved_take_bytes(reader, &length);
        subscriber->subscriptions[i].kind = kind;
        if (reader->failed || length == 0 ||
            !topic_index_add(&indexes[kind], subscriber, subscriber->count, name, length))
            return false;
        subscriber->count++;
    }
    return true;
}
