#include "bus/bus_engine.h"
#include "bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What waits to be said to one publisher. */
struct answer {
    uint64_t publisher;
    struct bytes text; /* header and records */
};

struct bus_inbox {
    struct bus_engine engine;
    int descriptor;
    uint64_t epoch;
    uint64_t malformed;
    zmq_msg_t parts[BUS_EVENT_PARTS]; /* of the message that the caller borrows */
    struct answer *answers;
    size_t answer_count;    /* in use */
    size_t answer_capacity; /* those beyond answer_count keep their memory */
};

static bool subscribe_topics(void *socket, const char *const *prefixes)
{
    if (prefixes == NULL || *prefixes == NULL)
        return bus_socket_subscribe(socket, "", 0);
    bool all = bus_socket_subscribe(socket, BUS_HELLO_TOPIC, strlen(BUS_HELLO_TOPIC)) &&
               bus_socket_subscribe(socket, BUS_DROP_TOPIC, strlen(BUS_DROP_TOPIC)) &&
               bus_socket_subscribe(socket, BUS_POSITION_TOPIC, strlen(BUS_POSITION_TOPIC)) &&
               bus_socket_subscribe(socket, BUS_QUESTION_TOPIC, strlen(BUS_QUESTION_TOPIC)) &&
               bus_socket_subscribe(socket, BUS_REFUSAL_TOPIC, strlen(BUS_REFUSAL_TOPIC));
    for (; all && *prefixes != NULL; prefixes++)
        all = bus_socket_subscribe(socket, *prefixes, strlen(*prefixes));
    return all;
}

static bool open_inbox(struct bus_inbox *inbox, const struct bus_options *options,
                       char error[BUS_ERROR_SIZE])
{
    if (!bus_engine_open(&inbox->engine, BUS_DAEMON, options, error))
        return false;
    size_t size = sizeof inbox->descriptor;
    if (!subscribe_topics(inbox->engine.events, options->topic_prefixes) ||
        zmq_getsockopt(inbox->engine.events, ZMQ_FD, &inbox->descriptor, &size) != 0)
        return bus_engine_fail(error, "cannot prepare the bus");
    return bus_engine_attach(&inbox->engine, BUS_DAEMON, options, error);
}

struct bus_inbox *bus_inbox_open(const struct bus_options *options, uint64_t epoch,
                                 char error[BUS_ERROR_SIZE])
{
    struct bus_inbox *inbox = calloc(1, sizeof *inbox);
    if (inbox == NULL) {
        snprintf(error, BUS_ERROR_SIZE, "no memory for the bus");
        return NULL;
    }
    inbox->epoch = epoch;
    bus_parts_open(inbox->parts, BUS_EVENT_PARTS);
    if (!open_inbox(inbox, options, error))
        bus_inbox_close(&inbox);
    return inbox;
}

void bus_inbox_close(struct bus_inbox **inbox)
{
    struct bus_inbox *old = *inbox;
    if (old == NULL)
        return;
    *inbox = NULL;
    bus_parts_close(old->parts, BUS_EVENT_PARTS);
    bus_engine_close(&old->engine);
    for (size_t i = 0; i < old->answer_capacity; i++)
        bytes_free(&old->answers[i].text);
    free(old->answers);
    free(old);
}

int bus_inbox_descriptor(const struct bus_inbox *inbox)
{
    return inbox->descriptor;
}

uint64_t bus_inbox_malformed(const struct bus_inbox *inbox)
{
    return inbox->malformed;
}

/* A publisher asks again for what is lost here. */
static void send_answer(struct bus_inbox *inbox, uint64_t publisher, const void *text,
                        size_t length)
{
    unsigned char id[BUS_PUBLISHER_ID_SIZE];
    bus_publisher_id_write(id, publisher);
    zmq_msg_t parts[BUS_ACK_PARTS];
    bus_parts_open(parts, BUS_ACK_PARTS);
    if (bus_part_fill(&parts[BUS_ACK_PUBLISHER], id, sizeof id) &&
        bus_part_fill(&parts[BUS_ACK_RECORDS], text, length))
        bus_socket_send(inbox->engine.acks, parts, BUS_ACK_PARTS);
    else
        bus_parts_close(parts, BUS_ACK_PARTS);
}

