/* Messages of clients: what is taken keeps every limit, and each topic is there once. */
#include "requests/client_message.h"
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

static void check_topics(const struct client_message *message)
{
    if (message->topics.count > config.max_topics)
        abort();
    for (size_t i = 0; i < message->topics.count; i++) {
        const struct requested_topic *topic = &message->topics.list[i];
        if (topic_fault(topic->text, topic->length, config.max_topic_length,
                        config.max_topic_levels) != NULL ||
            (message->kind == CLIENT_SUBSCRIBE && (topic->bound || topic->granted)))
            abort();
        for (size_t other = 0; other < i; other++)
            if (is_same(topic, &message->topics.list[other]))
                abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct client_message message;
    bool proven = size % 2 != 0;
    const char *fault = client_message_read(&message, (const char *)data, size, proven, &config);

    if (fault != NULL && !*fault)
        abort();
    if (fault == NULL) {
        bool has_topics = message.kind == CLIENT_SUBSCRIBE || message.kind == CLIENT_UNSUBSCRIBE;
        check_topics(&message);
        if (has_topics != (message.topics.list != NULL) ||
            (message.kind == CLIENT_ALIVE) != (message.secret != NULL) ||
            ((message.last_id != NULL || message.ticket != NULL) &&
             message.kind != CLIENT_SUBSCRIBE))
            abort();
    }
    client_message_free(&message);
    return 0;
}
