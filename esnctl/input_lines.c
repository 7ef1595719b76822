#include "input_lines.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { PIECE = 64 * 1024 };

static bool is_blank(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (strchr(" \t\r", text[i]) == NULL || text[i] == '\0')
            return false;
    }
    return true;
}

/* What was given goes; more comes. False with errno. */
static bool read_more(struct input_lines *lines)
{
    struct bytes *bytes = &lines->bytes;
    if (lines->taken > 0) {
        memmove(bytes->data, bytes->data + lines->taken, bytes->length - lines->taken);
        bytes->length -= lines->taken;
        lines->taken = 0;
    }
    if (!bytes_reserve(bytes, PIECE)) {
        errno = ENOMEM;
        return false;
    }
    ssize_t got;
    do
        got = read(lines->descriptor, bytes->data + bytes->length, PIECE);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return false;
    bytes->length += (size_t)got;
    lines->ended = got == 0;
    return true;
}

/* False: what is here is no whole line. */
static bool take_line(struct input_lines *lines, struct input_line *line)
{
    size_t left = lines->bytes.length - lines->taken;
    if (left == 0)
        return false;
    const char *start = lines->bytes.data + lines->taken;
    const char *end = memchr(start, '\n', left);
    bool is_whole = end != NULL || lines->ended;
    bool too_long = !is_whole && left > lines->longest;
    if (!is_whole && !too_long)
        return false;
    line->text = start;
    line->length = end != NULL ? (size_t)(end - start) : left;
    line->too_long = too_long || line->length > lines->longest;
    line->number = lines->number + 1;
    lines->taken += line->length + (end != NULL ? 1 : 0);
    lines->number += is_whole ? 1 : 0;
    bool is_rest = lines->skips;
    lines->skips = too_long;
    if (is_rest || is_blank(line->text, line->length))
        line->length = 0;
    return true;
}

int input_lines_next(struct input_lines *lines)
{
    int count = 0;
    while (count == 0) {
        struct input_line *line = &lines->lines[0];
        while (count < INPUT_LINES_MOST && take_line(lines, line)) {
            if (line->length > 0)
                line = &lines->lines[++count];
        }
        if (count == 0 && lines->ended)
            return 0;
        if (count == 0 && !read_more(lines))
            return -1;
    }
    return count;
}
