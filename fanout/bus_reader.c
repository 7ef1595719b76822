#include "bus_reader.h"

#include "log.h"
#include "server.h"
#include "topic.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCH_BYTES = 256 * 1024 };

struct bus_reader {
    struct server *server;
    struct bus_inbox *inbox;
    uv_poll_t readable;
    uv_idle_t again; /* keeps the loop awake while messages are left over from a full batch */
};

static enum ack_status deliver(struct server *server, const struct bus_message *message,
                               struct ack *ack)
{
    const struct config *config = &server->config;
    struct delivery_event event = {.topic = message->topic,
                                   .topic_length = message->topic_length,
                                   .json = message->event,
                                   .json_length = message->event_length,
                                   .audience = {.flags = message->envelope.flags,
                                                .allowed = message->allowed,
                                                .allowed_length = message->allowed_length}};

    const char *fault = topic_fault(message->topic, message->topic_length, config->max_topic_length,
                                    config->max_topic_levels);

    if (fault) { /* a handler with other limits in its configuration */
        log_warning("event refused: its topic is over the daemon's limits",
                    log_text("fault", fault));
        return ACK_OVERLOAD;
    }
    /* No stream has connection id 0, which would be a shout. */
    if (message->envelope.flags & ENVELOPE_WHISPER)
        event.whisper = message->envelope.whisper ? message->envelope.whisper : UINT64_MAX;
    if (!delivery_publish(server, &event, &ack->receivers)) {
        server->counters.overloads++;
        return ACK_OVERLOAD;
    }
    ack->event_sequence = event.sequence;
    server->counters.events++;
    return ACK_DELIVERED;
}

static void take(struct bus_reader *reader, const struct bus_message *message)
{
    struct server *server = reader->server;
    struct ack ack = {.sequence = message->envelope.sequence};
    unsigned char key[ENVELOPE_POST_KEY_SIZE];
    const struct seen_event *seen;

    seen_events_key(key, &message->envelope);
    seen = seen_events_find(&server->seen, key, server_now(server));
    if (seen) {
        server->counters.doubles++;
        ack.status = ACK_DOUBLE;
        ack.event_sequence = seen->event_sequence;
        ack.receivers = seen->receivers;
    } else {
        ack.status = deliver(server, message, &ack);
        if (ack.status == ACK_DELIVERED && !seen_events_add(&server->seen, key, ack.event_sequence,
                                                            ack.receivers, server_now(server)))
            log_error("event not remembered for want of memory: a resend would be delivered twice");
    }
    bus_inbox_acknowledge(reader->inbox, message->envelope.publisher, &ack);
}

static void on_again(uv_idle_t *idle);

/* Bounded in bytes too: what is taken at once is queued for a client before it can read any of it.
 */
static void take_batch(struct bus_reader *reader)
{
    struct bus_message message;
    uint64_t batch = reader->server->config.bus_batch;
    size_t bytes = 0;
    int got = 1;

    while (batch-- > 0 && bytes < BATCH_BYTES &&
           (got = bus_inbox_next(reader->inbox, &message)) == 1) {
        bytes += message.event_length;
        take(reader, &message);
    }
    bus_inbox_flush(reader->inbox);
    if (got < 0)
        log_error("cannot read the bus", log_error_code(errno));
    /* The inbox tells of new messages only after it was emptied once. */
    if (got == 1)
        (void)uv_idle_start(&reader->again, on_again);
    else
        (void)uv_idle_stop(&reader->again);
}

static void on_again(uv_idle_t *idle)
{
    take_batch(idle->data);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)events;
    if (status < 0)
        log_error("cannot wait for the bus", log_text("error", uv_strerror(status)));
    take_batch(poll->data);
}

static struct bus_inbox *open_inbox(struct server *server, char error[BUS_ERROR_SIZE])
{
    const struct config *config = &server->config;
    char public_key[SECRET_BUS_KEY_SIZE], secret_key[SECRET_BUS_KEY_SIZE];
    struct bus_options options = {
        .event_endpoints = (const char *const *)config->bus_events,
        .ack_endpoints = (const char *const *)config->bus_acks,
        .topic_prefixes = (const char *const *)config->bus_topics,
        .socket_mode = (unsigned)config->bus_mode,
        /* Escaping to ASCII makes a byte of a body six bytes at most. */
        .max_message_bytes = (size_t)config->max_event_body * 6 + 65536,
    };

    if (!secret_bus_key_load(public_key, config->bus_public_key_file, true, error) ||
        !secret_bus_key_load(secret_key, config->bus_secret_key_file, false, error))
        return NULL;
    options.server_public_key = public_key[0] ? public_key : NULL;
    options.server_secret_key = secret_key[0] ? secret_key : NULL;
    return bus_inbox_open(&options, server->events.epoch, error);
}

static bool join_loop(struct bus_reader *reader, char error[BUS_ERROR_SIZE])
{
    uv_loop_t *loop = &reader->server->loop;
    int failure;

    reader->readable.data = reader->again.data = reader;
    failure = uv_poll_init(loop, &reader->readable, bus_inbox_descriptor(reader->inbox));
    if (failure) {
        snprintf(error, BUS_ERROR_SIZE, "cannot wait for the bus: %s", uv_strerror(failure));
        return false;
    }
    /* From here on nothing can fail, so the caller may free a reader that did not join. */
    (void)uv_poll_start(&reader->readable, UV_READABLE, on_readable);
    (void)uv_idle_init(loop, &reader->again);
    /* What came before the loop waits raises no edge any more: look once. */
    (void)uv_idle_start(&reader->again, on_again);
    return true;
}

struct bus_reader *bus_reader_open(struct server *server, char error[BUS_ERROR_SIZE])
{
    struct bus_reader *reader = calloc(1, sizeof *reader);

    if (!reader) {
        snprintf(error, BUS_ERROR_SIZE, "out of memory");
        return NULL;
    }
    reader->server = server;
    reader->inbox = open_inbox(server, error);
    if (!reader->inbox || !join_loop(reader, error)) {
        bus_reader_free(&reader);
        return NULL;
    }
    return reader;
}

void bus_reader_stop(struct bus_reader *reader)
{
    uv_close((uv_handle_t *)&reader->readable, NULL);
    uv_close((uv_handle_t *)&reader->again, NULL);
}

void bus_reader_free(struct bus_reader **reader)
{
    if (!*reader)
        return;
    bus_inbox_close(&(*reader)->inbox);
    free(*reader);
    *reader = NULL;
}

uint64_t bus_reader_malformed(const struct bus_reader *reader)
{
    return bus_inbox_malformed(reader->inbox);
}
