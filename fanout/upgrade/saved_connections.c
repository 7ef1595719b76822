#include "upgrade/saved_connections.h"

#include "config/config.h"
#include "net/connection.h"
#include "requests/request_reader.h"
#include "requests/service.h"
#include "requests/streaming.h"
#include "streams/streams.h"
#include "streams/transport.h"
#include "transports/transports.h"
#include "upgrade/saved_streams.h"

#include <string.h>

enum {
    HAS_STREAM = 1,
    SPEAKS_LINES = 2,
    FOR_METRICS = 4,
    KEEP_ALIVE = 8,
    KEPT_PLACE = 16,
    DIRTY_INPUT = 32,
    LEAVES_UNSEEN = 64,
    FROM_PROXY = 128,
    ANNOUNCED = 256,
    CONNECTION_FLAGS = 511
};

struct saving {
    struct service *service;
    struct saved_writer *writer;
    struct bytes *descriptors;
    struct bytes input; /* scratch */
    uint64_t room;      /* for what is queued for clients, in bytes */
};

/* ---- which ---- */

/* Appends what of a request or message has come; false: that cannot be told. */
static bool begun_input(const struct connection *connection, struct bytes *out)
{
    const struct stream *stream = stream_of(connection);

    if (connection->state == CONNECTION_STREAMING)
        return stream->transport->begun_input == NULL ||
               stream->transport->begun_input(connection, out);
    if (connection->user == &transport_lines_user)
        return transport_lines.begun_input(connection, out);
    return connection->user == &request_reader_user && request_reader_begun(connection, out);
}

/* What clients share while it is queued is written once for each. */
static bool has_room(struct saving *saving, const struct connection *connection)
{
    uint64_t queued = connection->output.length - connection_taken_ahead(connection);

    if (queued > FRAME_LARGEST || queued > saving->room)
        return false;
    saving->room -= queued;
    return true;
}

static bool may_be_handed_over(struct saving *saving, const struct connection *connection)
{
    const struct stream *stream = stream_of(connection);

    if (connection->secured || connection->doomed || connection->outlived)
        return false;
    if (connection->state == CONNECTION_STREAMING) {
        if (stream->connid == 0 || stream->replay != NULL || stream->is_behind)
            return false;
    } else if (connection->state != CONNECTION_READING) {
        return false;
    }
    bytes_clear(&saving->input);
    return begun_input(connection, &saving->input) && !saving->input.failed &&
           has_room(saving, connection);
}

static void choose(uv_handle_t *handle, void *context)
{
    struct connection *connection = connection_of_handle(handle);

    if (connection != NULL && !uv_is_closing(handle))
        connection->handed_over = may_be_handed_over(context, connection);
}

void saved_connections_choose(struct service *service)
{
    struct saving saving = {.service = service, .room = service->config->max_pending_total};

    uv_walk(&service->net->loop.uv, choose, &saving);
    bytes_free(&saving.input);
}

static void keep(uv_handle_t *handle, void *context)
{
    struct connection *connection = connection_of_handle(handle);

    (void)context;
    if (connection != NULL)
        connection->handed_over = false;
}

void saved_connections_keep(struct service *service)
{
    uv_walk(&service->net->loop.uv, keep, NULL);
}

/* ---- writing ---- */

static unsigned flags_of(const struct connection *connection)
{
    return (connection->state == CONNECTION_STREAMING ? HAS_STREAM : 0) |
           (connection->user == &transport_lines_user ? SPEAKS_LINES : 0) |
           (connection->for_metrics ? FOR_METRICS : 0) | (connection->keep_alive ? KEEP_ALIVE : 0) |
           (connection->kept_place ? KEPT_PLACE : 0) | (connection->dirty_input ? DIRTY_INPUT : 0) |
           (connection->leaves_unseen ? LEAVES_UNSEEN : 0) |
           (connection->from_proxy ? FROM_PROXY : 0) | (connection->announced ? ANNOUNCED : 0);
}

