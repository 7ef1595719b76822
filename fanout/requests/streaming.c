#include "requests/streaming.h"

#include "config/config.h"
#include "events/delivery.h"
#include "events/replay.h"
#include "net/connection.h"
#include "requests/leaving.h"
#include "requests/request_reader.h"
#include "requests/service.h"
#include "streams/stream.h"
#include "streams/streams.h"
#include "streams/topic_limits.h"
#include "streams/transport.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- leaving ---- */

void streaming_leave_presence(struct service *service, struct presence_entry *presence)
{
    presence_note_change(&service->streams->presence, presence);
    presence_leave(&service->streams->presence, presence);
}

/* A client of long-poll that has shown that it comes back as the same one is not gone yet. */
static bool stays_present(struct stream *stream, uint64_t connid, struct presence_entry *presence)
{
    struct net *net = stream->connection.net;

    return stream->comes_back && !net->stopping &&
           poll_gap_keep(&net->service->streams->polls, connid, presence, loop_now(&net->loop));
}

static void forget_transport_state(struct stream *stream)
{
    if (stream->transport->forget_state != NULL)
        stream->transport->forget_state(&stream->connection);
}

/* What becomes of a client whose stream has ended. */
enum leaving {
    LEAVES,   /* it may come back as the same one */
    ANSWERED, /* it polls, and may stay present for a while too */
    DROPPED   /* it may not come back */
};

/* An answer may be lost: what it had of presence is told again with the next one. */
static struct presence_heard heard_by_poll(const struct streams *streams,
                                           const struct stream *stream)
{
    const struct presence_due *due = replay_presence(stream);
    uint32_t told = (uint32_t)streams->presence.past.told;

    if (due != NULL)
        told = (uint32_t)due->change;
    else if (stream_knows_change(stream, told))
        told = stream->presence_since;
    return (struct presence_heard){.is_poll = true,
                                   .before_is_known = stream->presence_before != UINT64_MAX,
                                   .before = (uint32_t)stream->presence_before,
                                   .through = told};
}

static void remember_client(struct streams *streams, struct stream *stream, enum leaving leaving,
                            uint64_t now)
{
    if (leaving == DROPPED) {
        stream_identity_free(stream->identity);
        streams_bar(streams, stream->connid, now);
    } else {
        departed_add(&streams->departed, stream->connid, stream->secret, stream->identity, now);
    }
    if (leaving != DROPPED && stream->transport->answers_once)
        departed_note_heard(&streams->departed, stream->connid, heard_by_poll(streams, stream));
    stream->identity = NULL;
}

/* Of one that polls: each answer ends a stream. */
static bool does_not_come_back(enum close_reason reason)
{
    return reason == CLOSE_DROPPED || reason == CLOSE_EXPIRED || reason == CLOSE_SLOW;
}

/* Takes the stream out of the index, of presence and of the table of streams, and tells who watches
 * its client id. */
static void leave_streams(struct stream *stream, enum leaving leaving, enum close_reason reason)
{
    struct service *service = service_of(&stream->connection);
    struct streams *streams = service->streams;
    struct presence_entry *presence = stream->presence;
    uint64_t connid = stream->connid;

    forget_transport_state(stream);
    if (!connid)
        return;
    bool goes_on = service->is_succeeded && stream->connection.handed_over;
    if (!goes_on && (!stream->transport->answers_once || does_not_come_back(reason))) {
        decisions_note_ended(&streams->decisions, stream, reason);
        access_log_ended(&streams->access, stream, reason);
    }
    topic_limits_release(stream);
    leaving_begin(stream);
    streams->of_encoding[stream->encoding]--;
    hash_table_remove(&streams->by_connid, &stream->by_connid);
    reports_leave(&streams->reports, stream, loop_now(&service->net->loop));
    remember_client(streams, stream, leaving, loop_now(&service->net->loop));
    replay_abandon(stream);
    stream->connid = 0;
    streams_forget_headers(streams, stream);
    stream->presence = NULL;
    if (leaving != ANSWERED || !stays_present(stream, connid, presence))
        streaming_leave_presence(service, presence);
}

static void stream_left(struct connection *connection)
{
    leave_streams(stream_of(connection), LEAVES, (enum close_reason)connection->close_reason);
}

enum { EXPIRE_MOST = 256 }; /* clients in one tick: the others in the next */

