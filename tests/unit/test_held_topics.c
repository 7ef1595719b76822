/* Streams whose topics come and go, against a model that says plainly what each should hold. */
#include "streams/held_topics.h"
#include "topics/audience.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"

enum { STREAMS = 12, MOST = 9, ROUNDS = 20000 };

static const struct requested_topic topics[] = {
    {"a", 1, false, false},      {"a", 1, true, false},       {"a/b", 3, false, false},
    {"a/+", 3, false, false},    {"#", 1, false, false},      {"#", 1, true, false},
    {"b/c/d", 5, false, false},  {"b/c/d", 5, true, false},   {"b/c", 3, false, false},
    {"@USER@", 6, false, false}, {"@USER@", 6, true, false},  {"@CONNECTION@/x", 14, false, false},
    {"e/", 2, true, false},      {"e/f/g/h", 7, true, false},
};
enum { TOPICS = sizeof topics / sizeof *topics };

struct model {
    struct topic_index indexes[SUBSCRIPTION_KINDS];
    struct subscriber streams[STREAMS];
    bool holds[STREAMS][TOPICS];
    uint64_t random;
};

/* Two streams of one user share an inbox. */
static const char *user_of(unsigned stream)
{
    static const char *const users[] = {"ana", "\"7\"", "bob", "eve", "a", "@USER@"};

    return users[stream / 2];
}

static const struct topic_node *node_of(const struct model *model, unsigned stream, unsigned topic)
{
    const struct requested_topic *wanted = &topics[topic];
    bool is_inbox = audience_kind_of(wanted) == SUBSCRIPTION_INBOX;
    const char *name = is_inbox ? user_of(stream) : wanted->text;

    return topic_index_find(&model->indexes[audience_kind_of(wanted)], name,
                            is_inbox ? strlen(name) : wanted->length);
}

static uint32_t count_held(const struct model *model, unsigned stream)
{
    uint32_t count = 0;

    for (unsigned topic = 0; topic < TOPICS; topic++)
        count += model->holds[stream][topic];
    return count;
}

/* In which slot a stream holds a topic, or -1; more than once is a fault. */
static int slot_of(const struct model *model, unsigned stream, unsigned topic)
{
    const struct subscriber *subscriber = &model->streams[stream];
    const struct topic_node *node = node_of(model, stream, topic);
    int found = -1;

    for (uint32_t slot = 0; node != NULL && slot < subscriber->count; slot++) {
        if (subscriber->subscriptions[slot].node != node)
            continue;
        assert_int_equal(found, -1);
        found = (int)slot;
    }
    return found;
}

static void check_stream(const struct model *model, unsigned stream)
{
    const struct subscriber *subscriber = &model->streams[stream];

    assert_int_equal(subscriber->count, count_held(model, stream));
    for (unsigned topic = 0; topic < TOPICS; topic++)
        assert_int_equal(slot_of(model, stream, topic) >= 0, model->holds[stream][topic]);
    for (uint32_t slot = 0; slot < subscriber->count; slot++) {
        const struct subscription *held = &subscriber->subscriptions[slot];
        const struct topic_receiver *receiver = &held->node->receivers[held->position];
        assert_ptr_equal(receiver->subscriber, subscriber);
        assert_int_equal(receiver->slot, slot);
    }
}

static void check_all(const struct model *model)
{
    uint64_t held = 0, indexed = 0;

    for (unsigned stream = 0; stream < STREAMS; stream++) {
        check_stream(model, stream);
        held += model->streams[stream].count;
    }
    for (int kind = 0; kind < SUBSCRIPTION_KINDS; kind++)
        indexed += model->indexes[kind].subscriptions;
    assert_int_equal(indexed, held);
}

/* Some topics, each at most once, in any order. */
static size_t choose(uint64_t *random, struct requested_topic chosen[TOPICS],
                     unsigned numbers[TOPICS])
{
    size_t count = random_below(random, 6);

    for (unsigned i = 0; i < TOPICS; i++)
        numbers[i] = i;
    for (unsigned i = 0; i < count; i++) {
        unsigned other = i + random_below(random, TOPICS - i), number = numbers[other];
        numbers[other] = numbers[i];
        numbers[i] = number;
        chosen[i] = topics[number];
    }
    return count;
}