static void save_connection(uv_handle_t *handle, void *context)
{
    const struct connection *connection = connection_of_handle(handle);
    struct saving *saving = context;

    if (connection == NULL || uv_is_closing(handle) || !connection->handed_over)
        return;
    const struct counted_address *address = connection_address(connection);
    bytes_clear(&saving->input);
    (void)begun_input(connection, &saving->input);
    saved_put(saving->writer, flags_of(connection));
    saved_put(saving->writer, connection->proxy);
    saved_put_bytes(saving->writer, address != NULL ? address->network.bytes : NULL,
                    address != NULL ? IP_ADDRESS_SIZE : 0);
    saved_put(saving->writer, connection->written_at);
    output_save(&connection->output, connection_taken_ahead(connection), saving->writer);
    saved_put_bytes(saving->writer, saving->input.data, saving->input.length);
    if (connection->state == CONNECTION_STREAMING)
        saved_stream_put(stream_of(connection), saving->writer);
    bytes_append(saving->descriptors, &connection->descriptor, sizeof connection->descriptor);
}

static const struct stream *staying_stream(uv_handle_t *handle)
{
    struct connection *connection = connection_of_handle(handle);

    if (connection == NULL || uv_is_closing(handle) || connection->handed_over ||
        connection->state != CONNECTION_STREAMING)
        return NULL;
    return stream_of(connection)->connid != 0 ? stream_of(connection) : NULL;
}

static void save_as_departed(uv_handle_t *handle, void *context)
{
    const struct stream *stream = staying_stream(handle);
    const struct saving *saving = context;

    if (stream != NULL)
        departed_save_one(saving->writer, stream->connid, stream->secret, stream->identity,
                          (struct presence_heard){0}, loop_now(&saving->service->net->loop));
}

static void save_as_gap(uv_handle_t *handle, void *context)
{
    const struct stream *stream = staying_stream(handle);
    const struct saving *saving = context;

    if (stream != NULL)
        poll_gap_save_one(saving->writer, stream->connid, stream->presence,
                          loop_now(&saving->service->net->loop));
}

static void save_known_proxies(const struct net *net, struct saved_writer *writer)
{
    saved_put(writer, net->known_proxies.count);
    for (uint8_t i = 0; i < net->known_proxies.count; i++)
        saved_put_bytes(writer, net->known_proxies.list[i].bytes, IP_ADDRESS_SIZE);
}

void saved_connections_save(struct service *service, struct saved_writer *writer,
                            struct bytes *descriptors)
{
    struct saving saving = {.service = service, .writer = writer, .descriptors = descriptors};
    uv_loop_t *loop = &service->net->loop.uv;

    saved_begin_section(writer, SAVED_DEPARTED);
    departed_save(&service->streams->departed, writer);
    uv_walk(loop, save_as_departed, &saving);
    saved_end_section(writer);

    saved_begin_section(writer, SAVED_CONNECTIONS);
    save_known_proxies(service->net, writer);
    uv_walk(loop, save_connection, &saving);
    saved_end_section(writer);

    saved_begin_section(writer, SAVED_GAPS);
    poll_gap_save(&service->streams->polls, writer);
    uv_walk(loop, save_as_gap, &saving);
    saved_end_section(writer);
    bytes_free(&saving.input);
}

/* ---- reading ---- */

/* Whom it is counted to; false without memory. */
static bool load_address(struct net *net, struct saved_reader *reader,
                         struct counted_address **counted)
{
    struct ip_address address;
    size_t length;
    const char *bytes = saved_take_bytes(reader, &length);

    *counted = NULL;
    if (length == 0)
        return !reader->failed;
    if (length != sizeof address.bytes)
        return false;
    memcpy(address.bytes, bytes, sizeof address.bytes);
    return address_limits_enter(&net->addresses, &address, 0, loop_now(&net->loop), counted) ==
           ADDRESS_ADMITTED;
}