void streaming_expire_polls(struct service *service)
{
    uint64_t now = loop_now(&service->net->loop);
    uint64_t gap = service->net->stopping ? 0 : service->config->poll_gap;

    for (int i = 0; i < EXPIRE_MOST || gap == 0; i++) {
        struct presence_entry *presence =
            poll_gap_expired(&service->streams->polls, now > gap ? now - gap : 0);
        if (presence == NULL)
            return;
        streaming_leave_presence(service, presence);
    }
}

void streaming_end(struct connection *connection, enum close_reason reason)
{
    struct stream *stream = stream_of(connection);
    const struct transport *transport = stream->transport;

    connection->keep_alive = connection->keep_alive && transport->reusable &&
                             !connection->dirty_input && !connection->net->stopping;
    if (!transport->end(connection, reason)) {
        if (reason == CLOSE_DROPPED)
            leave_streams(stream, DROPPED, reason);
        connection_close(connection, CLOSE_MEMORY);
        return;
    }
    leave_streams(stream,
                  reason == CLOSE_DROPPED   ? DROPPED
                  : transport->answers_once ? ANSWERED
                                            : LEAVES,
                  reason);
    connection->user = &request_reader_user;
    connection_end_writing(connection, reason);
}

/* ---- time ---- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Of a client that says by requests of its own that it is there. */
static uint64_t absent_due(const struct stream *stream)
{
    const struct transport *transport = stream->transport;

    return transport->input == NULL && !transport->answers_once ? stream->absent_at : UINT64_MAX;
}

static uint64_t input_due(const struct stream *stream)
{
    return stream->transport->input_due != NULL ? stream->transport->input_due(&stream->connection)
                                                : UINT64_MAX;
}

/* Between two signs of life. A web server that writes finds out that its client has left. */
static uint64_t keep_alive_time(const struct connection *connection)
{
    const struct config *config = connection->net->config;

    return connection->leaves_unseen ? earlier(config->keep_alive, config->proxied_keep_alive)
                                     : config->keep_alive;
}

/* When nothing was written for a while. A client that answers is asked whatever was written: how
 * else should be seen that it is gone, behind a proxy that takes everything? */
static uint64_t keep_alive_due(const struct stream *stream)
{
    const struct connection *connection = &stream->connection;
    uint64_t now = loop_now(&connection->net->loop);
    uint64_t since = stream->transport->answers_pings
                         ? now - (uint32_t)((uint32_t)now - stream->pinged_at)
                         : connection->written_at;

    return since + keep_alive_time(connection);
}

static uint64_t stream_deadline(const struct connection *connection)
{
    const struct stream *stream = stream_of(connection);
    uint64_t due = keep_alive_due(stream);

    due = earlier(due, stream->ends_at);
    due = earlier(due, absent_due(stream));
    due = earlier(due, connection_slow_deadline(connection));
    if (stream->replay != NULL)
        due = earlier(due, connection_stall_deadline(connection));
    return earlier(due, input_due(stream));
}

/* Says that the stream still lives, and asks whoever answers whether it does. */
static void keep_alive(struct stream *stream)
{
    struct connection *connection = &stream->connection;
    bool asks = stream->transport->answers_pings;

    if (asks && stream->unanswered) {
        connection_close(connection, CLOSE_SILENT);
        return;
    }
    if (asks)
        stream->pinged_at = (uint32_t)loop_now(&connection->net->loop);
    stream->unanswered = asks;
    if (!stream->transport->keep_alive(connection))
        connection_close(connection, CLOSE_MEMORY);
}

/* A number from 0 to most that nobody can foresee, another one for each stream. */
static uint64_t share_of(uint64_t most, uint64_t seed, const struct stream *stream)
{
    /* One that has not begun has no number yet. */
    uint64_t key = stream->connid != 0 ? stream->connid : (uintptr_t)stream;

    return hash_bytes(seed, &key, sizeof key) % (most + 1);
}

uint64_t streaming_retry_ms(const struct connection *connection)
{
    uint64_t most = connection->net->config->retry_time, least = most / 4;

    return least +
           share_of(most - least, service_of(connection)->retry_seed, stream_of(connection));
}

