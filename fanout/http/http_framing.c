#include "http/http_framing.h"

#include "blank.h"
#include "hex.h"
#include "utf8.h"

static bool take_line_byte(struct http_framing *framing, char byte)
{
    if (framing->after_cr) {
        framing->after_cr = false;
        if (byte != '\n')
            return false;
        /* An empty line ends head or trailers; before the request it is passed over. */
        if (!framing->in_line && framing->begun)
            framing->state = FRAMING_BODY;
        framing->in_line = false;
        return true;
    }
    if (byte == '\r') {
        framing->after_cr = true;
        return true;
    }
    /* A line that begins with a blank would go on with the one before it (section 5.2). */
    bool folds = !framing->in_line && is_blank(byte);
    framing->begun = framing->in_line = true;
    return !folds && (byte == '\t' || !utf8_is_control(byte));
}

static bool take_size_byte(struct http_framing *framing, char byte)
{
    enum { MAX_DIGITS = 16 };
    int digit = hex_value(byte);

    if (digit >= 0) {
        framing->size = framing->size << 4 | (unsigned)digit;
        return ++framing->digits <= MAX_DIGITS;
    }
    framing->state = byte == ';' ? FRAMING_EXTENSION : FRAMING_SIZE_LF;
    return framing->digits > 0 && (byte == ';' || byte == '\r');
}

static bool take_extension_byte(struct http_framing *framing, char byte)
{
    if (byte == '\r') {
        framing->state = FRAMING_SIZE_LF;
        return true;
    }
    return !utf8_is_control(byte);
}

static void begin_size(struct http_framing *framing)
{
    framing->state = FRAMING_SIZE;
    framing->size = 0;
    framing->digits = 0;
}

static bool take_byte(struct http_framing *framing, char byte)
{
    switch (framing->state) {
    case FRAMING_HEAD:
    case FRAMING_TRAILERS:
        return take_line_byte(framing, byte);
    case FRAMING_SIZE:
        return take_size_byte(framing, byte);
    case FRAMING_EXTENSION:
        return take_extension_byte(framing, byte);
    case FRAMING_SIZE_LF:
        framing->state = framing->size > 0 ? FRAMING_DATA : FRAMING_TRAILERS;
        return byte == '\n';
    case FRAMING_DATA_CR:
        framing->state = FRAMING_DATA_LF;
        return byte == '\r';
    case FRAMING_DATA_LF:
        begin_size(framing);
        return byte == '\n';
    case FRAMING_BODY:
    case FRAMING_DATA:
        return true;
    case FRAMING_BROKEN:
        break;
    }
    return false;
}

/* A chunk's data, as much as there is. */
static size_t take_data(struct http_framing *framing, size_t length)
{
    size_t taken = framing->size < length ? (size_t)framing->size : length;

    framing->size -= taken;
    if (framing->size == 0)
        framing->state = FRAMING_DATA_CR;
    return taken;
}

/* What a line is of, up to its end, without a look at each byte. */
static size_t skip_in_line(const struct http_framing *framing, const char *bytes, size_t length)
{
    bool is_line = framing->state == FRAMING_HEAD || framing->state == FRAMING_TRAILERS;

    return is_line && framing->in_line && !framing->after_cr ? utf8_control_free_run(bytes, length)
                                                             : 0;
}

size_t http_framing_take(struct http_framing *framing, const char *bytes, size_t length)
{
    size_t taken = 0;
    bool in_head = framing->state == FRAMING_HEAD;

    while (taken < length) {
        if (framing->state == FRAMING_BODY)
            return in_head ? taken : length;
        if (framing->state == FRAMING_DATA) {
            taken += take_data(framing, length - taken);
            continue;
        }
        taken += skip_in_line(framing, bytes + taken, length - taken);
        if (taken == length)
            return taken;
        if (take_byte(framing, bytes[taken])) {
            taken++;
        } else {
            framing->state = FRAMING_BROKEN;
            return taken;
        }
    }
    return taken;
}

bool http_framing_is_broken(const struct http_framing *framing)
{
    return framing->state == FRAMING_BROKEN;
}

bool http_framing_is_behind_head(const struct http_framing *framing)
{
    return framing->state == FRAMING_BODY;
}

void http_framing_expect_chunks(struct http_framing *framing)
{
    begin_size(framing);
}
