#include "streams/transport.h"

#include "digits.h"
#include "streams/stream.h"

#include <string.h>

enum { CHUNK_LINE_MOST = DIGITS_HEX_MOST + 2, CHUNK_HEAD_MOST = 192, CHUNK_TAIL_MOST = 16 };

/* "LENGTH\r\n" (RFC 9112, section 7.1), and behind it what the chunk begins with. */
static size_t begin_chunk(char out[CHUNK_HEAD_MOST], size_t length, const char *head,
                          size_t head_length)
{
    size_t at = digits_write_hex(out, length);

    memcpy(out + at, "\r\n", 2);
    memcpy(out + at + 2, head, head_length);
    return at + 2 + head_length;
}

bool transport_store(struct frame_pool *pool, int kind, bool chunked, const char *head,
                     size_t head_length, const struct frame_text *text, const char *tail,
                     struct frame *out)
{
    char chunk_head[CHUNK_HEAD_MOST], chunk_tail[CHUNK_TAIL_MOST];
    size_t tail_length = strlen(tail), length;

    if (!chunked)
        return frame_store(pool, kind, head, head_length, text->json, text->length, tail,
                           tail_length, out);
    if (head_length > CHUNK_HEAD_MOST - CHUNK_LINE_MOST || tail_length > CHUNK_TAIL_MOST - 2)
        return false;
    length = begin_chunk(chunk_head, head_length + text->length + tail_length, head, head_length);
    memcpy(chunk_tail, tail, tail_length);
    memcpy(chunk_tail + tail_length, "\r\n", 2);
    return frame_store(pool, kind, chunk_head, length, text->json, text->length, chunk_tail,
                       tail_length + 2, out);
}

bool transport_encode(struct frame_pool *pool, int kind, const struct transport *transport,
                      const struct frame_text *text, struct frame *out)
{
    return transport->encode(pool, kind, transport->chunked, text, out);
}

bool transport_queue(struct connection *connection, const char *bytes, size_t length)
{
    if (!stream_of(connection)->transport->chunked)
        return connection_queue_bytes(connection, bytes, length);
    if (length > CHUNK_HEAD_MOST - CHUNK_LINE_MOST - 2)
        return false;
    char chunk[CHUNK_HEAD_MOST];
    size_t chunk_length = begin_chunk(chunk, length, bytes, length);
    memcpy(chunk + chunk_length, "\r\n", 2);
    return connection_queue_bytes(connection, chunk, chunk_length + 2);
}

bool transport_end_body(struct connection *connection, enum close_reason reason)
{
    (void)reason;
    return !stream_of(connection)->transport->chunked ||
           connection_queue_bytes(connection, "0\r\n\r\n", 5);
}
