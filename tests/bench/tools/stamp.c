#include "stamp.h"

#include <string.h>
#include <time.h>

static const char hex_digits[] = "0123456789abcdef";

static void write_hex(char *out, uint64_t value, int digits)
{
    for (int i = digits - 1; i >= 0; i--) {
        out[i] = hex_digits[value & 15];
        value >>= 4;
    }
}

static bool read_hex(uint64_t *out, const char *text, int digits)
{
    uint64_t value = 0;
    for (int i = 0; i < digits; i++) {
        unsigned digit;
        if (text[i] >= '0' && text[i] <= '9')
            digit = (unsigned)(text[i] - '0');
        else if (text[i] >= 'a' && text[i] <= 'f')
            digit = (unsigned)(text[i] - 'a') + 10;
        else
            return false;
        value = value << 4 | digit;
    }
    *out = value;
    return true;
}

void stamp_write(char out[STAMP_SIZE], const struct stamp *stamp)
{
    out[0] = '~';
    write_hex(out + 1, stamp->sequence, 8);
    write_hex(out + 9, stamp->sent_ns, 16);
    out[25] = '~';
}

bool stamp_read(struct stamp *out, const char text[STAMP_SIZE])
{
    uint64_t sequence;
    if (text[0] != '~' || text[25] != '~' || !read_hex(&sequence, text + 1, 8) ||
        !read_hex(&out->sent_ns, text + 9, 16))
        return false;
    out->sequence = (uint32_t)sequence;
    return true;
}

/* Puts the tail in front of the chunk; returns where the joined bytes start. */
static char *join_tail(const struct stream_tail *tail, char *chunk)
{
    char *start = chunk - tail->length;
    memcpy(start, tail->bytes, tail->length);
    return start;
}

static void keep_tail(struct stream_tail *tail, const char *from, const char *end)
{
    size_t length = (size_t)(end - from);
    if (length > STREAM_TAIL_SIZE)
        length = STREAM_TAIL_SIZE;
    memcpy(tail->bytes, end - length, length);
    tail->length = (unsigned char)length;
}

void stamp_scan(struct stream_tail *tail, char *chunk, size_t length,
                void (*found)(const struct stamp *stamp, void *context), void *context)
{
    const char *at = join_tail(tail, chunk);
    const char *end = chunk + length;
    const char *unread = at; /* bytes of a stamp that was seen are not kept for the next chunk */

    while (end - at >= STAMP_SIZE) {
        at = memchr(at, '~', (size_t)(end - at) - STAMP_SIZE + 1);
        if (at == NULL)
            break;
        struct stamp stamp;
        if (!stamp_read(&stamp, at)) {
            at++;
            continue;
        }
        at += STAMP_SIZE;
        unread = at;
        found(&stamp, context);
    }
    keep_tail(tail, unread, end);
}

bool stream_has(struct stream_tail *tail, char *chunk, size_t length, const char *marker,
                size_t marker_length)
{
    const char *start = join_tail(tail, chunk);
    const char *end = chunk + length;
    bool has = memmem(start, (size_t)(end - start), marker, marker_length) != NULL;
    keep_tail(tail, start, end);
    return has;
}

uint64_t monotonic_ns(void)
{
    struct timespec now;
    /* CLOCK_MONOTONIC always exists on Linux. */
    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
        return 0;
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}
