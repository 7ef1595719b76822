/* What comes in on a WebSocket: whatever it is, messages and verdicts do not depend on how the
 * bytes are cut, keep to every limit, and leave the budget as it was. The first byte says how to
 * cut. */
#include "bytes.h"
#include "transports/websocket_input.h"
#include "utf8.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_MESSAGE = 200 };

/* What was found, one after the other: verdict, code, payload. */
struct record {
    struct bytes found;
    bool is_over;
};

static void record_payload(struct record *record, enum websocket_verdict verdict,
                           const struct websocket_input *input)
{
    size_t length;
    const char *payload = websocket_input_payload(input, &length);

    if (length > (verdict == WEBSOCKET_HAS_MESSAGE ? MAX_MESSAGE : WEBSOCKET_CONTROL_MOST) ||
        (verdict == WEBSOCKET_HAS_MESSAGE && !utf8_is_valid(payload, length)))
        abort();
    bytes_append_format(&record->found, "%d:%zu:", (int)verdict, length);
    bytes_append(&record->found, payload, length);
}

static void record_end(struct record *record, enum websocket_verdict verdict,
                       const struct websocket_input *input)
{
    int code = (int)websocket_input_code(input);
    const char *reason = websocket_input_reason(input);

    if (verdict == WEBSOCKET_IS_BROKEN && (code < 1002 || code > 1013 || !*reason))
        abort();
    bytes_append_format(&record->found, "%d:%d:%s", (int)verdict, code, reason);
    record->is_over = true;
}

static void feed_piece(struct record *record, struct websocket_input *input, const char *bytes,
                       size_t length)
{
    size_t consumed;

    for (; length > 0 && !record->is_over; bytes += consumed, length -= consumed) {
        enum websocket_verdict verdict = websocket_input_feed(input, bytes, length, &consumed);
        if (consumed > length || (verdict == WEBSOCKET_NEED_MORE && consumed != length))
            abort();
        if (verdict == WEBSOCKET_IS_CLOSED || verdict == WEBSOCKET_IS_BROKEN)
            record_end(record, verdict, input);
        else if (verdict != WEBSOCKET_NEED_MORE)
            record_payload(record, verdict, input);
    }
}

static struct websocket_input *make(const struct websocket_limits *limits)
{
    struct websocket_input *input = websocket_input_new(limits);

    if (input == NULL)
        abort();
    return input;
}

static void feed(struct record *record, const char *bytes, size_t length, size_t piece)
{
    struct input_budget budget = {.used = 0, .most = MAX_MESSAGE};
    const struct websocket_limits limits = {MAX_MESSAGE, &budget};
    struct websocket_input *input = make(&limits);

    *record = (struct record){0};
    for (size_t used = 0; used < length && !record->is_over; used += piece) {
        if (websocket_input_is_idle(input)) {
            websocket_input_free(&input);
            input = make(&limits);
        }
        feed_piece(record, input, bytes + used, piece < length - used ? piece : length - used);
    }
    websocket_input_free(&input);
    if (budget.used != 0)
        abort();
}

static void must_be_same(const struct record *one, const struct record *other)
{
    if (one->is_over != other->is_over || one->found.length != other->found.length ||
        (one->found.length > 0 &&
         memcmp(one->found.data, other->found.data, one->found.length) != 0))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data + 1;
    struct record whole, cut, single;

    if (size < 2)
        return 0;
    feed(&whole, bytes, size - 1, size - 1);
    feed(&cut, bytes, size - 1, 2 + data[0] % 61);
    feed(&single, bytes, size - 1, 1);
    must_be_same(&whole, &cut);
    must_be_same(&whole, &single);
    bytes_free(&whole.found);
    bytes_free(&cut.found);
    bytes_free(&single.found);
    return 0;
}
