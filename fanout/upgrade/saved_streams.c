#include "upgrade/saved_streams.h"

#include "net/connection.h"
#include "requests/service.h"
#include "requests/streaming.h"
#include "streams/held_topics.h"
#include "streams/streams.h"
#include "streams/topic_limits.h"
#include "streams/transport.h"
#include "transports/transports.h"

#include <stdlib.h>
#include <string.h>

enum {
    ASKED_PAST = 1,
    RECOVERED = 2,
    COMES_BACK = 4,
    UNANSWERED = 8,
    SAYS_HAD = 16,
    STREAM_FLAGS = 31
};

/* ---- writing ---- */

static unsigned stream_flags_of(const struct stream *stream)
{
    return (stream->asked_past ? ASKED_PAST : 0) | (stream->recovered ? RECOVERED : 0) |
           (stream->comes_back ? COMES_BACK : 0) | (stream->unanswered ? UNANSWERED : 0) |
           (stream->says_had ? SAYS_HAD : 0);
}

void saved_stream_put(const struct stream *stream, struct saved_writer *writer)
{
    const struct kept_headers *headers = stream->headers;

    saved_put(writer, stream->encoding);
    saved_put(writer, stream->connid);
    saved_put_bytes(writer, stream->secret, sizeof stream->secret);
    saved_put(writer, stream_flags_of(stream));
    saved_put(writer, stream->alive_count);
    saved_put(writer, stream->last_event);
    saved_put(writer, stream->presence_since);
    saved_put(writer, stream->ignored_input); /* or pinged_at */
    saved_put(writer, stream->ends_at);
    saved_put(writer, stream->messages_due); /* or absent_at, presence_before */
    saved_put_bytes(writer, headers != NULL ? headers->bytes : "",
                    headers != NULL ? headers->length : 0);
    stream_identity_save(stream->identity, writer);
    saved_put_bytes(writer, stream->presence->clid, stream->presence->length);
    held_topics_save(&stream->subscriber, writer);
    if (stream->transport->save != NULL)
        stream->transport->save(&stream->connection, writer);
}

/* ---- reading ---- */

static bool load_headers(struct streams *streams, struct stream *stream,
                         struct saved_reader *reader)
{
    size_t length;
    const char *bytes = saved_take_bytes(reader, &length);

    if (length == 0)
        return !reader->failed;
    struct kept_headers *headers = malloc(sizeof *headers + length);
    if (headers == NULL)
        return false;
    headers->length = length;
    memcpy(headers->bytes, bytes, length);
    streams_keep_headers(streams, stream, headers);
    return true;
}

static bool enter_presence(struct streams *streams, struct stream *stream,
                           struct saved_reader *reader)
{
    size_t length;
    const char *clid = saved_take_bytes(reader, &length);

    if (!reader->failed)
        stream->presence = presence_enter(&streams->presence, clid, length);
    return stream->presence != NULL;
}

static void load_stream_figures(struct stream *stream, struct saved_reader *reader)
{
    unsigned flags = (unsigned)saved_take_within(reader, STREAM_FLAGS);

    stream->asked_past = (flags & ASKED_PAST) != 0;
    stream->recovered = (flags & RECOVERED) != 0;
    stream->comes_back = (flags & COMES_BACK) != 0;
    stream->unanswered = (flags & UNANSWERED) != 0;
    stream->says_had = (flags & SAYS_HAD) != 0;
    stream->alive_count = saved_take(reader) & ((1u << STREAM_ALIVE_BITS) - 1);
    stream->last_event = (uint32_t)saved_take(reader);
    stream->presence_since = (uint32_t)saved_take(reader);
    stream->ignored_input = (uint32_t)saved_take(reader);
    stream->ends_at = saved_take(reader);
    stream->messages_due = saved_take(reader);
}

bool saved_stream_take(struct service *service, struct connection *connection,
                       struct saved_reader *reader)
{
    struct streams *streams = service->streams;
    struct stream *stream = stream_of(connection);

    streaming_take(connection, transports[saved_take_within(reader, FRAME_ENCODINGS - 1)]);
    uint64_t connid = saved_take(reader);
    saved_take_exactly(reader, stream->secret, sizeof stream->secret);
    load_stream_figures(stream, reader);
    if (reader->failed || connid == 0 || streams_find(streams, connid) != NULL ||
        !hash_table_add(&streams->by_connid, &stream->by_connid, connid))
        return false;
    streams->of_encoding[stream->encoding]++;
    if (!load_headers(streams, stream, reader) ||
        !identities_load(&streams->identities, reader, &stream->identity) ||
        !enter_presence(streams, stream, reader) ||
        !held_topics_load(streams->topics, &stream->subscriber, reader))
        return false;
    if (stream->identity != NULL)
        stream->identity->stream = stream;
    topic_limits_charge(stream, 0);
    return stream->transport->load == NULL || stream->transport->load(connection, reader);
}
