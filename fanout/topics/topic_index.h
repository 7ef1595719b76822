/* Which subscriptions does a topic match? A trie by levels holds exact topics and patterns alike,
 * so the cost of a look-up depends on the levels of the topic and on what matches, not on how many
 * topics are held. Knows no connection. */
#ifndef ESN_TOPIC_INDEX_H
#define ESN_TOPIC_INDEX_H

#include "bytes.h"
#include "hash_table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct topic_node;

/* One requested topic of one subscriber. */
struct subscription {
    struct topic_node *node; /* NULL while not in the index */
    uint32_t position;       /* in node->receivers */
    uint32_t kind;           /* which index it is in; the owner's word */
};

/* Embedded in whatever subscribes; owns its array of subscriptions. */
struct subscriber {
    struct subscription *subscriptions;
    uint32_t count;
};

struct topic_receiver {
    struct subscriber *subscriber;
    uint32_t slot; /* in subscriber->subscriptions */
    bool again;    /* the owner's: it will have what is being delivered under a later topic too */
};

struct topic_node {
    struct hash_node by_level; /* key: parent and level */
    struct topic_node *parent, *first_child, *next_sibling, **link;
    struct topic_node *one, *rest; /* the children `+` and `#`, when there are any */
    struct topic_receiver *receivers;
    uint32_t receiver_count, receiver_capacity;
    uint32_t level_length;
    char level[]; /* not terminated by NUL */
};

struct topic_index {
    struct hash_table levels;
    struct topic_node *root;
    uint64_t seed;
    uint64_t topics;        /* nodes with receivers */
    uint64_t subscriptions; /* of all subscribers */
    uint64_t bytes;         /* memory of nodes and receivers */
};

/* A growing list that is used again for every look-up. */
struct topic_matches {
    struct topic_node **nodes; /* each once */
    size_t count, capacity;
    struct topic_step *steps; /* scratch */
    size_t step_count, step_capacity;
    size_t work; /* nodes that the look-up came to */
    bool failed; /* out of memory: the list is incomplete */
    bool cut;    /* more work than was allowed: likewise */
};

/* False without memory. seed: random, see hash_bytes(). */
bool topic_index_open(struct topic_index *index, uint64_t seed);
void topic_index_close(struct topic_index *index);

/* Puts subscription `slot` of a subscriber under a topic. False without memory; nothing is changed
 * then. */
bool topic_index_add(struct topic_index *index, struct subscriber *subscriber, uint32_t slot,
                     const char *topic, size_t length);
/* Takes out one that is in the index; topics that nobody subscribes to any more are forgotten. */
void topic_index_remove(struct topic_index *index, struct subscriber *subscriber, uint32_t slot);

/* Slot `from`, in the index or not, becomes slot `to`, which is not in the index; then `from` is
 * not. */
void topic_index_move(struct subscriber *subscriber, uint32_t from, uint32_t to);

/* The node of exactly this topic, or NULL. */
const struct topic_node *topic_index_find(const struct topic_index *index, const char *topic,
                                          size_t length);

/* Finds every node with receivers whose topic matches (topic_matches() of topic.h is the
 * reference). literal: wildcards in the published topic have no meaning (presence of a client that
 * calls itself `+`). matches->failed without memory. */
void topic_index_match(const struct topic_index *index, const char *topic, size_t length,
                       bool literal, struct topic_matches *matches);
/* The same, for a topic that its owner chose to be dear: gives up past so much work, with
 * matches->cut. */
void topic_index_match_within(const struct topic_index *index, const char *topic, size_t length,
                              bool literal, size_t most_work, struct topic_matches *matches);
/* Finds every node with receivers, hidden or not; none of them when that would be more work than is
 * allowed. */
void topic_index_all(const struct topic_index *index, size_t most_work,
                     struct topic_matches *matches);
void topic_matches_free(struct topic_matches *matches);

/* Appends the topic that a node stands for. */
void topic_node_write_name(const struct topic_node *node, struct bytes *out);
/* Memory of nodes, receivers and what finds them. */
uint64_t topic_index_bytes(const struct topic_index *index);
/* Memory of the list. */
uint64_t topic_matches_bytes(const struct topic_matches *matches);

#endif
