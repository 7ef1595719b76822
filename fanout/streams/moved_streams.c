#include "streams/moved_streams.h"

#include "saved_state.h"

#include <stddef.h>
#include <stdlib.h>

static struct moved_stream *stream_of_node(struct hash_node *node)
{
    return (struct moved_stream *)(void *)((char *)node - offsetof(struct moved_stream, by_connid));
}

static struct moved_stream *find_stream(const struct moved_streams *streams, uint64_t connid)
{
    struct hash_node *node = hash_table_find(&streams->by_connid, connid);

    return node != NULL ? stream_of_node(node) : NULL;
}

static void forget_stream(struct moved_streams *streams, struct moved_stream *stream)
{
    TAILQ_REMOVE(&streams->by_age, stream, by_age);
    hash_table_remove(&streams->by_connid, &stream->by_connid);
    free(stream);
}

static void forget_some(struct moved_streams *streams, uint64_t now_ms)
{
    struct moved_stream *oldest;

    while ((oldest = TAILQ_FIRST(&streams->by_age)) != NULL &&
           (streams->by_connid.count > streams->max_count ||
            now_ms - oldest->noted_at_ms > streams->max_age_ms))
        forget_stream(streams, oldest);
}

void moved_streams_open(struct moved_streams *streams)
{
    TAILQ_INIT(&streams->by_age);
}

/* They wrap around: the later one of two is less than half of all ahead. */
static bool is_before(uint32_t generation, uint32_t other)
{
    return (int16_t)(uint16_t)(generation - other) < 0;
}

static struct moved_stream *add_stream(struct moved_streams *streams, uint64_t connid)
{
    struct moved_stream *stream = calloc(1, sizeof *stream);

    if (stream == NULL || !hash_table_add(&streams->by_connid, &stream->by_connid, connid)) {
        free(stream);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&streams->by_age, stream, by_age);
    return stream;
}

bool moved_streams_note(struct moved_streams *streams, uint64_t connid, uint32_t least,
                        uint16_t node, uint64_t now_ms)
{
    struct moved_stream *stream = find_stream(streams, connid);

    if (stream != NULL && (stream->least == MOVED_STREAM_NONE ||
                           (least != MOVED_STREAM_NONE && is_before(least, stream->least))))
        return false;
    if (stream == NULL) {
        stream = add_stream(streams, connid);
        if (stream == NULL)
            return false;
    } else {
        TAILQ_REMOVE(&streams->by_age, stream, by_age);
        TAILQ_INSERT_TAIL(&streams->by_age, stream, by_age);
    }
    stream->least = least;
    stream->node = node;
    stream->noted_at_ms = now_ms;
    forget_some(streams, now_ms);
    return true;
}

bool moved_streams_note_here(struct moved_streams *streams, uint64_t connid, uint32_t least,
                             uint64_t now_ms)
{
    if (!moved_streams_note(streams, connid, least, streams->node, now_ms))
        return false;
    if (streams->tell != NULL)
        streams->tell(streams->context, connid, least);
    return true;
}

bool moved_streams_count(const struct moved_streams *streams, uint64_t connid, uint16_t generation)
{
    const struct moved_stream *stream = find_stream(streams, connid);

    return stream == NULL ||
           (stream->least != MOVED_STREAM_NONE && !is_before(generation, stream->least));
}

bool moved_streams_holder(const struct moved_streams *streams, uint64_t connid, unsigned *node)
{
    const struct moved_stream *stream = find_stream(streams, connid);

    if (stream == NULL || stream->least == MOVED_STREAM_NONE)
        return false;
    *node = stream->node;
    return true;
}

void moved_streams_free(struct moved_streams *streams)
{
    while (streams->by_connid.count > 0)
        forget_stream(streams, TAILQ_FIRST(&streams->by_age));
    hash_table_free(&streams->by_connid);
}

uint64_t moved_streams_bytes(const struct moved_streams *streams)
{
    return hash_table_bytes_with(&streams->by_connid, sizeof(struct moved_stream));
}

void moved_streams_save(const struct moved_streams *streams, struct saved_writer *writer)
{
    const struct moved_stream *stream;

    saved_put(writer, streams->by_connid.count);
    if (streams->by_connid.count == 0)
        return;
    TAILQ_FOREACH(stream, &streams->by_age, by_age)
    {
        saved_put(writer, stream->by_connid.hash);
        saved_put(writer, stream->least);
        saved_put(writer, stream->node);
        saved_put(writer, stream->noted_at_ms);
    }
}

bool moved_streams_load(struct moved_streams *streams, struct saved_reader *reader)
{
    for (size_t left = saved_take_count(reader, 4 * sizeof(uint64_t)); left > 0; left--) {
        uint64_t connid = saved_take(reader);
        uint32_t least = (uint32_t)saved_take_within(reader, MOVED_STREAM_NONE);
        uint16_t node = (uint16_t)saved_take_within(reader, UINT16_MAX);
        uint64_t noted_at_ms = saved_take(reader);
        struct moved_stream *stream = reader->failed || find_stream(streams, connid) != NULL
                                          ? NULL
                                          : add_stream(streams, connid);
        if (stream == NULL)
            return false;
        stream->least = least;
        stream->node = node;
        stream->noted_at_ms = noted_at_ms;
    }
    return !reader->failed;
}
