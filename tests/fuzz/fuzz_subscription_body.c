/* Subscriptions: what is taken keeps every limit, and each topic is there once. */
#include "subscription_body.h"
#include "topic.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct config config = {
    .max_topics = 20, .max_topic_length = 30, .max_topic_levels = 5};

static bool is_same(const struct requested_topic *a, const struct requested_topic *b)
{
    return a->bound == b->bound && a->granted == b->granted && a->length == b->length &&
           memcmp(a->text, b->text, a->length) == 0;
}

static void check_body(const struct subscription_body *body)
{
    if (body->topics.count > config.max_topics || body->bind_key != NULL ||
        (body->clid != NULL &&
         (*body->clid == '\0' || strlen(body->clid) > config.max_topic_length)) ||
        (body->connid != 0) != (body->secret != NULL) || body->user != NULL)
        abort();
    for (size_t i = 0; i < body->topics.count; i++) {
        const struct requested_topic *topic = &body->topics.list[i];
        if (topic_fault(topic->text, topic->length, config.max_topic_length,
                        config.max_topic_levels) != NULL ||
            topic->bound || topic->granted)
            abort();
        for (size_t other = 0; other < i; other++)
            if (is_same(topic, &body->topics.list[other]))
                abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct subscription_body body;

    if (subscription_body_read(&body, (const char *)data, size, 0, &config) == NULL)
        check_body(&body);
    subscription_body_free(&body);
    return 0;
}
