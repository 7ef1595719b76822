#include "log/saved_event.h"

#include "envelope.h"

void saved_event_put(struct saved_writer *writer, const struct logged_event *logged)
{
    const struct event event = logged_event_get(logged);

    saved_put(writer, event.sequence);
    saved_put(writer, logged->logged_at_ms);
    saved_put(writer, event.flags);
    saved_put(writer, logged->connid);
    saved_put_bytes(writer, event.topic, event.topic_length);
    saved_put_bytes(writer, event.json, event.json_length);
    saved_put_bytes(writer, event.allowed, event.allowed_length);
}

uint64_t saved_event_take(struct saved_reader *reader, struct event *event)
{
    *event = (struct event){.sequence = saved_take(reader)};
    uint64_t logged_at_ms = saved_take(reader);
    event->flags = (uint16_t)saved_take_within(reader, UINT16_MAX);
    logged_event_set_connid(event, saved_take(reader));
    event->topic = saved_take_bytes(reader, &event->topic_length);
    event->json = saved_take_bytes(reader, &event->json_length);
    event->allowed = saved_take_bytes(reader, &event->allowed_length);
    return logged_at_ms;
}
