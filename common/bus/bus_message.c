#include "bus/bus_message.h"

static bool is_event(const struct event *event)
{
    size_t allowed = event->allowed_length;
    return event->topic_length > 0 && event->json_length > 0 &&
           (allowed == 0 || event->allowed[allowed - 1] == '\0');
}

static struct event borrow_event(const struct envelope *envelope, const struct bus_part *parts)
{
    struct event event = {
        .topic = parts[BUS_TOPIC].data,
        .topic_length = parts[BUS_TOPIC].length,
        .json = parts[BUS_EVENT].data,
        .json_length = parts[BUS_EVENT].length,
        .allowed = parts[BUS_ALLOWED].data,
        .allowed_length = parts[BUS_ALLOWED].length,
        .flags = envelope->flags,
        .token = envelope->token,
        .within_ms = envelope->within,
    };
    /* No stream has connection id 0, which would be a shout. */
    if ((envelope->flags & ENVELOPE_WHISPER) != 0)
        event.whisper = envelope->whisper != 0 ? envelope->whisper : UINT64_MAX;
    else if ((envelope->flags & ENVELOPE_EXCEPT) != 0)
        event.except = envelope->whisper;
    return event;
}

bool bus_message_read(struct bus_message *message, const struct bus_part parts[BUS_EVENT_PARTS])
{
    const struct bus_part *whose = &parts[BUS_ALLOWED], *body = &parts[BUS_EVENT];
    message->event = (struct event){0};
    if (!envelope_read(&message->envelope, parts[BUS_ENVELOPE].data, parts[BUS_ENVELOPE].length))
        return false;
    switch (message->envelope.kind) {
    case ENVELOPE_EVENT:
        message->event = borrow_event(&message->envelope, parts);
        return is_event(&message->event);
    case ENVELOPE_DROP:
        return drop_read(&message->drop, body->data, body->length, whose->data, whose->length);
    case ENVELOPE_POSITION:
        return true;
    case ENVELOPE_QUESTION:
        return question_read(&message->question, body->data, body->length);
    case ENVELOPE_REFUSAL:
        return refusal_read(&message->refusal, body->data, body->length);
    default:
        return false;
    }
}
