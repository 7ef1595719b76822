/* Lines: they do not depend on how the bytes are cut, keep to the limit, and leave the budget as it
 * was. The first byte says how to cut. */
#include "transports/line_input.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_LINE = 60 };

static void record_line(struct bytes *found, const struct line_input *input)
{
    size_t length;
    const char *line = line_input_text(input, &length);

    if (length > MAX_LINE || memchr(line, '\n', length) != NULL)
        abort();
    bytes_append_format(found, "%zu:", length);
    bytes_append(found, line, length);
}

static enum line_verdict feed_piece(struct line_input *input, const struct line_limits *limits,
                                    const char *bytes, size_t length, struct bytes *found)
{
    enum line_verdict verdict = LINE_NEED_MORE;
    size_t consumed;

    for (; length > 0; bytes += consumed, length -= consumed) {
        verdict = line_input_feed(input, limits, bytes, length, &consumed);
        if (consumed > length || (verdict == LINE_NEED_MORE && consumed != length))
            abort();
        if (verdict != LINE_NEED_MORE && verdict != LINE_COMPLETE)
            return verdict;
        if (verdict == LINE_COMPLETE)
            record_line(found, input);
    }
    return verdict;
}

static void feed(const char *bytes, size_t length, size_t piece, struct bytes *found)
{
    struct input_budget budget = {.used = 0, .most = MAX_LINE + 1};
    const struct line_limits limits = {MAX_LINE, &budget};
    struct line_input input = {0};
    enum line_verdict verdict = LINE_NEED_MORE;

    for (size_t used = 0; used < length && (verdict == LINE_NEED_MORE || verdict == LINE_COMPLETE);
         used += piece) {
        verdict = feed_piece(&input, &limits, bytes + used,
                             piece < length - used ? piece : length - used, found);
        if (line_input_is_idle(&input))
            line_input_clear(&input, &limits);
    }
    if (verdict == LINE_TOO_MANY || verdict == LINE_NO_MEMORY)
        abort();
    if (verdict == LINE_TOO_LONG)
        bytes_append_text(found, "too long");
    line_input_clear(&input, &limits);
    if (budget.used != 0)
        abort();
}

static void must_be_same(const struct bytes *one, const struct bytes *other)
{
    if (one->length != other->length ||
        (one->length > 0 && memcmp(one->data, other->data, one->length) != 0))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data + 1;
    struct bytes whole = BYTES_EMPTY, cut = BYTES_EMPTY, single = BYTES_EMPTY;

    if (size < 2)
        return 0;
    feed(bytes, size - 1, size - 1, &whole);
    feed(bytes, size - 1, 2 + data[0] % 61, &cut);
    feed(bytes, size - 1, 1, &single);
    must_be_same(&whole, &cut);
    must_be_same(&whole, &single);
    bytes_free(&whole);
    bytes_free(&cut);
    bytes_free(&single);
    return 0;
}