/* Tells the client when to come back, since the daemon stops or lets it go, and ends its stream. */
static void end_for_stop(struct connection *connection)
{
    struct service *service = service_of(connection);
    struct stream *stream = stream_of(connection);
    const struct transport *transport = stream->transport;
    uint64_t retry = streaming_retry_ms(connection);

    char detail[40];
    (void)snprintf(detail, sizeof detail, "{\"retry\":%llu}", (unsigned long long)retry);
    /* Its id is where the client is, so that it resumes from there. */
    if ((transport->hint_retry == NULL || transport->hint_retry(connection, retry)) &&
        delivery_tell(service->delivery, stream, "stopping", detail,
                      replay_position(service->replays, stream)))
        streaming_end(connection, CLOSE_STOPPING);
    else
        connection_close(connection, CLOSE_MEMORY);
}

/* The user's proof has ended: whoever has a new one comes back with it and has lost nothing. */
static void end_for_identity(struct connection *connection)
{
    struct service *service = service_of(connection);
    struct stream *stream = stream_of(connection);

    if (delivery_tell(service->delivery, stream, "expired", "{}",
                      replay_position(service->replays, stream)))
        streaming_end(connection, CLOSE_EXPIRED);
    else
        connection_close(connection, CLOSE_MEMORY);
}

void streaming_drop(struct connection *connection)
{
    struct service *service = service_of(connection);
    struct stream *stream = stream_of(connection);

    if (delivery_tell(service->delivery, stream, "dropped", "{}",
                      replay_position(service->replays, stream))) {
        streaming_end(connection, CLOSE_DROPPED);
        return;
    }
    leave_streams(stream, DROPPED, CLOSE_DROPPED);
    connection_close(connection, CLOSE_MEMORY);
}

static bool is_expired(const struct stream *stream, uint64_t now)
{
    return stream->identity != NULL && now >= stream->identity->until;
}

/* When the stream is over: its own time, or that of its user's proof. */
static uint64_t end_of(const struct stream *stream, uint64_t ends_at)
{
    return stream->identity != NULL ? earlier(ends_at, stream->identity->until) : ends_at;
}

static uint64_t stop_spread(const struct connection *connection)
{
    const struct config *config = connection->net->config;

    return earlier(config->stop_spread, config->stop_time / 2);
}

/* Not all in one moment. */
void streaming_stop_later(struct connection *connection)
{
    struct stream *stream = stream_of(connection);

    stream->ends_at = loop_now(&connection->net->loop) +
                      share_of(stop_spread(connection), service_of(connection)->stop_seed, stream);
    connection_set_deadline(connection);
}

static void stream_stop(struct connection *connection)
{
    if (stop_spread(connection) == 0)
        end_for_stop(connection);
    else
        streaming_stop_later(connection);
}

/* One that catches up, or was left behind before, is elsewhere: its client knows where by what it had last. */
void streaming_leave_behind(struct connection *connection)
{
    struct stream *stream = stream_of(connection);

    if (stream->replay != NULL || stream->is_behind) {
        connection->doomed = true;
        connection_mark(connection);
    }
    stream->is_behind = true;
    streaming_stop_later(connection);
}

static void stream_due(struct connection *connection)
{
    struct stream *stream = stream_of(connection);
    uint64_t now = loop_now(&connection->net->loop);

    if (now >= stream->ends_at) {
        if (connection->net->stopping || stream->is_behind ||
            now < service_of(connection)->released_until)
            end_for_stop(connection);
        else if (is_expired(stream, now))
            end_for_identity(connection);
        else
            streaming_end(connection, CLOSE_STREAM_TIME);
        return;
    }
    /* Who asked for what it missed is to read it: it holds memory that others could have. */
    bool stalls = stream->replay != NULL && now >= connection_stall_deadline(connection) &&
                  !connection_has_moved(connection);
    if (stalls || now >= connection_slow_deadline(connection)) {
        connection_close(connection, CLOSE_SLOW);
        return;
    }
    if (now >= absent_due(stream)) {
        connection_close(connection, CLOSE_SILENT);
        return;
    }
    if (now >= input_due(stream)) {
        stream->transport->input_late(connection);
        return;
    }
    if (connection->output.length > 0) { /* what waits keeps it alive as well */
        connection->written_at = now;
        if (stream->transport->answers_pings)
            stream->pinged_at = (uint32_t)now;
    } else if (now >= keep_alive_due(stream)) {
        keep_alive(stream);
    }
    if (connection->state == CONNECTION_STREAMING)
        connection_set_deadline(connection);
}