/* Made by the acceptor's ways, so that all that a connection needs is there. */
static struct connection *make_connection(struct service *service, struct saved_reader *reader,
                                          int descriptor, unsigned *flags)
{
    struct net *net = service->net;
    struct counted_address *counted;

    *flags = (unsigned)saved_take_within(reader, CONNECTION_FLAGS);
    uint8_t proxy = (uint8_t)saved_take_within(reader, net->known_proxies.count);
    if (!load_address(net, reader, &counted))
        return NULL;
    const struct arrival arrival = {.speaks_lines = (*flags & SPEAKS_LINES) != 0,
                                    .is_for_metrics = (*flags & FOR_METRICS) != 0,
                                    .is_kept_place = (*flags & KEPT_PLACE) != 0,
                                    .is_proxy = (*flags & FROM_PROXY) != 0,
                                    .is_announced = (*flags & ANNOUNCED) != 0};
    struct connection *connection = connection_open(net, descriptor, arrival, counted);
    if (connection == NULL || connection->state == CONNECTION_CLOSED)
        return NULL;
    connection->proxy = proxy;
    connection->keep_alive = (*flags & KEEP_ALIVE) != 0;
    connection->dirty_input = (*flags & DIRTY_INPUT) != 0;
    connection->leaves_unseen = (*flags & LEAVES_UNSEEN) != 0;
    return connection;
}

static bool load_connection(struct service *service, struct saved_reader *reader, int descriptor)
{
    unsigned flags;
    size_t output_length, input_length;
    struct connection *connection = make_connection(service, reader, descriptor, &flags);

    if (connection == NULL)
        return false;
    uint64_t written_at = saved_take(reader);
    const char *output = saved_take_bytes(reader, &output_length);
    const char *input = saved_take_bytes(reader, &input_length);
    if (reader->failed || output_length > FRAME_LARGEST ||
        (output_length > 0 && !connection_queue_bytes(connection, output, output_length)))
        return false;
    connection->written_at = written_at;
    if ((flags & HAS_STREAM) != 0 && !saved_stream_take(service, connection, reader))
        return false;
    if ((flags & HAS_STREAM) != 0)
        streaming_go_on(connection);
    else
        connection_set_deadline(connection);
    if (input_length > 0)
        connection->user->input(connection, input, input_length);
    return !reader->failed;
}

static bool load_known_proxies(struct net *net, struct saved_reader *reader)
{
    net->known_proxies.count = (uint8_t)saved_take_within(reader, NET_PROXIES_KNOWN);
    for (uint8_t i = 0; i < net->known_proxies.count; i++)
        saved_take_exactly(reader, net->known_proxies.list[i].bytes, IP_ADDRESS_SIZE);
    return !reader->failed;
}

bool saved_connections_load(struct service *service, struct saved_state *state,
                            const int *descriptors, size_t count)
{
    struct streams *streams = service->streams;
    struct saved_reader *connections = &state->sections[SAVED_CONNECTIONS];

    if (!departed_load(&streams->departed, &streams->identities,
                       &state->sections[SAVED_DEPARTED]) ||
        !load_known_proxies(service->net, connections))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!load_connection(service, connections, descriptors[i]))
            return false;
    if (!saved_is_read(connections) ||
        !poll_gap_load(&streams->polls, &streams->presence, &state->sections[SAVED_GAPS]))
        return false;
    presence_end_loading(&streams->presence);
    return true;
}

/* ---- leaving ---- */

static void end_staying(uv_handle_t *handle, void *context)
{
    struct connection *connection = connection_of_handle(handle);

    (void)context;
    if (connection == NULL || uv_is_closing(handle) || connection->handed_over)
        return;
    if (connection->state == CONNECTION_STREAMING)
        streaming_stop_now(connection);
    else if (connection->state == CONNECTION_READING)
        connection->user->stop(connection);
}

static void let_go(uv_handle_t *handle, void *context)
{
    struct connection *connection = connection_of_handle(handle);

    (void)context;
    if (connection != NULL && !uv_is_closing(handle) && connection->handed_over)
        connection_close(connection, CLOSE_STOPPING);
}

void saved_connections_leave(struct service *service)
{
    uv_walk(&service->net->loop.uv, end_staying, NULL);
    uv_walk(&service->net->loop.uv, let_go, NULL);
}
