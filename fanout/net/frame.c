#include "net/frame.h"

#include "heap.h"

#include <stdlib.h>
#include <string.h>

enum { SEGMENT_SIZE = 64 * 1024 - 64 };

static void segment_drop(struct frame_segment *segment)
{
    if (--segment->references > 0)
        return;
    segment->pool->bytes_held -= sizeof *segment + segment->size;
    segment->pool->segments_held--;
    free(segment);
}

static struct frame_segment *segment_new(struct frame_pool *pool, size_t size)
{
    struct frame_segment *segment = malloc(sizeof *segment + size);

    if (segment == NULL)
        return NULL;
    *segment = (struct frame_segment){.pool = pool, .references = 1, .size = (uint32_t)size};
    pool->bytes_held += sizeof *segment + size;
    pool->segments_held++;
    return segment;
}

/* The open segment of a kind with room for length bytes. One that nobody else refers to any more is
 * begun anew: in quiet times the same few cache lines are used for every event. */
static struct frame_segment *segment_with_room(struct frame_pool *pool, int kind, size_t length)
{
    struct frame_segment *segment = pool->open[kind];

    if (segment != NULL && segment->references == 1) {
        segment->used = 0;
        if (segment->size > SEGMENT_SIZE && length <= SEGMENT_SIZE) {
            segment_drop(segment);
            segment = pool->open[kind] = NULL;
        }
    }
    if (segment != NULL && segment->size - segment->used >= length)
        return segment;
    segment = segment_new(pool, length > SEGMENT_SIZE ? length : SEGMENT_SIZE);
    if (segment == NULL)
        return NULL;
    if (pool->open[kind] != NULL)
        segment_drop(pool->open[kind]);
    pool->open[kind] = segment;
    return segment;
}

bool frame_store(struct frame_pool *pool, int kind, const char *head, size_t head_length,
                 const char *body, size_t body_length, const char *tail, size_t tail_length,
                 struct frame *out)
{
    size_t length = head_length + body_length + tail_length;

    if (body_length > FRAME_LARGEST || length > FRAME_LARGEST)
        return false;
    struct frame_segment *segment = segment_with_room(pool, kind, length);
    if (segment == NULL)
        return false;
    *out = (struct frame){segment, segment->used, (uint32_t)length};
    char *at = segment->bytes + segment->used;
    memcpy(at, head, head_length);
    memcpy(at + head_length, body, body_length);
    memcpy(at + head_length + body_length, tail, tail_length);
    segment->used += (uint32_t)length;
    return true;
}

void frame_hold(struct frame *frame)
{
    frame->segment->references++;
}

void frame_release(struct frame *frame)
{
    if (frame->segment != NULL)
        segment_drop(frame->segment);
    *frame = (struct frame){0};
}

const char *frame_bytes(const struct frame *frame)
{
    return frame->segment->bytes + frame->offset;
}

void frame_pool_close(struct frame_pool *pool)
{
    for (int kind = 0; kind <= FRAME_PRIVATE; kind++) {
        if (pool->open[kind] != NULL)
            segment_drop(pool->open[kind]);
        pool->open[kind] = NULL;
    }
}

uint64_t frame_pool_bytes(const struct frame_pool *pool)
{
    return heap_taken_by_many(pool->segments_held, pool->bytes_held);
}
