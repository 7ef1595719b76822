#include "requests/presence_events.h"

#include "bytes.h"
#include "config/config.h"
#include "events/delivery.h"
#include "log/event_log.h"
#include "messages.h"
#include "requests/service.h"
#include "streams/stream.h"
#include "streams/streams.h"
#include "topic.h"

#include <stdio.h>
#include <string.h>

static const char topic_prefix[] = "@CONNECTION@/";

enum {
    FLUSH_LEAST = 16 /* client ids, whatever time they take */
};

void presence_events_write_topic(struct bytes *topic, const char *clid, size_t length)
{
    bytes_clear(topic);
    bytes_append_text(topic, topic_prefix);
    bytes_append(topic, clid, length);
}

size_t presence_events_write(char json[PRESENCE_EVENT_SIZE], const char *type, uint32_t instances)
{
    return (size_t)snprintf(json, PRESENCE_EVENT_SIZE,
                            "{\"type\":\"%s\",\"detail\":{\"clid_instances\":%u}}", type,
                            instances);
}

/* Came and went in one turn: then there is nothing to tell. */
static void publish_change(struct service *service, const struct presence_entry *entry,
                           struct bytes *topic)
{
    char json[PRESENCE_EVENT_SIZE];
    const char *type = entry->instances > entry->told ? "connect" : "disconnect";

    if (entry->instances == entry->told)
        return;
    presence_events_write_topic(topic, entry->clid, entry->length);
    struct event event = {.topic = topic->data,
                          .topic_length = topic->length,
                          .json = json,
                          .json_length = presence_events_write(json, type, entry->instances)};
    if (topic->failed || !delivery_publish_presence(service->delivery, &event, entry->changed))
        message_error("presence event lost for want of memory", message_text("type", type));
}

bool presence_events_flush(struct service *service, bool all)
{
    struct presence *presence = &service->streams->presence;
    /* Mostly nobody watches anybody: then there is no topic below the first level. */
    bool watched = presence->pending != NULL &&
                   topic_index_find(&service->streams->topics[SUBSCRIPTION_OPEN], "@CONNECTION@",
                                    sizeof "@CONNECTION@" - 1) != NULL;
    struct bytes topic = BYTES_EMPTY;

    for (unsigned told = 0; presence->pending != NULL; told++) {
        if (!all && told >= FLUSH_LEAST && !loop_watch_has_time(&service->net->loop.watch))
            break;
        struct presence_entry *entry = presence_take_changed(presence);
        if (watched)
            publish_change(service, entry, &topic);
        presence_settle(presence, entry, service->log->sequence);
    }
    bytes_free(&topic);
    return presence->pending == NULL;
}

/* Only for exact topics "@CONNECTION@/clid": a pattern names nobody. */
static bool send_available(struct service *service, struct stream *stream, const char *topic,
                           size_t topic_length)
{
    const size_t prefix_length = sizeof topic_prefix - 1;

    if (topic_length <= prefix_length || memcmp(topic, topic_prefix, prefix_length) != 0 ||
        topic_has_wildcard(topic, topic_length))
        return true;
    char json[96];
    int length = snprintf(json, sizeof json,
                          "{\"type\":\"available\",\"detail\":{\"clid_instances\":\"%u\"}}",
                          presence_count(&service->streams->presence, topic + prefix_length,
                                         topic_length - prefix_length));
    return delivery_send_to(service->delivery, stream, topic, topic_length, json, (size_t)length);
}

bool presence_events_send_available(struct service *service, struct stream *stream, uint32_t first)
{
    struct bytes name = BYTES_EMPTY;
    bool sent = true;

    for (uint32_t i = first; sent && i < stream->subscriber.count; i++) {
        const struct subscription *subscription = &stream->subscriber.subscriptions[i];
        if (subscription->kind != SUBSCRIPTION_OPEN)
            continue;
        bytes_clear(&name);
        topic_node_write_name(subscription->node, &name);
        sent = !name.failed &&
               send_available(service, stream, name.data != NULL ? name.data : "", name.length);
    }
    bytes_free(&name);
    return sent;
}