static void answer_hello(struct bus_inbox *inbox, uint64_t publisher)
{
    unsigned char header[ACK_HEADER_SIZE];
    ack_header_write(header, inbox->epoch);
    /* The publisher is new: its subscription may have come a moment ago. */
    bus_socket_refresh(inbox->engine.acks);
    send_answer(inbox, publisher, header, sizeof header);
}

static void borrow(zmq_msg_t *part, const char **data, size_t *length)
{
    *data = zmq_msg_data(part);
    *length = zmq_msg_size(part);
}

static bool is_event(const struct bus_message *message)
{
    const struct event *event = &message->event;
    size_t allowed = event->allowed_length;
    return message->envelope.kind == ENVELOPE_EVENT && event->topic_length > 0 &&
           event->json_length > 0 && (allowed == 0 || event->allowed[allowed - 1] == '\0');
}

static void borrow_event(struct event *event, zmq_msg_t *parts, const struct envelope *envelope)
{
    *event = (struct event){
        .flags = envelope->flags, .token = envelope->token, .within_ms = envelope->within};
    borrow(&parts[BUS_TOPIC], &event->topic, &event->topic_length);
    borrow(&parts[BUS_ALLOWED], &event->allowed, &event->allowed_length);
    borrow(&parts[BUS_EVENT], &event->json, &event->json_length);
    /* No stream has connection id 0, which would be a shout. */
    if (envelope->flags & ENVELOPE_WHISPER)
        event->whisper = envelope->whisper ? envelope->whisper : UINT64_MAX;
    else if (envelope->flags & ENVELOPE_EXCEPT)
        event->except = envelope->whisper;
}

static bool borrow_drop(struct bus_message *message, zmq_msg_t *parts)
{
    const char *name, *record;
    size_t name_length, record_length;
    message->event = (struct event){0};
    borrow(&parts[BUS_ALLOWED], &name, &name_length);
    borrow(&parts[BUS_EVENT], &record, &record_length);
    return drop_read(&message->drop, record, record_length, name, name_length);
}

static bool borrow_question(struct bus_message *message, zmq_msg_t *parts)
{
    message->event = (struct event){0};
    return question_read(&message->question, zmq_msg_data(&parts[BUS_EVENT]),
                         zmq_msg_size(&parts[BUS_EVENT]));
}

static bool borrow_refusal(struct bus_message *message, zmq_msg_t *parts)
{
    message->event = (struct event){0};
    return refusal_read(&message->refusal, zmq_msg_data(&parts[BUS_EVENT]),
                        zmq_msg_size(&parts[BUS_EVENT]));
}

/* False when there is nothing for the caller in the parts; a hello is answered here. */
static bool read_message(struct bus_inbox *inbox, int count, struct bus_message *message)
{
    zmq_msg_t *parts = inbox->parts;
    bool known = (count == BUS_EVENT_PARTS || count == BUS_HELLO_PARTS) &&
                 envelope_read(&message->envelope, zmq_msg_data(&parts[BUS_ENVELOPE]),
                               zmq_msg_size(&parts[BUS_ENVELOPE]));
    if (known && count == BUS_HELLO_PARTS && message->envelope.kind == ENVELOPE_HELLO) {
        answer_hello(inbox, message->envelope.publisher);
        return false;
    }
    if (known && count == BUS_EVENT_PARTS && message->envelope.kind == ENVELOPE_DROP &&
        borrow_drop(message, parts))
        return true;
    if (known && count == BUS_EVENT_PARTS && message->envelope.kind == ENVELOPE_POSITION) {
        message->event = (struct event){0};
        return true;
    }
    if (known && count == BUS_EVENT_PARTS && message->envelope.kind == ENVELOPE_QUESTION &&
        borrow_question(message, parts))
        return true;
    if (known && count == BUS_EVENT_PARTS && message->envelope.kind == ENVELOPE_REFUSAL &&
        borrow_refusal(message, parts))
        return true;
    if (known && count == BUS_EVENT_PARTS && message->envelope.kind == ENVELOPE_EVENT) {
        borrow_event(&message->event, parts, &message->envelope);
        if (is_event(message))
            return true;
    }
    inbox->malformed++;
    return false;
}

