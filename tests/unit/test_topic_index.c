#include "topics/topic_index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"
#include "topic.h"

enum { SUBSCRIBERS = 60, SLOTS = 8, LONGEST = 64, OPERATIONS = 40000 };

/* What the index should hold, as plainly as it can be said. */
struct model {
    struct topic_index index;
    struct subscriber subscribers[SUBSCRIBERS];
    struct subscription subscriptions[SUBSCRIBERS][SLOTS];
    char topics[SUBSCRIBERS][SLOTS][LONGEST]; /* "": not in the index, with no_topic */
    bool held[SUBSCRIBERS][SLOTS];
    size_t held_count;
    uint64_t random;
};

static const char *const levels[] = {"",  "a",  "b", "+",  "#",  "@x", "@",
                                     "a", "aa", "b", "++", "a#", "c",  "\xc3\xa9"};

static void make_topic(uint64_t *random, char out[LONGEST])
{
    unsigned count = 1 + random_below(random, 4);

    out[0] = '\0';
    for (unsigned i = 0; i < count; i++) {
        if (i > 0)
            strcat(out, "/");
        strcat(out, levels[random_below(random, sizeof levels / sizeof *levels)]);
    }
    /* A topic is never empty. */
    if (out[0] == '\0')
        strcpy(out, "/");
}

/* Wildcards of a published topic replaced by names that nobody uses; in a subscription only what is
 * no wildcard there: a `#` before the last level. */
static void make_literal(char *topic, bool published)
{
    char *level = topic, *slash;

    do {
        slash = strchr(level, '/');
        if (level[0] != '\0' && (level[1] == '\0' || level[1] == '/')) {
            if (*level == '#' && (published || slash != NULL))
                *level = 'H';
            else if (*level == '+' && published)
                *level = 'P';
        }
        level = slash != NULL ? slash + 1 : NULL;
    } while (level != NULL);
}

static bool should_match(const char *subscribed, const char *published, bool literal)
{
    char pattern[LONGEST], topic[LONGEST];

    strcpy(pattern, subscribed);
    strcpy(topic, published);
    if (literal) {
        make_literal(pattern, false);
        make_literal(topic, true);
    }
    return topic_matches(pattern, strlen(pattern), topic, strlen(topic));
}

static void set_up(struct model *model, uint64_t seed)
{
    memset(model, 0, sizeof *model);
    model->random = seed;
    assert_true(topic_index_open(&model->index, seed));
    for (int i = 0; i < SUBSCRIBERS; i++)
        model->subscribers[i] = (struct subscriber){model->subscriptions[i], SLOTS};
}

static void tear_down(struct model *model)
{
    for (int i = 0; i < SUBSCRIBERS; i++)
        for (uint32_t slot = 0; slot < SLOTS; slot++)
            topic_index_remove(&model->index, &model->subscribers[i], slot);
    assert_int_equal(model->index.bytes, 0);
    assert_int_equal(model->index.topics, 0);
    assert_int_equal(model->index.subscriptions, 0);
    assert_int_equal(model->index.levels.count, 0);
    assert_null(model->index.root->first_child);
    topic_index_close(&model->index);
}

static void check_node(const struct topic_node *node)
{
    struct bytes name = BYTES_EMPTY;

    topic_node_write_name(node, &name);
    const char *text = bytes_terminate(&name);
    assert_non_null(text);
    assert_true(node->receiver_count > 0);
    assert_true(node->receiver_count <= node->receiver_capacity);
    for (uint32_t i = 0; i < node->receiver_count; i++) {
        const struct topic_receiver *receiver = &node->receivers[i];
        const struct subscription *subscription =
            &receiver->subscriber->subscriptions[receiver->slot];
        assert_ptr_equal(subscription->node, node);
        assert_int_equal(subscription->position, i);
    }
    bytes_free(&name);
}

static void check_no_node_twice(const struct topic_matches *matches)
{
    for (size_t i = 0; i < matches->count; i++)
        for (size_t other = i + 1; other < matches->count; other++)
            assert_ptr_not_equal(matches->nodes[i], matches->nodes[other]);
}

static bool is_among(const struct topic_matches *matches, const struct topic_node *node)
{
    for (size_t i = 0; i < matches->count; i++)
        if (matches->nodes[i] == node)
            return true;
    return false;
}

static void check_match(struct model *model, struct topic_matches *matches)
{
    char topic[LONGEST];
    bool literal = random_below(&model->random, 3) == 0;

    make_topic(&model->random, topic);
    topic_index_match(&model->index, topic, strlen(topic), literal, matches);
    assert_false(matches->failed);
    check_no_node_twice(matches);
    for (size_t i = 0; i < matches->count; i++)
        check_node(matches->nodes[i]);
    for (int i = 0; i < SUBSCRIBERS; i++) {
        for (int slot = 0; slot < SLOTS; slot++) {
            const char *held = model->topics[i][slot];
            if (model->held[i][slot] && is_among(matches, model->subscriptions[i][slot].node) !=
                                            should_match(held, topic, literal))
                fail_msg("%s%s does not go with %s as it should", topic,
                         literal ? " (literal)" : "", held);
        }
    }
}

