#include "topics/topic_index.h"

#include "heap.h"
#include "topic.h"

#include <stdlib.h>
#include <string.h>

/* A place in the trie from which the rest of the published topic is still to be matched; rest NULL:
 * nothing is left. */
struct topic_step {
    struct topic_node *node;
    const char *rest;
    size_t rest_length;
};

static struct topic_node *node_of(struct hash_node *by_level)
{
    return (struct topic_node *)(void *)((char *)by_level - offsetof(struct topic_node, by_level));
}

static bool is_level(const char *level, size_t length, char wildcard)
{
    return length == 1 && level[0] == wildcard;
}

static uint64_t hash_level(const struct topic_index *index, const struct topic_node *parent,
                           const char *level, size_t length)
{
    return hash_bytes(index->seed ^ ((uint64_t)(uintptr_t)parent * 0x9e3779b97f4a7c15ULL), level,
                      length);
}

static struct topic_node *find_hashed(const struct topic_index *index,
                                      const struct topic_node *parent, const char *level,
                                      size_t length, uint64_t hash)
{
    struct hash_node *found = hash_table_find(&index->levels, hash);

    for (; found != NULL; found = hash_table_find_next(found)) {
        struct topic_node *node = node_of(found);
        if (node->parent == parent && node->level_length == length &&
            memcmp(node->level, level, length) == 0)
            return node;
    }
    return NULL;
}

static struct topic_node *find_child(const struct topic_index *index,
                                     const struct topic_node *parent, const char *level,
                                     size_t length)
{
    if (parent->first_child == NULL)
        return NULL;
    return find_hashed(index, parent, level, length, hash_level(index, parent, level, length));
}

static struct topic_node *node_new(struct topic_node *parent, const char *level, size_t length)
{
    struct topic_node *node = calloc(1, sizeof *node + length);

    if (node == NULL)
        return NULL;
    node->parent = parent;
    node->level_length = (uint32_t)length;
    memcpy(node->level, level, length);
    return node;
}

static struct topic_node *add_child(struct topic_index *index, struct topic_node *parent,
                                    const char *level, size_t length, uint64_t hash)
{
    struct topic_node *node = node_new(parent, level, length);

    if (node == NULL)
        return NULL;
    if (!hash_table_add(&index->levels, &node->by_level, hash)) {
        free(node);
        return NULL;
    }
    node->next_sibling = parent->first_child;
    node->link = &parent->first_child;
    if (node->next_sibling != NULL)
        node->next_sibling->link = &node->next_sibling;
    parent->first_child = node;
    if (is_level(level, length, '+'))
        parent->one = node;
    if (is_level(level, length, '#'))
        parent->rest = node;
    index->bytes += sizeof *node + length;
    return node;
}

static struct topic_node *find_or_add(struct topic_index *index, struct topic_node *parent,
                                      const char *level, size_t length)
{
    uint64_t hash = hash_level(index, parent, level, length);
    struct topic_node *node =
        parent->first_child != NULL ? find_hashed(index, parent, level, length, hash) : NULL;

    return node != NULL ? node : add_child(index, parent, level, length, hash);
}

/* Forgets a node, and then its parents, that have neither receivers nor children. */
static void prune(struct topic_index *index, struct topic_node *node)
{
    while (node->parent != NULL && node->receiver_count == 0 && node->first_child == NULL) {
        struct topic_node *parent = node->parent;
        *node->link = node->next_sibling;
        if (node->next_sibling != NULL)
            node->next_sibling->link = node->link;
        if (parent->one == node)
            parent->one = NULL;
        if (parent->rest == node)
            parent->rest = NULL;
        hash_table_remove(&index->levels, &node->by_level);
        index->bytes -=
            sizeof *node + node->level_length + node->receiver_capacity * sizeof *node->receivers;
        free(node->receivers);
        free(node);
        node = parent;
    }
}

bool topic_index_open(struct topic_index *index, uint64_t seed)
{
    *index = (struct topic_index){.seed = seed, .root = node_new(NULL, "", 0)};
    return index->root != NULL;
}

static void free_node(struct hash_node *by_level, void *context)
{
    struct topic_node *node = node_of(by_level);
    struct topic_node **doomed = context;

    /* The table is being walked: chain the nodes up, to be freed after it. */
    free(node->receivers);
    node->receivers = NULL;
    node->parent = *doomed;
    *doomed = node;
}

void topic_index_close(struct topic_index *index)
{
    struct topic_node *doomed = NULL;

    hash_table_each(&index->levels, free_node, &doomed);
    while (doomed != NULL) {
        struct topic_node *next = doomed->parent;
        free(doomed);
        doomed = next;
    }
    hash_table_free(&index->levels);
    free(index->root);
    *index = (struct topic_index){0};
}

