#include "net/output.h"

#include "saved_state.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_REST = 4 };

static bool extend_range(struct frame *last, const struct frame *frame)
{
    if (last->segment != frame->segment || last->offset + last->length != frame->offset)
        return false;
    last->length += frame->length;
    return true;
}

static bool make_room_for_range(struct output *output)
{
    struct output_rest *rest = output->rest;
    uint32_t capacity = rest != NULL ? rest->capacity * 2 : FIRST_REST;

    if (rest != NULL && rest->start + rest->count < rest->capacity)
        return true;
    if (rest != NULL && rest->start > rest->capacity / 2) {
        memmove(rest->frames, rest->frames + rest->start, rest->count * sizeof *rest->frames);
        rest->start = 0;
        return true;
    }
    rest = realloc(rest, sizeof *rest + capacity * sizeof *rest->frames);
    if (rest == NULL)
        return false;
    if (output->rest == NULL)
        *rest = (struct output_rest){0};
    rest->capacity = capacity;
    output->rest = rest;
    return true;
}

bool output_append(struct output *output, const struct frame *frame)
{
    struct output_rest *rest = output->rest;
    struct frame *last = &output->first;
    struct frame *place = &output->first;

    if (rest != NULL && rest->count > 0)
        last = &rest->frames[rest->start + rest->count - 1];
    if (last->segment != NULL && extend_range(last, frame)) {
        output->length += frame->length;
        return true;
    }
    if (output->first.segment != NULL) {
        if (!make_room_for_range(output))
            return false;
        rest = output->rest;
        place = &rest->frames[rest->start + rest->count++];
    }
    *place = *frame;
    frame_hold(place);
    output->length += frame->length;
    return true;
}

static struct iovec vector_of(const struct frame *frame)
{
    return (struct iovec){frame->segment->bytes + frame->offset, frame->length};
}

int output_gather(const struct output *output, struct iovec *vectors, int max)
{
    const struct output_rest *rest = output->rest;
    int count = 0;

    if (output->first.segment == NULL || max < 1)
        return 0;
    vectors[count++] = vector_of(&output->first);
    for (uint32_t i = 0; rest != NULL && i < rest->count && count < max; i++)
        vectors[count++] = vector_of(&rest->frames[rest->start + i]);
    return count;
}

/* The first range is written: the next one takes its place. */
static void shift_output(struct output *output)
{
    struct output_rest *rest = output->rest;

    frame_release(&output->first);
    if (rest != NULL && rest->count > 0) {
        output->first = rest->frames[rest->start++];
        rest->count--;
    }
    if (rest != NULL && rest->count == 0) {
        free(rest);
        output->rest = NULL;
    }
}

void output_consume(struct output *output, size_t count)
{
    output->length -= count;
    while (count > 0 && count >= output->first.length) {
        count -= output->first.length;
        shift_output(output);
    }
    output->first.offset += (uint32_t)count;
    output->first.length -= (uint32_t)count;
}

bool output_append_all(struct output *output, const struct output *other)
{
    const struct output_rest *rest = other->rest;
    bool appended = other->first.segment == NULL || output_append(output, &other->first);

    for (uint32_t i = 0; appended && rest != NULL && i < rest->count; i++)
        appended = output_append(output, &rest->frames[rest->start + i]);
    return appended;
}

bool output_join(struct output *output, struct output *behind)
{
    bool joined = output_append_all(output, behind);

    if (joined)
        output_clear(behind);
    return joined;
}

void output_clear(struct output *output)
{
    while (output->first.segment != NULL)
        shift_output(output);
    output->length = 0;
}

/* Without its first `skip` bytes; returns how many are still to be left out behind it. */
static size_t save_range(const struct frame *frame, size_t skip, struct saved_writer *writer)
{
    size_t left_out = skip < frame->length ? skip : frame->length;

    bytes_append(&writer->out, frame_bytes(frame) + left_out, frame->length - left_out);
    return skip - left_out;
}

void output_save(const struct output *output, size_t skip, struct saved_writer *writer)
{
    const struct output_rest *rest = output->rest;

    saved_put(writer, output->length - skip);
    if (output->length == skip)
        return;
    skip = save_range(&output->first, skip, writer);
    for (uint32_t i = 0; rest != NULL && i < rest->count; i++)
        skip = save_range(&rest->frames[rest->start + i], skip, writer);
}
