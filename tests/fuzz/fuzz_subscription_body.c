/* Subscriptions: what is taken keeps every limit, and each topic is there once. */
#include "requests/subscription_body.h"
#include "topic.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct config config = {
    .max_topics = 20, .max_topic_length = 30, .max_topic_levels = 5};

static bool is_same(const struct subscription_topic *a, const struct subscription_topic *b)
{
    return a->kind == b->kind && a->length == b->length && memcmp(a->text, b->text, a->length) == 0;
}

static void check_body(const struct subscription_body *body)
{
    if (body->topic_count > config.max_topics || body->clid_length == 0 ||
        body->clid_length > config.max_topic_length || strlen(body->clid) != body->clid_length ||
        (body->connid != 0) != (body->secret != NULL) || body->user != NULL)
        abort();
    for (size_t i = 0; i < body->topic_count; i++) {
        const struct subscription_topic *topic = &body->topics[i];
        if (topic_fault(topic->text, topic->length, config.max_topic_length,
                        config.max_topic_levels) != NULL)
            abort();
        for (size_t other = 0; other < i; other++)
            if (is_same(topic, &body->topics[other]))
                abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct subscription_body body;

    if (subscription_body_read(&body, (const char *)data, size, &config) == NULL)
        check_body(&body);
    subscription_body_free(&body);
    return 0;
}
