#include "frame_reader.h"

#include "blank.h"

enum { FRAME_LIMIT = 256 * 1024 * 1024 };

enum frame_state {
    STATE_BETWEEN, /* white space or the first quote */
    STATE_OPENING, /* second quote */
    STATE_LENGTH,  /* digits, then a quote */
    STATE_CLOSING, /* second quote behind the digits */
    STATE_TEXT,
    STATE_BROKEN
};

static enum frame_reader_result break_off(struct frame_reader *reader, const char *fault)
{
    reader->state = STATE_BROKEN;
    reader->fault = fault;
    return FRAME_READER_FAULT;
}

static enum frame_reader_result take_digit(struct frame_reader *reader, char byte)
{
    if (byte < '0' || byte > '9')
        return break_off(reader, "a frame's length is not a number");
    reader->length = reader->length * 10 + (uint32_t)(byte - '0');
    reader->units++;
    if (reader->length > FRAME_LIMIT || reader->units > 9)
        return break_off(reader, "a frame is longer than 256 MiB");
    return FRAME_READER_MORE;
}

/* One byte of what stands before the text. */
static enum frame_reader_result take_head(struct frame_reader *reader, char byte)
{
    switch (reader->state) {
    case STATE_BETWEEN:
        if (is_blank(byte))
            return FRAME_READER_MORE;
        if (byte != '\'')
            return break_off(reader, "a frame does not begin with two apostrophes");
        bytes_clear(&reader->frame);
        reader->state = STATE_OPENING;
        return FRAME_READER_MORE;
    case STATE_OPENING:
        if (byte != '\'')
            return break_off(reader, "a frame does not begin with two apostrophes");
        reader->length = reader->units = 0;
        reader->state = STATE_LENGTH;
        return FRAME_READER_MORE;
    case STATE_LENGTH:
        if (byte != '\'')
            return take_digit(reader, byte);
        if (reader->units == 0)
            return break_off(reader, "a frame has no length");
        reader->state = STATE_CLOSING;
        return FRAME_READER_MORE;
    default:
        if (byte != '\'')
            return break_off(reader, "a frame's length does not end with two apostrophes");
        reader->units = reader->trail = 0;
        reader->state = reader->length > 0 ? STATE_TEXT : STATE_BETWEEN;
        return reader->length > 0 ? FRAME_READER_MORE : FRAME_READER_KEEP_ALIVE;
    }
}

/* Counts a byte of the text; false when it cannot stand there in UTF-8. */
static bool count_byte(struct frame_reader *reader, unsigned char byte)
{
    if (reader->trail > 0) {
        reader->trail--;
        return (byte & 0xc0) == 0x80;
    }
    reader->units += byte >= 0xf0 ? 2 : 1;
    if (byte < 0x80)
        return true;
    reader->trail = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : 1;
    return byte >= 0xc2 && byte <= 0xf4;
}

/* Takes as much of the text as there is. */
static enum frame_reader_result take_text(struct frame_reader *reader, const char **data,
                                          size_t *length)
{
    size_t used = 0;
    while (used < *length && (reader->units < reader->length || reader->trail > 0)) {
        if (!count_byte(reader, (unsigned char)(*data)[used++]))
            return break_off(reader, "a frame is not UTF-8");
    }
    bytes_append(&reader->frame, *data, used);
    *data += used;
    *length -= used;
    if (reader->frame.failed)
        return break_off(reader, "out of memory");
    if (reader->units > reader->length)
        return break_off(reader, "a frame's length ends inside a character");
    if (reader->units < reader->length || reader->trail > 0)
        return FRAME_READER_MORE;
    reader->state = STATE_BETWEEN;
    return FRAME_READER_FRAME;
}

enum frame_reader_result frame_reader_feed(struct frame_reader *reader, const char **data,
                                           size_t *length)
{
    enum frame_reader_result result = FRAME_READER_MORE;
    if (reader->state == STATE_BROKEN)
        return FRAME_READER_FAULT;
    while (*length > 0 && result == FRAME_READER_MORE) {
        if (reader->state == STATE_TEXT) {
            result = take_text(reader, data, length);
        } else {
            result = take_head(reader, **data);
            (*data)++;
            (*length)--;
        }
    }
    return result;
}

bool frame_reader_is_between(const struct frame_reader *reader)
{
    return reader->state == STATE_BETWEEN;
}

void frame_reader_free(struct frame_reader *reader)
{
    bytes_free(&reader->frame);
    *reader = (struct frame_reader){0};
}
