#include "held_streams.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "streams/presence.h"
#include "streams/stream.h"
#include "streams/streams.h"
#include "transports/transports.h"

static struct stream *add(struct streams *streams, uint64_t connid, const char *clid)
{
    struct stream *stream = calloc(1, sizeof *stream);

    assert_non_null(stream);
    stream->transport = transports[FRAME_CHUNKED];
    stream->connid = connid;
    stream->presence = presence_enter(&streams->presence, clid, strlen(clid));
    assert_non_null(stream->presence);
    assert_true(hash_table_add(&streams->by_connid, &stream->by_connid, connid));
    streams->of_encoding[FRAME_CHUNKED]++;
    return stream;
}

void held_streams_add(struct held_streams *held, size_t count, const char *clid)
{
    if (held->count + count > held->room) {
        held->room = held->count + count;
        held->list = realloc((void *)held->list, held->room * sizeof *held->list);
        assert_non_null(held->list);
    }
    for (size_t i = 0; i < count; i++, held->count++)
        held->list[held->count] = add(held->streams, HELD_STREAMS_FIRST + held->count, clid);
}

void held_streams_note_ends(const struct held_streams *held)
{
    for (size_t i = 0; i < held->count; i++)
        decisions_note_ended(&held->streams->decisions, held->list[i], CLOSE_DONE);
}

void held_streams_free(struct held_streams *held)
{
    while (held->count > 0) {
        struct stream *stream = held->list[--held->count];
        held->streams->of_encoding[FRAME_CHUNKED]--;
        hash_table_remove(&held->streams->by_connid, &stream->by_connid);
        presence_leave(&held->streams->presence, stream->presence);
        free(stream);
    }
    free((void *)held->list);
    held->list = NULL;
}
