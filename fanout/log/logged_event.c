#include "log/logged_event.h"

#include "envelope.h"

#include <stdlib.h>
#include <string.h>

struct logged_topic *logged_topic_of(const struct topic_node *node)
{
    return (struct logged_topic *)(void *)((char *)node->receivers[0].subscriber -
                                           offsetof(struct logged_topic, subscriber));
}

uint64_t logged_event_bytes(const struct logged_event *event)
{
    return sizeof *event + event->json_length + event->allowed_length;
}

uint64_t logged_event_connid(const struct event *event)
{
    return event->except != 0 ? event->except : event->whisper;
}

void logged_event_set_connid(struct event *event, uint64_t connid)
{
    *((event->flags & ENVELOPE_EXCEPT) != 0 ? &event->except : &event->whisper) = connid;
}

struct logged_event *logged_event_new(const struct event *event, uint64_t now_ms)
{
    struct logged_event *logged =
        malloc(sizeof *logged + event->json_length + event->allowed_length);

    if (logged == NULL)
        return NULL;
    *logged = (struct logged_event){.sequence = event->sequence,
                                    .connid = logged_event_connid(event),
                                    .logged_at_ms = now_ms,
                                    .flags = event->flags,
                                    .json_length = (uint32_t)event->json_length,
                                    .allowed_length = (uint32_t)event->allowed_length};
    memcpy(logged->json, event->json, event->json_length);
    if (event->allowed_length > 0)
        memcpy(logged->json + event->json_length, event->allowed, event->allowed_length);
    return logged;
}

struct event logged_event_get(const struct logged_event *logged)
{
    bool excepts = (logged->flags & ENVELOPE_EXCEPT) != 0;

    return (struct event){.topic = logged->topic->name,
                          .topic_length = logged->topic->length,
                          .json = logged->json,
                          .json_length = logged->json_length,
                          .allowed = logged->json + logged->json_length,
                          .allowed_length = logged->allowed_length,
                          .flags = logged->flags,
                          .whisper = excepts ? 0 : logged->connid,
                          .except = excepts ? logged->connid : 0,
                          .sequence = logged->sequence};
}

const struct logged_event *logged_topic_at(const struct logged_topic *topic, uint32_t position)
{
    return topic->events[(topic->start + position) & (topic->capacity - 1)];
}

uint32_t logged_topic_after(const struct logged_topic *topic, uint64_t sequence)
{
    uint32_t low = 0, high = topic->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (logged_topic_at(topic, middle)->sequence > sequence)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}
