#include "events/bus_reader.h"

#include "events/intake.h"
#include "messages.h"
#include "net/connection.h"
#include "net/send_batch.h"
#include "secret.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { TURN_BYTES = 256 * 1024 };

struct bus_reader {
    struct net *net;
    struct intake *intake;
    struct bus_inbox *inbox;
    bool paused;
    uv_poll_t readable;
    uv_idle_t again; /* keeps the loop awake while messages are left over from a full batch */
};

static void on_again(uv_idle_t *idle);

/* What may still be taken before the loop goes on. Bounded in bytes too: it is queued for a client
 * before it can read any of it. */
struct turn {
    uint64_t events;
    size_t bytes;
    int got; /* as of bus_inbox_next(); 0: the inbox is empty */
};

static void take_some(struct bus_reader *reader, struct turn *turn)
{
    struct bus_message message;

    while (turn->got >= 0 && turn->events > 0 && turn->bytes > 0 &&
           (turn->got = bus_inbox_next(reader->inbox, &message)) == 1) {
        turn->events--;
        loop_watch_did(&reader->net->loop.watch, LOOP_EVENTS, 1);
        turn->bytes -=
            message.event.json_length < turn->bytes ? message.event.json_length : turn->bytes;
        intake_take(reader->intake, &message);
    }
    bus_inbox_flush(reader->inbox);
}

/* What comes while many receivers are written is taken in between: those whose turn is still to
 * come get it in the same write, and nobody waits for the last of them. Only until each had its
 * turn, since the loop has others to look after. */
static void take_turn(struct bus_reader *reader)
{
    struct net *net = reader->net;
    struct turn turn = {.events = net->config->bus_batch, .bytes = TURN_BYTES, .got = 1};

    loop_begin_batch(&net->loop);
    if (reader->paused)
        return;
    take_some(reader, &turn);
    for (size_t left = connection_marks(net); left > SEND_BATCH_MOST; left -= SEND_BATCH_MOST) {
        (void)connection_flush_some(net);
        take_some(reader, &turn);
    }
    connection_flush(net);
    if (turn.got < 0)
        message_error("cannot read the bus", message_error_code(errno));
    /* The inbox tells of new messages only after it was emptied once. */
    if (turn.got == 1)
        (void)uv_idle_start(&reader->again, on_again);
    else
        (void)uv_idle_stop(&reader->again);
}

static void on_again(uv_idle_t *idle)
{
    take_turn(idle->data);
}

static void between_batches(void *context)
{
    take_turn(context);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)events;
    if (status < 0)
        message_error("cannot wait for the bus", message_text("error", uv_strerror(status)));
    take_turn(poll->data);
}

static struct bus_inbox *open_inbox(const struct config *config, uint64_t epoch,
                                    char error[BUS_ERROR_SIZE])
{
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
    return bus_inbox_open(&options, epoch, error);
}

static bool join_loop(struct bus_reader *reader, char error[BUS_ERROR_SIZE])
{
    uv_loop_t *loop = &reader->net->loop.uv;

    reader->readable.data = reader->again.data = reader;
    int failure = uv_poll_init(loop, &reader->readable, bus_inbox_descriptor(reader->inbox));
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

struct bus_reader *bus_reader_open(struct net *net, struct intake *intake, uint64_t epoch,
                                   char error[BUS_ERROR_SIZE])
{
    struct bus_reader *reader = calloc(1, sizeof *reader);

    if (reader == NULL) {
        snprintf(error, BUS_ERROR_SIZE, "out of memory");
        return NULL;
    }
    reader->net = net;
    reader->intake = intake;
    reader->inbox = open_inbox(net->config, epoch, error);
    if (reader->inbox == NULL || !join_loop(reader, error)) {
        bus_reader_free(&reader);
        return NULL;
    }
    intake_set_inbox(intake, reader->inbox);
    loop_set_between(&net->loop, between_batches, reader);
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
    loop_set_between(&reader->net->loop, NULL, NULL);
    uv_close((uv_handle_t *)&reader->readable, NULL);
    uv_close((uv_handle_t *)&reader->again, NULL);
}

void bus_reader_free(struct bus_reader **reader)
{
    if (*reader == NULL)
        return;
    bus_inbox_close(&(*reader)->inbox);
    free(*reader);
    *reader = NULL;
}

uint64_t bus_reader_malformed(const struct bus_reader *reader)
{
    return bus_inbox_malformed(reader->inbox);
}