struct bus_facts bus_inbox_facts(const struct bus_inbox *inbox)
{
    return (struct bus_facts){.epoch = inbox->epoch};
}

void bus_inbox_note(struct bus_inbox *inbox, const char *text, size_t length)
{
    (void)inbox, (void)text, (void)length; /* there is nobody else */
}

void bus_inbox_describe(struct bus_inbox *inbox, uint64_t streams, const char *url)
{
    (void)inbox, (void)streams, (void)url;
}

size_t bus_inbox_nodes(const struct bus_inbox *inbox, struct bus_node *nodes, size_t most)
{
    (void)inbox, (void)nodes, (void)most;
    return 0;
}

int bus_inbox_next(struct bus_inbox *inbox, struct bus_message *message)
{
    message->news.kind = 0;
    message->number = message->wall_ms = 0;
    message->past = message->value = false;
    for (;;) {
        /* Gives back the memory of the last message, also when none follows. */
        bus_parts_close(inbox->parts, BUS_EVENT_PARTS);
        bus_parts_open(inbox->parts, BUS_EVENT_PARTS);
        int count = bus_socket_receive(inbox->engine.events, inbox->parts, BUS_EVENT_PARTS, 0);
        if (count <= 0)
            return count;
        if (read_message(inbox, count, message))
            return 1;
    }
}

static bool make_room(struct bus_inbox *inbox)
{
    if (inbox->answer_count < inbox->answer_capacity)
        return true;
    size_t capacity = inbox->answer_capacity * 2 + 8;
    struct answer *more = reallocarray(inbox->answers, capacity, sizeof *more);
    if (more == NULL)
        return false;
    memset(more + inbox->answer_capacity, 0, (capacity - inbox->answer_capacity) * sizeof *more);
    inbox->answers = more;
    inbox->answer_capacity = capacity;
    return true;
}

static struct answer *find_answer(struct bus_inbox *inbox, uint64_t publisher)
{
    for (size_t i = inbox->answer_count; i-- > 0;) {
        if (inbox->answers[i].publisher == publisher)
            return &inbox->answers[i];
    }
    if (!make_room(inbox))
        return NULL;
    struct answer *answer = &inbox->answers[inbox->answer_count++];
    unsigned char header[ACK_HEADER_SIZE];
    ack_header_write(header, inbox->epoch);
    answer->publisher = publisher;
    bytes_append(&answer->text, header, sizeof header);
    return answer;
}

void bus_inbox_acknowledge(struct bus_inbox *inbox, uint64_t publisher, const struct ack *ack)
{
    struct answer *answer = find_answer(inbox, publisher);
    if (answer == NULL)
        return;
    unsigned char record[ACK_RECORD_SIZE];
    ack_record_write(record, ack);
    bytes_append(&answer->text, record, sizeof record);
}

void bus_inbox_flush(struct bus_inbox *inbox)
{
    for (size_t i = 0; i < inbox->answer_count; i++) {
        struct answer *answer = &inbox->answers[i];
        if (!answer->text.failed)
            send_answer(inbox, answer->publisher, answer->text.data, answer->text.length);
        bytes_clear(&answer->text);
    }
    inbox->answer_count = 0;
}

void bus_inbox_answer(struct bus_inbox *inbox, uint64_t publisher, const struct ack *ack,
                      const char *text, size_t length)
{
    unsigned char header[ACK_HEADER_SIZE], record[ACK_RECORD_SIZE];
    struct bytes answer = BYTES_EMPTY;
    answer_header_write(header, inbox->epoch);
    ack_record_write(record, ack);
    bytes_append(&answer, header, sizeof header);
    bytes_append(&answer, record, sizeof record);
    bytes_append(&answer, text, length);
    if (!answer.failed)
        send_answer(inbox, publisher, answer.data, answer.length);
    bytes_free(&answer);
}
