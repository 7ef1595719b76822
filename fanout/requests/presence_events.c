#include "requests/presence_events.h"

#include "bytes.h"
#include "events/delivery.h"
#include "messages.h"
#include "requests/service.h"
#include "streams/stream.h"
#include "streams/streams.h"
#include "topic.h"

#include <stdio.h>
#include <string.h>

static const char topic_prefix[] = "@CONNECTION@/";

void presence_events_publish(struct service *service, const char *type,
                             const struct presence_entry *entry, uint32_t instances)
{
    struct bytes topic = BYTES_EMPTY;
    char json[96];
    struct event event = {.json = json};

    /* Mostly nobody watches anybody: then there is no topic below the first level. */
    if (topic_index_find(&service->streams->topics[SUBSCRIPTION_OPEN], "@CONNECTION@", 12) == NULL)
        return;
    bytes_append_text(&topic, topic_prefix);
    bytes_append(&topic, entry->clid, entry->length);
    event.json_length = (size_t)snprintf(
        json, sizeof json, "{\"type\":\"%s\",\"detail\":{\"clid_instances\":%u}}", type, instances);
    event.topic = topic.data;
    event.topic_length = topic.length;
    if (topic.failed || !delivery_publish_presence(service->delivery, &event))
        message_error("presence event lost for want of memory", message_text("type", type));
    bytes_free(&topic);
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
