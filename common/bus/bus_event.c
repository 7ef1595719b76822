#include "bus/bus_message.h"

#include <string.h>

struct bus_event bus_event_of_drop(const struct drop *drop, unsigned char record[DROP_RECORD_SIZE])
{
    drop_write(record, drop);
    return (struct bus_event){.kind = ENVELOPE_DROP,
                              .topic = BUS_DROP_TOPIC,
                              .topic_length = strlen(BUS_DROP_TOPIC),
                              .allowed = drop->name != NULL ? drop->name : "",
                              .allowed_length = drop->name_length,
                              .event = (const char *)record,
                              .event_length = DROP_RECORD_SIZE};
}

struct bus_event bus_event_of_position(void)
{
    return (struct bus_event){.kind = ENVELOPE_POSITION,
                              .topic = BUS_POSITION_TOPIC,
                              .topic_length = strlen(BUS_POSITION_TOPIC),
                              .allowed = "",
                              .event = ""};
}

struct bus_event bus_event_of_refusal(const struct bytes *record)
{
    return (struct bus_event){.kind = ENVELOPE_REFUSAL,
                              .topic = BUS_REFUSAL_TOPIC,
                              .topic_length = strlen(BUS_REFUSAL_TOPIC),
                              .allowed = "",
                              .event = record->data,
                              .event_length = record->length};
}

struct bus_event bus_event_of_question(const struct question *question, uint64_t publisher,
                                       unsigned char record[QUESTION_SIZE], struct bytes *answer)
{
    question_write(record, question);
    return (struct bus_event){.kind = ENVELOPE_QUESTION,
                              .topic = BUS_QUESTION_TOPIC,
                              .topic_length = strlen(BUS_QUESTION_TOPIC),
                              .token = publisher,
                              .allowed = "",
                              .event = (const char *)record,
                              .event_length = QUESTION_SIZE,
                              .answer = answer};
}

struct envelope bus_event_envelope(const struct bus_event *event, uint64_t publisher,
                                   uint64_t sequence)
{
    struct envelope envelope = {.kind = event->kind != 0 ? event->kind : ENVELOPE_EVENT,
                                .flags = event->flags,
                                .publisher = publisher,
                                .sequence = sequence,
                                .whisper = event->whisper,
                                .token = event->token,
                                .within = event->within};
    memcpy(envelope.post_key, event->post_key, sizeof envelope.post_key);
    return envelope;
}