static void change(struct model *model)
{
    unsigned i = random_below(&model->random, SUBSCRIBERS);
    unsigned slot = random_below(&model->random, SLOTS);
    char *topic = model->topics[i][slot];
    struct subscriber *subscriber = &model->subscribers[i];
    struct bytes name = BYTES_EMPTY;

    if (model->held[i][slot]) {
        topic_index_remove(&model->index, subscriber, slot);
        assert_null(model->subscriptions[i][slot].node);
        model->held[i][slot] = false;
        model->held_count--;
        return;
    }
    make_topic(&model->random, topic);
    assert_true(topic_index_add(&model->index, subscriber, slot, topic, strlen(topic)));
    topic_node_write_name(model->subscriptions[i][slot].node, &name);
    assert_int_equal(name.length, strlen(topic));
    assert_memory_equal(name.data, topic, name.length);
    assert_ptr_equal(topic_index_find(&model->index, topic, strlen(topic)),
                     model->subscriptions[i][slot].node);
    bytes_free(&name);
    model->held[i][slot] = true;
    model->held_count++;
}

/* What one slot holds goes to an empty one. */
static void move(struct model *model)
{
    unsigned i = random_below(&model->random, SUBSCRIBERS);
    unsigned from = random_below(&model->random, SLOTS), to = random_below(&model->random, SLOTS);

    if (model->held[i][to])
        return;
    topic_index_move(&model->subscribers[i], from, to);
    if (!model->held[i][from])
        return;
    assert_null(model->subscriptions[i][from].node);
    check_node(model->subscriptions[i][to].node);
    strcpy(model->topics[i][to], model->topics[i][from]);
    model->held[i][from] = false;
    model->held[i][to] = true;
}

static void it_matches_what_the_reference_matches(void **state)
{
    struct model *model = malloc(sizeof *model);
    struct topic_matches matches = {0};
    uint64_t found = 0;

    (void)state;
    assert_non_null(model);
    set_up(model, 1);
    for (int i = 0; i < OPERATIONS; i++) {
        unsigned what = random_below(&model->random, 5);
        if (what < 2) {
            change(model);
        } else if (what == 2) {
            move(model);
        } else {
            check_match(model, &matches);
            found += matches.count;
        }
        assert_int_equal(model->index.subscriptions, model->held_count);
    }
    assert_true(found > OPERATIONS); /* it was no walk in the desert */
    topic_matches_free(&matches);
    tear_down(model);
    free(model);
}

/* Nodes found for a published topic among those of a blank-separated list. */
static size_t count_matches(const char *subscribed, const char *published, bool literal)
{
    struct subscription subscriptions[32] = {0};
    struct subscriber subscriber = {subscriptions, 0};
    struct topic_index index;
    struct topic_matches matches = {0};

    assert_true(topic_index_open(&index, 7));
    for (const char *at = subscribed; *at; at += strcspn(at, " "), at += strspn(at, " "))
        assert_true(topic_index_add(&index, &subscriber, subscriber.count++, at, strcspn(at, " ")));
    topic_index_match(&index, published, strlen(published), literal, &matches);
    check_no_node_twice(&matches);
    size_t found = matches.count;
    topic_matches_free(&matches);
    for (uint32_t slot = 0; slot < subscriber.count; slot++)
        topic_index_remove(&index, &subscriber, slot);
    assert_int_equal(index.bytes, 0);
    topic_index_close(&index);
    return found;
}

static void wildcards_of_both_sides_meet(void **state)
{
    (void)state;
    assert_int_equal(count_matches("a a/# # + a/+ /a", "a", false), 4);
    assert_int_equal(count_matches("a a/# # + a/+ a/ a/b a/b/c", "a/", false), 4);
    assert_int_equal(count_matches("a a/b a/b/c b @x @x/a # + +/b @/b", "#", false), 7);
    assert_int_equal(count_matches("a a/b a/b/c b @x @x/a # + +/b @x/b", "+/b", false), 3);
    assert_int_equal(count_matches("@x/a @x/+ @x/# # + +/a @y/a", "@x/#", false), 3);
    assert_int_equal(count_matches("a/# a/b/# a/b/c/# a/#/c a/b", "a/#", false), 5);
}

static void hash_before_the_end_is_a_name(void **state)
{
    (void)state;
    assert_int_equal(count_matches("a/#/b a/c/b a/# a/+/b", "a/#/b", false), 3);
    assert_int_equal(count_matches("#/# #/a # +/#", "#/a", false), 4);
    assert_int_equal(count_matches("a/#/# a/# a/#/+", "a/#/x", false), 3);
    assert_int_equal(count_matches("a/#/# a/#", "a/+", false), 2);
}

