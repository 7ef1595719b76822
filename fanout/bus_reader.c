#include "bus_reader.h"

#include "intake.h"
#include "log.h"
#include "server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCH_BYTES = 256 * 1024, CROWD = 64 /* clients between two looks */ };

struct bus_reader {
    struct server *server;
    struct bus_inbox *inbox;
    unsigned clients; /* served since the last look */
    bool paused;
    uv_poll_t readable;
    uv_idle_t again; /* keeps the loop awake while messages are left over from a full batch */
};

static void on_again(uv_idle_t *idle);

/* Bounded in bytes too: what is taken at once is queued for a client before it can read any of it.
 */
static void take_batch(struct bus_reader *reader)
{
    struct bus_message message;
    uint64_t batch = reader->server->config.bus_batch;
    size_t bytes = 0;
    int got = 1;

    reader->clients = 0;
    if (reader->paused)
        return;
    while (batch-- > 0 && bytes < BATCH_BYTES &&
           (got = bus_inbox_next(reader->inbox, &message)) == 1) {
        bytes += message.event_length;
        intake_take(reader->server->intake, &message);
    }
    bus_inbox_flush(reader->inbox);
    /* Not only before the loop sleeps: in a burst of clients that come and go it has much to do
     * before it does. */
    delivery_flush(reader->server);
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

void bus_reader_look(struct bus_reader *reader)
{
    if (++reader->clients >= CROWD)
        take_batch(reader);
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

void bus_reader_pause(struct bus_reader *reader)
{
    reader->paused = true;
    (void)uv_poll_stop(&reader->readable);
    (void)uv_idle_stop(&reader->again);
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

void bus_reader_acknowledge(struct bus_reader *reader, uint64_t publisher, const struct ack *ack)
{
    bus_inbox_acknowledge(reader->inbox, publisher, ack);
}

void bus_reader_flush(struct bus_reader *reader)
{
    bus_inbox_flush(reader->inbox);
}

uint64_t bus_reader_malformed(const struct bus_reader *reader)
{
    return bus_inbox_malformed(reader->inbox);
}