static void add_some(struct model *model, unsigned stream)
{
    struct requested_topic chosen[TOPICS];
    unsigned numbers[TOPICS];
    size_t count = choose(&model->random, chosen, numbers), fresh = 0;
    uint32_t before = model->streams[stream].count;
    const char *fault = held_topics_add(model->indexes, &model->streams[stream], user_of(stream),
                                        chosen, count, MOST);

    for (size_t i = 0; i < count; i++)
        fresh += !model->holds[stream][numbers[i]];
    if (before + fresh > MOST) {
        assert_string_equal(fault, "Too many Event Points");
        return;
    }
    assert_null(fault);
    for (size_t i = 0, next = before; i < count; i++) {
        /* New ones stand behind the others, in their order. */
        if (!model->holds[stream][numbers[i]])
            assert_int_equal(slot_of(model, stream, numbers[i]), next++);
        model->holds[stream][numbers[i]] = true;
    }
}

static void remove_some(struct model *model, unsigned stream)
{
    struct requested_topic chosen[TOPICS];
    unsigned numbers[TOPICS];
    size_t count = choose(&model->random, chosen, numbers);

    assert_true(held_topics_remove(model->indexes, &model->streams[stream], user_of(stream), chosen,
                                   count));
    for (size_t i = 0; i < count; i++)
        model->holds[stream][numbers[i]] = false;
}

static void remove_all(struct model *model, unsigned stream)
{
    held_topics_clear(model->indexes, &model->streams[stream]);
    memset(model->holds[stream], 0, sizeof model->holds[stream]);
    assert_null(model->streams[stream].subscriptions);
}

static void streams_hold_what_they_should(void **state)
{
    struct model *model = calloc(1, sizeof *model);

    (void)state;
    assert_non_null(model);
    model->random = 5;
    for (int kind = 0; kind < SUBSCRIPTION_KINDS; kind++)
        assert_true(topic_index_open(&model->indexes[kind], 77));
    for (int round = 0; round < ROUNDS; round++) {
        unsigned stream = random_below(&model->random, STREAMS);
        unsigned what = random_below(&model->random, 20);
        if (what == 0)
            remove_all(model, stream);
        else if (what < 9)
            remove_some(model, stream);
        else
            add_some(model, stream);
        check_stream(model, stream);
        if (round % 64 == 0)
            check_all(model);
    }
    for (unsigned stream = 0; stream < STREAMS; stream++)
        remove_all(model, stream);
    check_all(model);
    for (int kind = 0; kind < SUBSCRIPTION_KINDS; kind++) {
        assert_int_equal(model->indexes[kind].bytes, 0);
        topic_index_close(&model->indexes[kind]);
    }
    free(model);
}

/* A stream without a user has no inbox; to name one does no harm. */
static void nobody_s_inbox_is_passed_over(void **state)
{
    static const struct requested_topic inbox = {"@USER@", 6, true, false};
    static const struct requested_topic open = {"a", 1, false, false};
    struct topic_index indexes[SUBSCRIPTION_KINDS];
    struct subscriber subscriber = {0};

    (void)state;
    for (int kind = 0; kind < SUBSCRIPTION_KINDS; kind++)
        assert_true(topic_index_open(&indexes[kind], 1));
    assert_null(held_topics_add(indexes, &subscriber, NULL, &open, 1, MOST));
    assert_true(held_topics_remove(indexes, &subscriber, NULL, &inbox, 1));
    assert_int_equal(subscriber.count, 1);
    held_topics_clear(indexes, &subscriber);
    for (int kind = 0; kind < SUBSCRIPTION_KINDS; kind++)
        topic_index_close(&indexes[kind]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_hold_what_they_should),
        cmocka_unit_test(nobody_s_inbox_is_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