static void literal_topics_have_no_wildcards(void **state)
{
    (void)state;
    assert_int_equal(count_matches("a/+ a/x a/# a/+/b", "a/+", true), 2);
    assert_int_equal(count_matches("a/# a/x a/+ a/b/c", "a/#", true), 2);
    assert_int_equal(count_matches("# + a @x", "#", true), 2);
    assert_int_equal(count_matches("# + a @x", "+", true), 2);
    assert_int_equal(count_matches("+/+ +/# #", "+/+", true), 3);
}

static void a_subscriber_twice_under_one_topic_is_there_twice(void **state)
{
    struct subscription subscriptions[3] = {0};
    struct subscriber subscriber = {subscriptions, 3};
    struct topic_index index;

    (void)state;
    assert_true(topic_index_open(&index, 3));
    for (uint32_t slot = 0; slot < 3; slot++)
        assert_true(topic_index_add(&index, &subscriber, slot, "a/b", 3));
    assert_int_equal(index.topics, 1);
    topic_index_remove(&index, &subscriber, 0);
    topic_index_remove(&index, &subscriber, 0); /* harmless */
    assert_int_equal(subscriptions[1].node->receiver_count, 2);
    check_node(subscriptions[2].node);
    topic_index_remove(&index, &subscriber, 2);
    check_node(subscriptions[1].node);
    topic_index_remove(&index, &subscriber, 1);
    assert_int_equal(index.bytes, 0);
    topic_index_close(&index);
}

static void finding_is_exact(void **state)
{
    struct subscription subscription = {0};
    struct subscriber subscriber = {&subscription, 1};
    struct topic_index index;

    (void)state;
    assert_true(topic_index_open(&index, 3));
    assert_true(topic_index_add(&index, &subscriber, 0, "a/+/#", 5));
    assert_ptr_equal(topic_index_find(&index, "a/+/#", 5), subscription.node);
    assert_null(topic_index_find(&index, "a/b/c", 5));
    assert_null(topic_index_find(&index, "a/+/#/", 6));
    assert_non_null(topic_index_find(&index, "a/+", 3)); /* on the way, without receivers */
    assert_int_equal(topic_index_find(&index, "a/+", 3)->receiver_count, 0);
    topic_index_close(&index); /* frees what is still in it */
}

static void all_are_found_hidden_or_not(void **state)
{
    static const char *const topics[] = {"a", "@x", "@x/y", "#", "a/+/c"};
    enum { TOPICS = sizeof topics / sizeof *topics };
    struct subscription subscriptions[TOPICS] = {0};
    struct subscriber subscriber = {subscriptions, TOPICS};
    struct topic_index index;
    struct topic_matches matches = {0};

    (void)state;
    assert_true(topic_index_open(&index, 3));
    topic_index_all(&index, SIZE_MAX, &matches);
    assert_int_equal(matches.count, 0);
    for (uint32_t slot = 0; slot < TOPICS; slot++)
        assert_true(topic_index_add(&index, &subscriber, slot, topics[slot], strlen(topics[slot])));
    topic_index_all(&index, SIZE_MAX, &matches);
    assert_false(matches.failed);
    assert_int_equal(matches.count, TOPICS);
    for (uint32_t slot = 0; slot < TOPICS; slot++)
        assert_true(is_among(&matches, subscriptions[slot].node));
    topic_matches_free(&matches);
    topic_index_close(&index);
}

/* Receivers come and go by the thousand: what they held is given back. */
static void memory_follows_the_number_of_receivers(void **state)
{
    enum { MANY = 5000 };
    struct subscription *subscriptions = calloc(MANY, sizeof *subscriptions);
    struct subscriber subscriber = {subscriptions, MANY};
    struct topic_index index;

    (void)state;
    assert_true(topic_index_open(&index, 5));
    assert_true(topic_index_add(&index, &subscriber, 0, "t", 1));
    uint64_t with_one = index.bytes;
    for (uint32_t slot = 1; slot < MANY; slot++)
        assert_true(topic_index_add(&index, &subscriber, slot, "t", 1));
    assert_true(index.bytes >= with_one + (MANY - 1) * sizeof(struct topic_receiver));
    for (uint32_t slot = 1; slot < MANY; slot++)
        topic_index_remove(&index, &subscriber, slot);
    assert_true(index.bytes <= with_one + 4 * sizeof(struct topic_receiver));
    topic_index_remove(&index, &subscriber, 0);
    assert_int_equal(index.bytes, 0);
    topic_index_close(&index);
    free(subscriptions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_matches_what_the_reference_matches),
        cmocka_unit_test(wildcards_of_both_sides_meet),
        cmocka_unit_test(hash_before_the_end_is_a_name),
        cmocka_unit_test(literal_topics_have_no_wildcards),
        cmocka_unit_test(a_subscriber_twice_under_one_topic_is_there_twice),
        cmocka_unit_test(finding_is_exact),
        cmocka_unit_test(all_are_found_hidden_or_not),
        cmocka_unit_test(memory_follows_the_number_of_receivers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
