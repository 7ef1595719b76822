#include "bus/bus_answers.h"
#include "bus/bus_zeromq.h"
#include "bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct zeromq_inbox {
    struct bus_inbox base; /* first */
    struct bus_zeromq zeromq;
    int descriptor;
    uint64_t epoch;
    uint64_t malformed;
    zmq_msg_t parts[BUS_EVENT_PARTS]; /* of the message that the caller borrows */
    struct bus_answers answers;
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

static bool prepare_inbox(struct zeromq_inbox *inbox, const struct bus_options *options,
                          char error[BUS_ERROR_SIZE])
{
    if (!bus_zeromq_open(&inbox->zeromq, BUS_DAEMON, options, error))
        return false;
    size_t size = sizeof inbox->descriptor;
    if (!subscribe_topics(inbox->zeromq.events, options->topic_prefixes) ||
        zmq_getsockopt(inbox->zeromq.events, ZMQ_FD, &inbox->descriptor, &size) != 0)
        return bus_zeromq_fail(error, "cannot prepare the bus");
    return bus_zeromq_attach(&inbox->zeromq, BUS_DAEMON, options, error);
}

static void close_inbox(struct bus_inbox *base)
{
    struct zeromq_inbox *old = (struct zeromq_inbox *)base;
    bus_parts_close(old->parts, BUS_EVENT_PARTS);
    bus_zeromq_close(&old->zeromq);
    bus_answers_free(&old->answers);
    free(old);
}

static struct bus_inbox *open_inbox(const struct bus_options *options, uint64_t epoch,
                                    char error[BUS_ERROR_SIZE])
{
    struct zeromq_inbox *inbox = calloc(1, sizeof *inbox);
    if (inbox == NULL) {
        snprintf(error, BUS_ERROR_SIZE, "no memory for the bus");
        return NULL;
    }
    inbox->base.calls = &bus_zeromq_inbox;
    inbox->epoch = epoch;
    bus_parts_open(inbox->parts, BUS_EVENT_PARTS);
    if (prepare_inbox(inbox, options, error))
        return &inbox->base;
    close_inbox(&inbox->base);
    return NULL;
}

static int inbox_descriptor(const struct bus_inbox *base)
{
    return ((const struct zeromq_inbox *)base)->descriptor;
}

static uint64_t inbox_malformed(const struct bus_inbox *base)
{
    return ((const struct zeromq_inbox *)base)->malformed;
}

/* A publisher asks again for what is lost here. */
static void send_answer(struct zeromq_inbox *inbox, uint64_t publisher, const void *text,
                        size_t length)
{
    unsigned char id[BUS_PUBLISHER_ID_SIZE];
    bus_publisher_id_write(id, publisher);
    zmq_msg_t parts[BUS_ACK_PARTS];
    bus_parts_open(parts, BUS_ACK_PARTS);
    if (bus_part_fill(&parts[BUS_ACK_PUBLISHER], id, sizeof id) &&
        bus_part_fill(&parts[BUS_ACK_RECORDS], text, length))
        bus_socket_send(inbox->zeromq.acks, parts, BUS_ACK_PARTS);
    else
        bus_parts_close(parts, BUS_ACK_PARTS);
}

static void answer_hello(struct zeromq_inbox *inbox, uint64_t publisher)
{
    unsigned char header[ACK_HEADER_SIZE];
    ack_header_write(header, inbox->epoch);
    /* The publisher is new: its subscription may have come a moment ago. */
    bus_socket_refresh(inbox->zeromq.acks);
    send_answer(inbox, publisher, header, sizeof header);
}

/* False when there is nothing for the caller in the parts; a hello is answered here. */
static bool read_message(struct zeromq_inbox *inbox, int count, struct bus_message *message)
{
    struct bus_part parts[BUS_EVENT_PARTS];
    for (int i = 0; i < BUS_EVENT_PARTS; i++)
        parts[i] =
            (struct bus_part){zmq_msg_data(&inbox->parts[i]), zmq_msg_size(&inbox->parts[i])};
    if (count == BUS_EVENT_PARTS && bus_message_read(message, parts))
        return true;
    if (count == BUS_HELLO_PARTS &&
        envelope_read(&message->envelope, parts[BUS_ENVELOPE].data, parts[BUS_ENVELOPE].length) &&
        message->envelope.kind == ENVELOPE_HELLO)
        answer_hello(inbox, message->envelope.publisher);
    else
        inbox->malformed++;
    return false;
}

static struct bus_facts inbox_facts(const struct bus_inbox *base)
{
    return (struct bus_facts){.epoch = ((const struct zeromq_inbox *)base)->epoch};
}

static int take_next(struct bus_inbox *base, struct bus_message *message)
{
    struct zeromq_inbox *inbox = (struct zeromq_inbox *)base;
    message->news.kind = 0;
    message->number = message->wall_ms = 0;
    message->past = message->value = false;
    for (;;) {
        /* Gives back the memory of the last message, also when none follows. */
        bus_parts_close(inbox->parts, BUS_EVENT_PARTS);
        bus_parts_open(inbox->parts, BUS_EVENT_PARTS);
        int count = bus_socket_receive(inbox->zeromq.events, inbox->parts, BUS_EVENT_PARTS, 0);
        if (count <= 0)
            return count;
        if (read_message(inbox, count, message))
            return 1;
    }
}

static void acknowledge(struct bus_inbox *base, uint64_t publisher, const struct ack *ack)
{
    struct zeromq_inbox *inbox = (struct zeromq_inbox *)base;
    bus_answers_add(&inbox->answers, publisher, inbox->epoch, ack);
}

static void flush_answers(struct bus_inbox *base)
{
    struct zeromq_inbox *inbox = (struct zeromq_inbox *)base;
    for (size_t i = 0; i < inbox->answers.count; i++) {
        const struct bus_answer *answer = &inbox->answers.list[i];
        if (!answer->text.failed)
            send_answer(inbox, answer->publisher, answer->text.data, answer->text.length);
    }
    bus_answers_clear(&inbox->answers);
}

static void answer_question(struct bus_inbox *base, uint64_t publisher, const struct ack *ack,
                            const char *text, size_t length)
{
    struct zeromq_inbox *inbox = (struct zeromq_inbox *)base;
    struct bytes answer = BYTES_EMPTY;
    bus_answer_write(&answer, inbox->epoch, ack, text, length);
    if (!answer.failed)
        send_answer(inbox, publisher, answer.data, answer.length);
    bytes_free(&answer);
}

const struct bus_inbox_calls bus_zeromq_inbox = {.open = open_inbox,
                                                 .close = close_inbox,
                                                 .descriptor = inbox_descriptor,
                                                 .next = take_next,
                                                 .acknowledge = acknowledge,
                                                 .flush = flush_answers,
                                                 .answer = answer_question,
                                                 .malformed = inbox_malformed,
                                                 .facts = inbox_facts};