const struct topic_node *topic_index_find(const struct topic_index *index, const char *topic,
                                          size_t length)
{
    const struct topic_node *node = index->root;
    const char *level;
    size_t level_length;

    while (node != NULL && topic_next_level(&topic, &length, &level, &level_length))
        node = find_child(index, node, level, level_length);
    return node;
}

static bool make_room_for_receiver(struct topic_index *index, struct topic_node *node)
{
    uint32_t capacity = node->receiver_capacity ? node->receiver_capacity * 2 : 1;

    if (node->receiver_count < node->receiver_capacity)
        return true;
    struct topic_receiver *larger = realloc(node->receivers, capacity * sizeof *larger);
    if (larger == NULL)
        return false;
    index->bytes += (capacity - node->receiver_capacity) * sizeof *larger;
    node->receivers = larger;
    node->receiver_capacity = capacity;
    return true;
}

bool topic_index_add(struct topic_index *index, struct subscriber *subscriber, uint32_t slot,
                     const char *topic, size_t length)
{
    struct topic_node *node = index->root, *child;
    const char *level;
    size_t level_length;

    while (topic_next_level(&topic, &length, &level, &level_length)) {
        child = find_or_add(index, node, level, level_length);
        if (child == NULL) {
            prune(index, node);
            return false;
        }
        node = child;
    }
    if (!make_room_for_receiver(index, node)) {
        prune(index, node);
        return false;
    }
    if (node->receiver_count == 0)
        index->topics++;
    index->subscriptions++;
    subscriber->subscriptions[slot].node = node;
    subscriber->subscriptions[slot].position = node->receiver_count;
    node->receivers[node->receiver_count++] =
        (struct topic_receiver){.subscriber = subscriber, .slot = slot};
    return true;
}

/* Gives memory back when three quarters of the list are empty. */
static void shrink_receivers(struct topic_index *index, struct topic_node *node)
{
    uint32_t capacity = node->receiver_capacity / 2;

    if (node->receiver_count == 0 || node->receiver_count > node->receiver_capacity / 4)
        return;
    struct topic_receiver *smaller = realloc(node->receivers, capacity * sizeof *smaller);
    if (smaller == NULL)
        return;
    index->bytes -= (node->receiver_capacity - capacity) * sizeof *smaller;
    node->receivers = smaller;
    node->receiver_capacity = capacity;
}

void topic_index_remove(struct topic_index *index, struct subscriber *subscriber, uint32_t slot)
{
    struct subscription *gone = &subscriber->subscriptions[slot];
    struct topic_node *node = gone->node;

    if (node == NULL)
        return;
    struct topic_receiver last = node->receivers[--node->receiver_count];
    node->receivers[gone->position] = last;
    last.subscriber->subscriptions[last.slot].position = gone->position;
    gone->node = NULL;
    index->subscriptions--;
    if (node->receiver_count == 0)
        index->topics--;
    shrink_receivers(index, node);
    prune(index, node);
}

void topic_index_move(struct subscriber *subscriber, uint32_t from, uint32_t to)
{
    struct subscription *moved = &subscriber->subscriptions[to];

    if (from == to)
        return;
    *moved = subscriber->subscriptions[from];
    subscriber->subscriptions[from].node = NULL;
    if (moved->node != NULL)
        moved->node->receivers[moved->position].slot = to;
}

static void *grown(void *array, size_t *capacity, size_t item)
{
    size_t larger = *capacity ? *capacity * 2 : 32;
    void *moved = realloc(array, larger * item);

    if (moved != NULL)
        *capacity = larger;
    return moved;
}

static void add_match(struct topic_matches *matches, struct topic_node *node)
{
    if (node == NULL || node->receiver_count == 0)
        return;
    void *moved;
    if (matches->count == matches->capacity) {
        moved = grown(matches->nodes, &matches->capacity, sizeof(struct topic_node *));
        if (moved == NULL) {
            matches->failed = true;
            return;
        }
        matches->nodes = moved;
    }
    matches->nodes[matches->count++] = node;
}

static void add_step(struct topic_matches *matches, struct topic_node *node, const char *rest,
                     size_t rest_length)
{
    if (node == NULL)
        return;
    matches->work++;
    void *moved;
    if (matches->step_count == matches->step_capacity) {
        moved = grown(matches->steps, &matches->step_capacity, sizeof(struct topic_step));
        if (moved == NULL) {
            matches->failed = true;
            return;
        }
        matches->steps = moved;
    }
    matches->steps[matches->step_count++] = (struct topic_step){node, rest, rest_length};
}

static bool is_hidden(const struct topic_node *parent, const struct topic_node *child)
{
    return parent->parent == NULL && child->level_length > 0 && child->level[0] == '@';
}

