#include "events/bus_reader.h"

#include "bus/bus_config.h"
#include "events/intake.h"
#include "messages.h"
#include "net/connection.h"
#include "net/send_batch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    ROUND_BYTES = 256 * 1024,
    NOTE_WORK = 8 /* a byte of a note of another daemon is as much work as so many of an event */
};

/* What may still be taken until all that had to be written when it began were written. Bounded in
 * bytes too: it is queued for a client before it can read any of it. */
struct round {
    uint64_t events;
    size_t bytes;
    uint64_t end; /* as net->writes.taken counts */
    int got;      /* as of bus_inbox_next(); 0: the inbox is empty */
};

struct bus_reader {
    struct net *net;
    struct intake *intake;
    struct bus_config config; /* what the inbox borrows */
    struct bus_inbox *inbox;
    struct round round;
    bool paused;
    bool failed;      /* the last time that it was looked at */
    int open_handles; /* of those that close when it has left */
    uv_poll_t readable;
    uv_idle_t again; /* keeps the loop awake while messages are left over from a full batch */
};

static void on_again(uv_idle_t *idle);

static void take_some(struct bus_reader *reader)
{
    struct round *round = &reader->round;
    struct bus_message message;

    written_watch_take(&reader->net->written);
    while (round->got >= 0 && round->events > 0 && round->bytes > 0 &&
           (round->got = bus_inbox_next(reader->inbox, &message)) == 1) {
        round->events--;
        loop_watch_did(&reader->net->loop.watch, LOOP_EVENTS, 1);
        size_t bytes =
            message.news.kind != 0 ? message.news.length * NOTE_WORK : message.event.json_length;
        round->bytes -= bytes < round->bytes ? bytes : round->bytes;
        intake_take(reader->intake, &message);
    }
    bus_inbox_flush(reader->inbox);
}

static bool is_over(const struct bus_reader *reader)
{
    return reader->net->writes.taken >= reader->round.end;
}

static void begin_round(struct bus_reader *reader)
{
    const struct net *net = reader->net;

    reader->round =
        (struct round){.events = net->config->bus_batch, .bytes = ROUND_BYTES, .got = 1};
    take_some(reader);
    reader->round.end = net->writes.taken + connection_marks(net);
}

/* What comes while many receivers are written is taken in between: those whose turn is still to
 * come get it in the same write, and nobody waits for the last of them. When a turn of the loop has
 * no more time for writing, the round goes on in the next one. */
static void take_turn(struct bus_reader *reader)
{
    struct net *net = reader->net;

    loop_begin_batch(&net->loop);
    if (reader->paused)
        return;
    loop_watch_begin_writing(&net->loop.watch);
    if (is_over(reader))
        begin_round(reader);
    else
        take_some(reader);
    while (!is_over(reader) && loop_watch_may_write(&net->loop.watch) && connection_flush_some(net))
        take_some(reader);
    reader->failed = reader->round.got < 0;
    if (reader->failed) {
        message_error("cannot read the bus", message_error_code(errno));
        reader->round.got = 0; /* it is said once */
    }
    /* The inbox tells of new messages only after it was emptied once. */
    if (reader->round.got == 1)
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

static struct bus_inbox *open_inbox(struct bus_reader *reader, uint64_t epoch,
                                    const struct bus_take_up *take_up, char error[BUS_ERROR_SIZE])
{
    if (!bus_config_load(&reader->config, reader->net->config, BUS_DAEMON, error))
        return NULL;
    if (take_up != NULL)
        reader->config.options.take_up = *take_up;
    return bus_inbox_open(&reader->config.options, epoch, error);
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
                                   const struct bus_take_up *take_up, char error[BUS_ERROR_SIZE])
{
    struct bus_reader *reader = calloc(1, sizeof *reader);

    if (reader == NULL) {
        snprintf(error, BUS_ERROR_SIZE, "out of memory");
        return NULL;
    }
    reader->net = net;
    reader->intake = intake;
    reader->inbox = open_inbox(reader, epoch, take_up, error);
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
    if ((*reader)->inbox != NULL)
        bus_inbox_leave((*reader)->inbox);
    bus_inbox_close(&(*reader)->inbox);
    bus_config_free(&(*reader)->config);
    free(*reader);
    *reader = NULL;
}

/* In whatever order the loop closes them. */
static void on_left(uv_handle_t *handle)
{
    struct bus_reader *reader = handle->data;

    if (--reader->open_handles > 0)
        return;
    bus_config_free(&reader->config);
    free(reader);
}

void bus_reader_leave(struct bus_reader **reader)
{
    struct bus_reader *old = *reader;

    *reader = NULL;
    intake_set_inbox(old->intake, NULL);
    (void)uv_poll_stop(&old->readable);
    bus_inbox_close(&old->inbox);
    loop_set_between(&old->net->loop, NULL, NULL);
    old->open_handles = 2;
    uv_close((uv_handle_t *)&old->readable, on_left);
    uv_close((uv_handle_t *)&old->again, on_left);
}

struct bus_facts bus_reader_facts(const struct bus_reader *reader)
{
    return bus_inbox_facts(reader->inbox);
}

uint64_t bus_reader_malformed(const struct bus_reader *reader)
{
    return bus_inbox_malformed(reader->inbox);
}

const char *bus_reader_trouble(const struct bus_reader *reader)
{
    return reader->failed ? "The bus cannot be read" : NULL;
}