/* When its time would be over if it began anew now. */
static uint64_t renewed_end(const struct connection *connection)
{
    return end_of(stream_of(connection),
                  loop_now(&connection->net->loop) + connection->net->config->stream_time);
}

bool streaming_is_half_over(const struct connection *connection)
{
    uint64_t end = renewed_end(connection), now = loop_now(&connection->net->loop);
    uint64_t ends_at = stream_of(connection)->ends_at;

    return end > ends_at && end - ends_at > ends_at - now;
}

void streaming_renew(struct connection *connection)
{
    struct stream *stream = stream_of(connection);

    if (stream->transport->answers_once || stream->is_behind)
        return;
    stream->ends_at = renewed_end(connection);
    connection_set_deadline(connection);
}

void streaming_shorten(struct connection *connection)
{
    struct stream *stream = stream_of(connection);

    stream->ends_at = end_of(stream, stream->ends_at);
    connection_set_deadline(connection);
}

void streaming_expect(struct connection *connection, uint64_t within_ms)
{
    struct stream *stream = stream_of(connection);

    if (stream->transport->input != NULL || stream->transport->answers_once)
        return;
    stream->absent_at = loop_now(&connection->net->loop) + within_ms;
    connection_set_deadline(connection);
}

/* ---- input and output ---- */

static void ignore_input(struct connection *connection, size_t length)
{
    struct stream *stream = stream_of(connection);

    connection->dirty_input = true;
    stream->ignored_input += (uint32_t)length;
    if (stream->ignored_input > connection->net->config->max_ignored_input)
        connection_close(connection, CLOSE_TALKATIVE);
}

static void stream_input(struct connection *connection, const char *bytes, size_t length)
{
    const struct transport *transport = stream_of(connection)->transport;

    stream_of(connection)->unanswered = false;
    if (transport->input != NULL)
        transport->input(connection, bytes, length);
    else
        ignore_input(connection, length);
}

static void stream_drained(struct connection *connection)
{
    struct stream *stream = stream_of(connection);

    if (stream->replay != NULL)
        replay_continue(stream);
}

/* The first thing that is queued ends the waiting. */
static bool poll_before_write(struct connection *connection)
{
    if (connection->state != CONNECTION_STREAMING)
        return true;
    if (connection->output.length == 0)
        return false;
    streaming_end(connection, CLOSE_DONE);
    return connection->state != CONNECTION_CLOSED;
}

static const struct connection_user streaming_user = {.input = stream_input,
                                                      .deadline = stream_deadline,
                                                      .due = stream_due,
                                                      .drained = stream_drained,
                                                      .stop = stream_stop,
                                                      .left = stream_left};

static const struct connection_user polling_user = {.input = stream_input,
                                                    .deadline = stream_deadline,
                                                    .due = stream_due,
                                                    .drained = stream_drained,
                                                    .before_write = poll_before_write,
                                                    .stop = stream_stop,
                                                    .left = stream_left};

/* ---- beginning ---- */

void streaming_take(struct connection *connection, const struct transport *transport)
{
    struct stream *stream = stream_of(connection);

    stream->transport = transport;
    stream->encoding = (uint8_t)transport->encoding;
    connection->user = transport->answers_once ? &polling_user : &streaming_user;
}

void streaming_begin(struct connection *connection, uint64_t hold_ms)
{
    struct stream *stream = stream_of(connection);
    uint64_t now = loop_now(&connection->net->loop);

    connection->state = CONNECTION_STREAMING;
    connection->written_at = now;
    stream->ends_at = end_of(stream, now + hold_ms);
    stream->alive_count = 0;
    stream->unanswered = stream->is_behind = false;
    if (stream->transport->answers_pings)
        stream->pinged_at = (uint32_t)now;
    else
        stream->ignored_input = 0;
    if (stream->transport->input == NULL && !stream->transport->answers_once)
        stream->absent_at = UINT64_MAX;
    connection_set_deadline(connection);
}

void streaming_go_on(struct connection *connection)
{
    connection->state = CONNECTION_STREAMING;
    connection_set_deadline(connection);
}

void streaming_stop_now(struct connection *connection)
{
    end_for_stop(connection);
}
