#include "bus/bus_redis_call.h"

#include "big_endian.h"
#include "bus/bus_redis_message.h"
#include "event_id.h"
#include "hex.h"
#include "secret.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CALLER_WORDS = 7,
    EVENT_WORDS = 9,
    BATCH_KEPT_MS = 60000 /* longer than any handler waits */
};

/* ---- words: they are places in `text` until all is written, since it moves as it grows ---- */

static void end_word(struct redis_call *call, size_t start)
{
    if (call->count == call->capacity) {
        call->failed = true;
        return;
    }
    call->words[call->count++] =
        (struct redis_word){.text = NULL, .length = call->text.length - start};
}

static void add_word(struct redis_call *call, const void *data, size_t length)
{
    size_t start = call->text.length;
    bytes_append(&call->text, data, length);
    end_word(call, start);
}

static void add_text(struct redis_call *call, const char *text)
{
    add_word(call, text, strlen(text));
}

static void add_number(struct redis_call *call, uint64_t number)
{
    size_t start = call->text.length;
    bytes_append_number(&call->text, number);
    end_word(call, start);
}

static void add_hex(struct redis_call *call, uint64_t number)
{
    size_t start = call->text.length;
    bytes_append_format(&call->text, "%016" PRIx64, number);
    end_word(call, start);
}

static bool place_words(struct redis_call *call)
{
    const char *at = call->text.data;
    for (size_t i = 0; i < call->count; i++) {
        call->words[i].text = at;
        at += call->words[i].length;
    }
    return !call->failed && !call->text.failed;
}

/* ---- events ---- */

static const char *kind_of(const struct bus_event *event)
{
    switch (event->kind) {
    case ENVELOPE_DROP:
        return "drop";
    case ENVELOPE_POSITION:
        return "position";
    case ENVELOPE_QUESTION:
    case ENVELOPE_REFUSAL:
        return "note";
    default:
        return (event->flags & ENVELOPE_KEEP) == 0     ? "event"
               : (event->flags & ENVELOPE_FORGET) == 0 ? "keep"
                                                       : "forget";
    }
}

static void add_message(struct redis_call *call, const struct bus_event *event, uint64_t publisher,
                        uint64_t sequence)
{
    unsigned char bytes[ENVELOPE_SIZE_MAX];
    struct envelope envelope = bus_event_envelope(event, publisher, sequence);
    const struct bus_part parts[BUS_EVENT_PARTS] = {
        [BUS_TOPIC] = {event->topic, event->topic_length},
        [BUS_ENVELOPE] = {(const char *)bytes, envelope_write(bytes, &envelope)},
        [BUS_ALLOWED] = {event->allowed, event->allowed_length},
        [BUS_EVENT] = {event->event, event->event_length},
    };
    size_t start = call->text.length;
    redis_message_write(&call->text, parts);
    end_word(call, start);
}

/* What it says and to whom, as far as its publisher says to whom: an event of the same key that says something else is
 * another one. The same that the daemon compares with ZeroMQ. */
static uint64_t content_of(const struct bus_event *event)
{
    const uint16_t counted =
        ENVELOPE_WHISPER | ENVELOPE_EXCEPT | ENVELOPE_KEEP | ENVELOPE_ADDRESSED;
    bool names = (event->flags & ENVELOPE_ADDRESSED) != 0 || event->kind == ENVELOPE_DROP;
    unsigned char head[2 + 8 + 8];
    struct bytes said = BYTES_EMPTY;
    big_endian_write(head, 2, event->flags & counted);
    big_endian_write(head + 2, 8, event->whisper);
    big_endian_write(head + 10, 8, event->event_length);
    bytes_append(&said, head, sizeof head);
    bytes_append(&said, event->event, event->event_length);
    if (names)
        bytes_append(&said, event->allowed, event->allowed_length);
    uint64_t content = said.failed ? 0 : secret_id(said.data, said.length);
    bytes_free(&said);
    return content;
}

static void add_post(struct redis_call *call, const struct bus_event *event)
{
    char key[2 * ENVELOPE_POST_KEY_SIZE + 1] = "";
    bool has_key = (event->flags & ENVELOPE_HAS_POST_KEY) != 0;
    if (has_key)
        hex_write(key, event->post_key, sizeof event->post_key);
    add_text(call, key);
    add_hex(call, has_key ? content_of(event) : 0);
}

static void add_rate(struct redis_call *call, const struct bus_event *event,
                     const struct bus_redis_options *options)
{
    bool is_event = event->kind == 0 || event->kind == ENVELOPE_EVENT;
    uint64_t rate = event->rate > 0 ? event->rate : options->rate;
    if (!is_event || event->token == 0)
        rate = 0;
    add_hex(call, event->token);
    add_number(call, rate);
    add_number(call, options->burst > 0 ? options->burst : rate);
}

static uint64_t drop_time(const struct bus_event *event)
{
    struct drop drop;
    return event->kind == ENVELOPE_DROP && drop_read(&drop, event->event, event->event_length,
                                                     event->allowed, event->allowed_length)
               ? drop.for_ms
               : 0;
}

bool redis_call_write(struct redis_call *call, const struct redis_caller *caller,
                      const struct bus_event *events, size_t count, uint64_t first_sequence)
{
    const struct bus_redis_options *options = caller->options;
    size_t most = CALLER_WORDS + EVENT_WORDS * count;
    bytes_clear(&call->text);
    call->count = 0;
    call->failed = false;
    if (call->capacity < most) {
        struct redis_word *words = reallocarray(call->words, most, sizeof *words);
        if (words == NULL)
            return false;
        call->words = words;
        call->capacity = most;
    }
    add_text(call, caller->run);
    add_hex(call, caller->publisher);
    add_number(call, caller->batch);
    add_number(call, BATCH_KEPT_MS);
    add_number(call, options->remember_ms);
    add_number(call, options->max_events);
    add_number(call, options->max_kept);
    for (size_t i = 0; i < count; i++) {
        add_text(call, kind_of(&events[i]));
        add_message(call, &events[i], caller->publisher, first_sequence + i);
        add_post(call, &events[i]);
        add_rate(call, &events[i], options);
        add_word(call, events[i].topic, events[i].topic_length);
        add_number(call, drop_time(&events[i]));
    }
    return place_words(call);
}

void redis_call_free(struct redis_call *call)
{
    bytes_free(&call->text);
    free(call->words);
    *call = (struct redis_call){0};
}

/* ---- results ---- */

static const char *read_result(struct bus_event *event, const char *text)
{
    unsigned status;
    char id[48];
    uint64_t figure;
    int read = 0;
    if (sscanf(text, "%u %47s %" SCNu64 " %n", &status, id, &figure, &read) != 3 || read == 0 ||
        status > ACK_UNKNOWN ||
        !event_id_read(id, strlen(id), &event->epoch, &event->ack.event_sequence))
        return NULL;
    event->ack.status = (enum ack_status)status;
    event->ack.receivers = status == ACK_DOUBLE ? (uint32_t)figure : 0;
    event->ack.wait_ms = status == ACK_LIMITED ? (uint32_t)figure : 0;
    return text + read;
}

bool redis_call_read(struct bus_event *events, size_t count, uint64_t first_sequence,
                     const char *text)
{
    for (size_t i = 0; i < count && text != NULL; i++) {
        events[i].ack = (struct ack){.sequence = first_sequence + i};
        text = read_result(&events[i], text);
    }
    return text != NULL && *text == '\0';
}
