#include "batch_reader.h"

#include "utf8.h"

#include <string.h>

/* What comes next in an object. */
enum place { PLACE_HEAD, PLACE_FIRST, PLACE_POST, PLACE_BEHIND, PLACE_TAIL, PLACE_OVER };

static const char *const head[] = {"{", "\"events\"", ":", "["};
static const char no_batch[] = "it should be {\"events\": [...]}";
static const char too_long[] = "a post of it is over [publish] max_body";
static const char broken_off[] = "it ends in the middle";

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

static size_t skip_blanks(const char *bytes, size_t length, size_t at)
{
    while (at < length && is_blank(bytes[at]))
        at++;
    return at;
}

/* Bytes up to the first post, 0: more are needed; SIZE_MAX: it is another thing. */
static size_t read_head(const char *bytes, size_t length)
{
    static const char mark[] = "\xef\xbb\xbf";
    size_t at = 0;
    while (at < length && at < 3 && bytes[at] == mark[at])
        at++;
    if (at > 0 && at < 3)
        return at == length ? 0 : SIZE_MAX;
    for (size_t i = 0; i < sizeof head / sizeof *head; i++) {
        size_t wanted = strlen(head[i]);
        at = skip_blanks(bytes, length, at);
        size_t here = length - at < wanted ? length - at : wanted;
        if (memcmp(bytes + at, head[i], here) != 0)
            return SIZE_MAX;
        if (here < wanted)
            return 0;
        at += wanted;
    }
    return at;
}

enum batch_step batch_reader_look(const char *bytes, size_t length)
{
    size_t read = read_head(bytes, length);
    if (read == SIZE_MAX)
        return BATCH_FAULT;
    return read > 0 ? BATCH_POST : BATCH_MORE;
}

void batch_reader_begin(struct batch_reader *reader, enum batch_form form, size_t longest)
{
    *reader = (struct batch_reader){.form = form, .longest = longest};
}

bool batch_reader_add(struct batch_reader *reader, const char *bytes, size_t length)
{
    if (reader->taken > 0) {
        reader->bytes.length -= reader->taken;
        memmove(reader->bytes.data, reader->bytes.data + reader->taken, reader->bytes.length);
        reader->taken = 0;
    }
    bytes_append(&reader->bytes, bytes, length);
    return !reader->bytes.failed;
}

void batch_reader_finish(struct batch_reader *reader)
{
    reader->ended = true;
}

static enum batch_step fail(const char **fault, const char *reason)
{
    *fault = reason;
    return BATCH_FAULT;
}

static enum batch_step wait_or(const struct batch_reader *reader, const char **fault,
                               const char *reason)
{
    return reader->ended ? fail(fault, reason) : BATCH_MORE;
}

static enum batch_step give(struct batch_reader *reader, const char **post, size_t *length,
                            size_t behind)
{
    *post = reader->bytes.data + reader->taken;
    *length = reader->looked;
    reader->taken += reader->looked + behind;
    reader->looked = 0;
    reader->posts++;
    return BATCH_POST;
}

/* One value of the array: up to the comma or bracket that ends it. True when it has ended. */
static bool pass_value(struct batch_reader *reader, const char *bytes, size_t length)
{
    for (; reader->looked < length; reader->looked++) {
        if (reader->quoted && !reader->escaped) {
            reader->looked += utf8_plain_run(bytes + reader->looked, length - reader->looked);
            if (reader->looked == length)
                return false;
        }
        char byte = bytes[reader->looked];
        if (reader->quoted) {
            reader->quoted = reader->escaped || byte != '"';
            reader->escaped = !reader->escaped && byte == '\\';
        } else if (byte == '"') {
            reader->quoted = true;
        } else if (byte == '{' || byte == '[') {
            reader->depth++;
        } else if (reader->depth == 0 && (byte == ',' || byte == ']' || byte == '}')) {
            return true;
        } else if (byte == '}' || byte == ']') {
            reader->depth--;
        }
    }
    return false;
}

