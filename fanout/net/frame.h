/* Formatted bytes that many connections share. They are appended to segments, which live as long as
 * anybody refers to them; frames that follow each other in one segment can be written as one range,
 * so a burst of events for the same receivers goes out as one contiguous piece of memory. */
#ifndef ESN_FRAME_H
#define ESN_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How the frames of a stream are encoded (streams/transport.h). Each has segments of its own, so
 * that what one connection gets stays contiguous. */
enum frame_encoding {
    FRAME_CHUNKED,     /* ''LENGTH''JSON in an HTTP/1.1 chunk */
    FRAME_PLAIN,       /* ''LENGTH''JSON, for HTTP/1.0 */
    FRAME_SSE_CHUNKED, /* an event of text/event-stream in an HTTP/1.1 chunk */
    FRAME_SSE_PLAIN,   /* the same for HTTP/1.0 */
    FRAME_POLL,        /* an element of a JSON array */
    FRAME_WEBSOCKET,   /* a text message of one frame (RFC 6455) */
    FRAME_LINES,       /* a line */
    FRAME_ENCODINGS
};

struct frame_segment {
    struct frame_pool *pool;
    uint32_t references, used, size;
    char bytes[];
};

/* A range of a segment. Whoever keeps one holds a reference. */
struct frame {
    struct frame_segment *segment;
    uint32_t offset, length;
};

struct frame_pool {
    struct frame_segment *open[FRAME_ENCODINGS + 1]; /* the last one is for private bytes */
    uint64_t bytes_held;                             /* of all segments that are alive */
    uint64_t segments_held;
};

enum { FRAME_PRIVATE = FRAME_ENCODINGS, FRAME_LARGEST = 0x7fffff00 };

/* Copies head, body and tail one after the other into a segment of the given kind (an encoding, or
 * FRAME_PRIVATE for bytes of one receiver). The frame comes without a reference: frame_hold() it
 * before the next call that stores. False without memory or when the whole is larger than
 * FRAME_LARGEST. */
bool frame_store(struct frame_pool *pool, int kind, const char *head, size_t head_length,
                 const char *body, size_t body_length, const char *tail, size_t tail_length,
                 struct frame *out);

void frame_hold(struct frame *frame);
/* Gives the reference back and clears the frame; harmless on a cleared one. */
void frame_release(struct frame *frame);
const char *frame_bytes(const struct frame *frame);
/* Gives back the pool's own segments; those still referred to go with their last reference. */
void frame_pool_close(struct frame_pool *pool);
/* Memory of all segments. */
uint64_t frame_pool_bytes(const struct frame_pool *pool);

#endif
