#include "transport.h"

#include <stdio.h>
#include <string.h>

static const struct transport *const transports[FRAME_ENCODINGS] = {
    [FRAME_CHUNKED] = &transport_frames_chunked,
    [FRAME_PLAIN] = &transport_frames_plain,
    [FRAME_SSE_CHUNKED] = &transport_sse_chunked,
    [FRAME_SSE_PLAIN] = &transport_sse_plain,
    [FRAME_POLL] = &transport_poll,
    [FRAME_WEBSOCKET] = &transport_websocket,
    [FRAME_LINES] = &transport_lines,
};

const struct transport *transport_of_encoding(enum frame_encoding encoding)
{
    return transports[encoding];
}

const struct transport *transport_of(const struct connection *connection)
{
    return transports[connection->encoding];
}

bool transport_store(struct frame_pool *pool, int kind, bool chunked, const char *head,
                     size_t head_length, const struct frame_text *text, const char *tail,
                     struct frame *out)
{
    char chunk_head[192], chunk_tail[16];
    size_t tail_length = strlen(tail);
    int chunk_head_length, chunk_tail_length;

    if (!chunked)
        return frame_store(pool, kind, head, head_length, text->json, text->length, tail,
                           tail_length, out);
    chunk_head_length = snprintf(chunk_head, sizeof chunk_head, "%zx\r\n%.*s",
                                 head_length + text->length + tail_length, (int)head_length, head);
    chunk_tail_length = snprintf(chunk_tail, sizeof chunk_tail, "%s\r\n", tail);
    return chunk_head_length < (int)sizeof chunk_head &&
           chunk_tail_length < (int)sizeof chunk_tail &&
           frame_store(pool, kind, chunk_head, (size_t)chunk_head_length, text->json, text->length,
                       chunk_tail, (size_t)chunk_tail_length, out);
}

bool transport_encode(struct frame_pool *pool, int kind, enum frame_encoding encoding,
                      const struct frame_text *text, struct frame *out)
{
    const struct transport *transport = transports[encoding];

    return transport->encode(pool, kind, transport->chunked, text, out);
}

bool transport_queue(struct connection *connection, const char *bytes, size_t length)
{
    char chunk[192];
    int chunk_length;

    if (!transport_of(connection)->chunked)
        return connection_queue_bytes(connection, bytes, length);
    chunk_length = snprintf(chunk, sizeof chunk, "%zx\r\n%.*s\r\n", length, (int)length, bytes);
    return chunk_length < (int)sizeof chunk &&
           connection_queue_bytes(connection, chunk, (size_t)chunk_length);
}

bool transport_end_body(struct connection *connection, enum connection_close_reason reason)
{
    (void)reason;
    return !transport_of(connection)->chunked || connection_queue_bytes(connection, "0\r\n\r\n", 5);
}