static struct topic_node *skip_hidden(const struct topic_node *parent, struct topic_node *child)
{
    while (child != NULL && is_hidden(parent, child))
        child = child->next_sibling;
    return child;
}

/* The published topic ends at this node. A node `#` was added already, when its parent was visited.
 */
static void add_end(struct topic_matches *matches, struct topic_node *node)
{
    if (node->parent == NULL || node->parent->rest != node)
        add_match(matches, node);
}

/* A published `#`: the node itself and everything below it. */
static void add_subtree(struct topic_matches *matches, struct topic_node *top, size_t most_work)
{
    struct topic_node *node = top;

    add_end(matches, top);
    while (node != NULL && ++matches->work <= most_work) {
        struct topic_node *next = skip_hidden(node, node->first_child);
        while (next == NULL && node != top) {
            next = skip_hidden(node->parent, node->next_sibling);
            node = node->parent;
        }
        node = next;
        add_match(matches, node);
    }
}

/* A published `+`: every child may follow. */
static void step_all_children(struct topic_matches *matches, struct topic_node *node,
                              const char *rest, size_t rest_length, size_t most_work)
{
    for (struct topic_node *child = node->first_child; child != NULL && matches->work <= most_work;
         child = child->next_sibling)
        if (!is_hidden(node, child))
            add_step(matches, child, rest, rest_length);
}

static void take_step(const struct topic_index *index, struct topic_matches *matches,
                      struct topic_step step, bool literal, size_t most_work)
{
    struct topic_node *node = step.node, *child;
    const char *level;
    size_t length;

    if (!topic_next_level(&step.rest, &step.rest_length, &level, &length)) {
        add_end(matches, node);
        add_match(matches, node->rest);
        return;
    }
    bool hidden = node->parent == NULL && length > 0 && level[0] == '@';
    if (!literal && step.rest == NULL && is_level(level, length, '#')) {
        add_subtree(matches, node, most_work);
        return;
    }
    if (!hidden)
        add_match(matches, node->rest);
    if (!literal && is_level(level, length, '+')) {
        step_all_children(matches, node, step.rest, step.rest_length, most_work);
        return;
    }
    child = find_child(index, node, level, length);
    add_step(matches, child, step.rest, step.rest_length);
    if (!hidden && node->one != child)
        add_step(matches, node->one, step.rest, step.rest_length);
}

void topic_index_match_within(const struct topic_index *index, const char *topic, size_t length,
                              bool literal, size_t most_work, struct topic_matches *matches)
{
    matches->count = 0;
    matches->step_count = 0;
    matches->work = 0;
    matches->failed = false;
    add_step(matches, index->root, topic, length);
    while (matches->step_count > 0 && matches->work <= most_work)
        take_step(index, matches, matches->steps[--matches->step_count], literal, most_work);
    matches->cut = matches->work > most_work;
}

void topic_index_match(const struct topic_index *index, const char *topic, size_t length,
                       bool literal, struct topic_matches *matches)
{
    topic_index_match_within(index, topic, length, literal, SIZE_MAX, matches);
}

static void add_any(struct hash_node *by_level, void *context)
{
    add_match(context, node_of(by_level));
}

void topic_index_all(const struct topic_index *index, size_t most_work,
                     struct topic_matches *matches)
{
    matches->count = 0;
    matches->work = index->levels.count;
    matches->failed = false;
    matches->cut = matches->work > most_work;
    if (!matches->cut)
        hash_table_each(&index->levels, add_any, matches);
}

void topic_matches_free(struct topic_matches *matches)
{
    free(matches->nodes);
    free(matches->steps);
    *matches = (struct topic_matches){0};
}

void topic_node_write_name(const struct topic_node *node, struct bytes *out)
{
    size_t length = 0;

    for (const struct topic_node *at = node; at->parent != NULL; at = at->parent)
        length += at->level_length + (at->parent->parent != NULL ? 1 : 0);
    if (!bytes_reserve(out, length))
        return;
    char *end = out->data + out->length + length;
    for (const struct topic_node *at = node; at->parent != NULL; at = at->parent) {
        end -= at->level_length;
        memcpy(end, at->level, at->level_length);
        if (at->parent->parent != NULL)
            *--end = '/';
    }
    out->length += length;
}

uint64_t topic_index_bytes(const struct topic_index *index)
{
    return hash_table_bytes(&index->levels) +
           heap_taken_by_many(index->levels.count + index->topics, index->bytes);
}

uint64_t topic_matches_bytes(const struct topic_matches *matches)
{
    return matches->capacity * sizeof *matches->nodes +
           matches->step_capacity * sizeof *matches->steps;
}
