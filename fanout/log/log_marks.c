#include "log/log_marks.h"

#include <stdbool.h>
#include <stdlib.h>

enum { FIRST_MARKS = 16 };

struct log_mark {
    uint64_t sequence;
    const struct logged_event *event;
};

static struct log_mark *mark_at(const struct log_marks *marks, size_t position)
{
    return &marks->ring[(marks->start + position) & (marks->capacity - 1)];
}

static bool resize(struct log_marks *marks, size_t capacity)
{
    struct log_mark *ring = malloc(capacity * sizeof *ring);

    if (ring == NULL)
        return false;
    for (size_t i = 0; i < marks->count; i++)
        ring[i] = *mark_at(marks, i);
    free(marks->ring);
    marks->ring = ring;
    marks->start = 0;
    marks->capacity = capacity;
    return true;
}

static bool make_room(struct log_marks *marks)
{
    return marks->count < marks->capacity ||
           resize(marks, marks->capacity ? 2 * marks->capacity : FIRST_MARKS);
}

void log_marks_note(struct log_marks *marks, const struct logged_event *event, uint64_t sequence)
{
    if (++marks->unmarked < LOG_MARKS_EVERY || !make_room(marks))
        return;
    marks->unmarked = 0;
    marks->count++;
    *mark_at(marks, marks->count - 1) = (struct log_mark){sequence, event};
}

void log_marks_forget(struct log_marks *marks, const struct logged_event *event)
{
    if (marks->count == 0 || mark_at(marks, 0)->event != event)
        return;
    marks->start = (marks->start + 1) & (marks->capacity - 1);
    marks->count--;
    if (marks->count == 0)
        log_marks_free(marks);
    else if (marks->capacity > FIRST_MARKS && marks->count <= marks->capacity / 4)
        (void)resize(marks, marks->capacity / 2); /* else it stays as large as it is */
}

/* How many marks are up to this sequence. */
static size_t marks_through(const struct log_marks *marks, uint64_t sequence)
{
    size_t low = 0, high = marks->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (mark_at(marks, middle)->sequence > sequence)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

const struct logged_event *log_marks_find(const struct log_marks *marks, uint64_t sequence)
{
    size_t through = marks_through(marks, sequence);

    return through > 0 ? mark_at(marks, through - 1)->event : NULL;
}

uint64_t log_marks_count_after(const struct log_marks *marks, uint64_t sequence)
{
    return (uint64_t)(marks->count - marks_through(marks, sequence)) * LOG_MARKS_EVERY +
           marks->unmarked;
}

size_t log_marks_bytes(const struct log_marks *marks)
{
    return marks->capacity * sizeof *marks->ring;
}

void log_marks_free(struct log_marks *marks)
{
    free(marks->ring);
    *marks = (struct log_marks){0};
}
