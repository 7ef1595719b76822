#include "streams/presence_past.h"

#include "heap.h"
#include "saved_state.h"

#include <stdlib.h>
#include <string.h>

enum { BYTES_OF_ONE = 128 /* at most, on average: client ids may be long */ };

void presence_past_begin(struct presence_past *past, uint64_t sequence)
{
    past->known_from = sequence;
}

static struct presence_mark *mark_at(const struct presence_past *past, uint32_t position)
{
    const struct presence_mark *mark = &past->marks[(past->first_mark + position) % PRESENCE_MARKS];

    return (struct presence_mark *)(uintptr_t)mark;
}

void presence_past_note_told(struct presence_past *past, uint64_t sequence, uint64_t change)
{
    uint64_t before = past->told;

    past->told = change;
    if (past->mark_count > 0 && mark_at(past, past->mark_count - 1)->sequence >= sequence)
        return;
    if (past->mark_count == PRESENCE_MARKS) {
        past->known_from = mark_at(past, 0)->sequence + 1;
        past->first_mark = (past->first_mark + 1) % PRESENCE_MARKS;
        past->mark_count--;
    }
    *mark_at(past, past->mark_count++) = (struct presence_mark){sequence, before};
}

bool presence_past_find(const struct presence_past *past, uint64_t sequence, uint64_t *change)
{
    uint32_t low = 0, high = past->mark_count;

    if (sequence < past->known_from)
        return false;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (mark_at(past, middle)->sequence < sequence)
            low = middle + 1;
        else
            high = middle;
    }
    *change = low < past->mark_count ? mark_at(past, low)->change : past->told;
    return true;
}

static void forget_oldest(struct presence_past *past)
{
    struct presence_gone *oldest = STAILQ_FIRST(&past->gone);

    past->forgotten = oldest->change;
    past->gone_count--;
    past->gone_bytes -= sizeof *oldest + oldest->length;
    STAILQ_REMOVE_HEAD(&past->gone, next);
    free(oldest);
}

void presence_past_note_gone(struct presence_past *past, uint64_t change, const char *clid,
                             size_t length)
{
    struct presence_gone *gone = past->most > 0 ? malloc(sizeof *gone + length) : NULL;

    if (gone == NULL) {
        past->forgotten = change;
        return;
    }
    gone->change = change;
    gone->length = (uint32_t)length;
    memcpy(gone->clid, clid, length);
    if (past->gone_count == 0)
        STAILQ_INIT(&past->gone);
    STAILQ_INSERT_TAIL(&past->gone, gone, next);
    past->gone_count++;
    past->gone_bytes += sizeof *gone + length;
    while (past->gone_count > past->most || past->gone_bytes > past->most * BYTES_OF_ONE)
        forget_oldest(past);
}

const struct presence_gone *presence_past_first_gone(const struct presence_past *past,
                                                     uint64_t change)
{
    const struct presence_gone *gone = STAILQ_FIRST(&past->gone);

    while (gone != NULL && gone->change <= change)
        gone = STAILQ_NEXT(gone, next);
    return gone;
}

void presence_past_free(struct presence_past *past)
{
    while (past->gone_count > 0)
        forget_oldest(past);
}

uint64_t presence_past_bytes(const struct presence_past *past)
{
    return heap_taken_by_many(past->gone_count, past->gone_bytes);
}

void presence_past_save(const struct presence_past *past, struct saved_writer *writer)
{
    saved_put(writer, past->known_from);
    saved_put(writer, past->told);
    saved_put(writer, past->mark_count);
    for (uint32_t i = 0; i < past->mark_count; i++) {
        saved_put(writer, mark_at(past, i)->sequence);
        saved_put(writer, mark_at(past, i)->change);
    }
    saved_put(writer, past->forgotten);
    saved_put(writer, past->gone_count);
    for (const struct presence_gone *gone = past->gone_count > 0 ? STAILQ_FIRST(&past->gone) : NULL;
         gone != NULL; gone = STAILQ_NEXT(gone, next)) {
        saved_put(writer, gone->change);
        saved_put_bytes(writer, gone->clid, gone->length);
    }
}

bool presence_past_load(struct presence_past *past, struct saved_reader *reader)
{
    past->known_from = saved_take(reader);
    past->told = saved_take(reader);
    past->mark_count = (uint32_t)saved_take_within(reader, PRESENCE_MARKS);
    for (uint32_t i = 0; i < past->mark_count; i++) {
        past->marks[i].sequence = saved_take(reader);
        past->marks[i].change = saved_take(reader);
    }
    past->forgotten = saved_take(reader);
    for (size_t left = saved_take_count(reader, 2 * sizeof(uint64_t)); left > 0; left--) {
        size_t length;
        uint64_t change = saved_take(reader);
        const char *clid = saved_take_bytes(reader, &length);
        if (reader->failed || length > UINT32_MAX)
            return false;
        presence_past_note_gone(past, change, clid, length);
    }
    return !reader->failed;
}