static enum batch_step next_value(struct batch_reader *reader, const char **post, size_t *length,
                                  const char **fault)
{
    if (reader->looked == 0)
        reader->taken = skip_blanks(reader->bytes.data, reader->bytes.length, reader->taken);
    const char *rest = reader->bytes.data + reader->taken;
    bool whole = pass_value(reader, rest, reader->bytes.length - reader->taken);
    if (reader->looked > reader->longest)
        return fail(fault, too_long);
    if (!whole)
        return wait_or(reader, fault, broken_off);
    if (reader->looked == 0)
        return fail(fault, "a post of it is missing");
    reader->place = PLACE_BEHIND;
    return give(reader, post, length, 0);
}

/* What is no post, byte by byte. False: look at `step`. */
static bool pass_byte(struct batch_reader *reader, char byte, enum batch_step *step,
                      const char **fault)
{
    switch ((enum place)reader->place) {
    case PLACE_FIRST:
        reader->place = byte == ']' ? PLACE_TAIL : PLACE_POST;
        reader->taken += byte == ']';
        return true;
    case PLACE_BEHIND:
        reader->place = byte == ',' ? PLACE_POST : PLACE_TAIL;
        reader->taken++;
        *step = byte != ',' && byte != ']' ? fail(fault, no_batch) : BATCH_POST;
        return *step == BATCH_POST;
    case PLACE_TAIL:
        reader->place = PLACE_OVER;
        reader->taken++;
        *step = byte != '}' ? fail(fault, no_batch) : BATCH_POST;
        return *step == BATCH_POST;
    case PLACE_OVER:
        *step = fail(fault, "bytes stand behind it");
        return false;
    case PLACE_HEAD:
    case PLACE_POST:
        break;
    }
    return true;
}

static enum batch_step next_of_object(struct batch_reader *reader, const char **post,
                                      size_t *length, const char **fault)
{
    enum batch_step step = BATCH_POST;
    if (reader->place == PLACE_HEAD) {
        size_t read = read_head(reader->bytes.data, reader->bytes.length);
        if (read == SIZE_MAX)
            return fail(fault, no_batch);
        if (read == 0)
            return wait_or(reader, fault, no_batch);
        reader->taken = read;
        reader->place = PLACE_FIRST;
    }
    while (reader->place != PLACE_POST) {
        reader->taken = skip_blanks(reader->bytes.data, reader->bytes.length, reader->taken);
        if (reader->taken == reader->bytes.length && reader->place == PLACE_OVER && reader->ended)
            return BATCH_END;
        if (reader->taken == reader->bytes.length)
            return reader->place == PLACE_OVER ? BATCH_MORE : wait_or(reader, fault, broken_off);
        if (!pass_byte(reader, reader->bytes.data[reader->taken], &step, fault))
            return step;
    }
    return next_value(reader, post, length, fault);
}

static enum batch_step next_line(struct batch_reader *reader, const char **post, size_t *length,
                                 const char **fault)
{
    for (;;) {
        const char *rest = reader->bytes.data + reader->taken;
        size_t left = reader->bytes.length - reader->taken;
        const char *end = left > reader->looked
                              ? memchr(rest + reader->looked, '\n', left - reader->looked)
                              : NULL;
        reader->looked = end != NULL ? (size_t)(end - rest) : left;
        if (reader->looked > reader->longest)
            return fail(fault, too_long);
        if (end == NULL && !reader->ended)
            return BATCH_MORE;
        if (skip_blanks(rest, reader->looked, 0) < reader->looked)
            return give(reader, post, length, end != NULL ? 1 : 0);
        if (end == NULL)
            return BATCH_END;
        reader->taken += reader->looked + 1; /* an empty line */
        reader->looked = 0;
    }
}

enum batch_step batch_reader_next(struct batch_reader *reader, const char **post, size_t *length,
                                  const char **fault)
{
    if (reader->bytes.data == NULL) /* nothing has come */
        return reader->form == BATCH_LINES && reader->ended ? BATCH_END
                                                            : wait_or(reader, fault, no_batch);
    return reader->form == BATCH_LINES ? next_line(reader, post, length, fault)
                                       : next_of_object(reader, post, length, fault);
}

void batch_reader_free(struct batch_reader *reader)
{
    bytes_free(&reader->bytes);
}
