/* Frames as clients send them, cut in every way: what becomes of them is written down as a line and
 * compared. */
#include "transports/websocket_input.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "masked_frames.h"

enum { MAX_MESSAGE = 300 };

#define FRAME(out, first, payload) masked_frame_add(out, first, payload, sizeof(payload) - 1)

static void note_payload(struct bytes *line, const char *kind, struct websocket_input *input)
{
    size_t length;
    const char *payload = websocket_input_payload(input, &length);

    bytes_append_text(line, kind);
    if (length > 20)
        bytes_append_format(line, "*%zu ", length);
    else
        bytes_append(line, payload, length);
    bytes_append_text(line, " ");
}

/* Writes down one verdict; false when it is the last one. */
static bool note(struct bytes *line, enum websocket_verdict verdict, struct websocket_input *input)
{
    switch (verdict) {
    case WEBSOCKET_NEED_MORE:
        return true;
    case WEBSOCKET_HAS_MESSAGE:
        note_payload(line, "text:", input);
        return true;
    case WEBSOCKET_HAS_PING:
        note_payload(line, "ping:", input);
        return true;
    case WEBSOCKET_HAS_PONG:
        note_payload(line, "pong:", input);
        return true;
    case WEBSOCKET_IS_CLOSED:
        bytes_append_format(line, "closed:%d", (int)websocket_input_code(input));
        return false;
    default:
        bytes_append_format(line, "broken:%d %s", (int)websocket_input_code(input),
                            websocket_input_reason(input));
        return false;
    }
}

static struct websocket_input *new_input(const struct websocket_limits *limits)
{
    struct websocket_input *input = websocket_input_new(limits);

    assert_non_null(input);
    assert_true(websocket_input_is_idle(input));
    return input;
}

/* One piece, copied so that reading past it is caught; false after the last verdict. An idle input
 * is thrown away, as the daemon does it. */
static bool feed_piece(struct websocket_input **input, const struct websocket_limits *limits,
                       const char *bytes, size_t size, struct bytes *line)
{
    char *copy = malloc(size);
    size_t used = 0, consumed = 0;
    bool goes_on = true;

    assert_non_null(copy);
    memcpy(copy, bytes, size);
    while (goes_on && used < size) {
        enum websocket_verdict verdict =
            websocket_input_feed(*input, copy + used, size - used, &consumed);
        used += consumed;
        assert_true(used <= size);
        assert_true(verdict != WEBSOCKET_NEED_MORE || used == size);
        goes_on = note(line, verdict, *input);
    }
    if (goes_on && websocket_input_is_idle(*input)) {
        websocket_input_free(input);
        *input = new_input(limits);
    }
    free(copy);
    return goes_on;
}

static void feed(const struct bytes *bytes, size_t first, size_t piece, struct bytes *line)
{
    struct input_budget budget = {.used = 0, .most = 10000};
    const struct websocket_limits limits = {MAX_MESSAGE, &budget};
    struct websocket_input *input = new_input(&limits);
    size_t used = 0, next = first;
    bool goes_on = true;

    while (goes_on && used < bytes->length) {
        size_t size = next < bytes->length - used ? next : bytes->length - used;
        goes_on = feed_piece(&input, &limits, bytes->data + used, size, line);
        used += size;
        next = piece;
        assert_true(budget.used <= MAX_MESSAGE);
    }
    if (goes_on && !websocket_input_is_idle(input))
        bytes_append_text(line, "...");
    websocket_input_free(&input);
    assert_null(input);
    assert_int_equal(budget.used, 0);
}

static void check_cut(const struct bytes *bytes, size_t first, size_t piece, const char *expected)
{
    struct bytes line = BYTES_EMPTY;

    feed(bytes, first, piece, &line);
    if (strcmp(bytes_terminate(&line), expected) != 0)
        fail_msg("in pieces of %zu, then %zu: \"%s\", not \"%s\"", first, piece, line.data,
                 expected);
    bytes_free(&line);
}

/* However the bytes are cut, they come to `expected`. Frees them. */
static void comes_to(struct bytes *bytes, const char *expected)
{
    assert_false(bytes->failed);
    for (size_t first = 1; first <= bytes->length; first++)
        check_cut(bytes, first, bytes->length, expected);
    for (size_t piece = 1; piece < 9 && piece < bytes->length; piece++)
        check_cut(bytes, piece, piece, expected);
    bytes_free(bytes);
}

static void whole_messages_are_read(void **state)
{
    struct bytes out = BYTES_EMPTY;
    char filler[MAX_MESSAGE];

    (void)state;
    memset(filler, 'x', sizeof filler);
    FRAME(&out, FIN | WEBSOCKET_TEXT, "");
    FRAME(&out, FIN | WEBSOCKET_TEXT, "{\"a\":1}");
    masked_frame_add(&out, FIN | WEBSOCKET_TEXT, filler, 125);
    masked_frame_add(&out, FIN | WEBSOCKET_TEXT, filler, 126);
    masked_frame_add(&out, FIN | WEBSOCKET_TEXT, filler, MAX_MESSAGE);
    comes_to(&out, "text: text:{\"a\":1} text:*125  text:*126  text:*300  ");
}

static void messages_come_in_fragments(void **state)
{
    struct bytes out = BYTES_EMPTY;

    (void)state;
    FRAME(&out, WEBSOCKET_TEXT, "ab");
    FRAME(&out, WEBSOCKET_CONTINUATION, "");
    FRAME(&out, WEBSOCKET_CONTINUATION, "cd");
    FRAME(&out, FIN | WEBSOCKET_CONTINUATION, "ef");
    FRAME(&out, WEBSOCKET_TEXT, "");
    FRAME(&out, FIN | WEBSOCKET_CONTINUATION, "");
    FRAME(&out, FIN | WEBSOCKET_TEXT, "g");
    comes_to(&out, "text:abcdef text: text:g ");
}

static void control_frames_may_stand_between_fragments(void **state)
{
    struct bytes out = BYTES_EMPTY;
    char most[WEBSOCKET_CONTROL_MOST] = {0};

    (void)state;
    FRAME(&out, FIN | WEBSOCKET_PING, "");
    FRAME(&out, WEBSOCKET_TEXT, "a");
    FRAME(&out, FIN | WEBSOCKET_PING, "1\xff");
    FRAME(&out, FIN | WEBSOCKET_PONG, "");
    masked_frame_add(&out, FIN | WEBSOCKET_PING, most, sizeof most);
    FRAME(&out, FIN | WEBSOCKET_CONTINUATION, "b");
    FRAME(&out, FIN | WEBSOCKET_PONG, "2");
    comes_to(&out, "ping: ping:1\xff pong: ping:*125  text:ab pong:2 ");
    FRAME(&out, WEBSOCKET_TEXT, "a");
    FRAME(&out, FIN | WEBSOCKET_CLOSE, "");
    FRAME(&out, FIN | WEBSOCKET_CONTINUATION, "b");
    comes_to(&out, "closed:0");
    FRAME(&out, WEBSOCKET_TEXT, "a");
    comes_to(&out, "...");
}

static void fragments_have_an_order(void **state)
{
    struct bytes out = BYTES_EMPTY;

    (void)state;
    FRAME(&out, FIN | WEBSOCKET_CONTINUATION, "a");
    comes_to(&out, "broken:1002 Continuation of no message");
    FRAME(&out, FIN | WEBSOCKET_TEXT, "a");
    FRAME(&out, WEBSOCKET_CONTINUATION, "");
    comes_to(&out, "text:a broken:1002 Continuation of no message");
    FRAME(&out, WEBSOCKET_TEXT, "a");
    FRAME(&out, FIN | WEBSOCKET_TEXT, "b");
    comes_to(&out, "broken:1002 Message inside a message");
    FRAME(&out, WEBSOCKET_TEXT, "a");
    FRAME(&out, WEBSOCKET_BINARY, "b");
    comes_to(&out, "broken:1002 Message inside a message");
}

static void check_first_byte(unsigned first, const char *expected)
{
    struct bytes out = BYTES_EMPTY;

    FRAME(&out, first, "a");
    comes_to(&out, expected);
    FRAME(&out, first, "");
    comes_to(&out, expected);
}

static void what_is_reserved_is_refused(void **state)
{
    (void)state;
    check_first_byte(FIN | RSV1 | WEBSOCKET_TEXT, "broken:1002 Reserved bits are set");
    check_first_byte(FIN | RSV2 | WEBSOCKET_TEXT, "broken:1002 Reserved bits are set");
    check_first_byte(FIN | RSV3 | WEBSOCKET_PING, "broken:1002 Reserved bits are set");
    check_first_byte(FIN | RSV1 | RSV2 | RSV3 | WEBSOCKET_CLOSE,
                     "broken:1002 Reserved bits are set");
    for (unsigned opcode = 3; opcode < 8; opcode++)
        check_first_byte(FIN | opcode, "broken:1002 Unknown opcode");
    for (unsigned opcode = 11; opcode < 16; opcode++)
        check_first_byte(FIN | opcode, "broken:1002 Unknown opcode");
    check_first_byte(FIN | WEBSOCKET_BINARY, "broken:1003 Messages should be text");
    check_first_byte(WEBSOCKET_BINARY, "broken:1003 Messages should be text");
}

#define RAW(bytes, expected) check_raw(bytes, sizeof(bytes) - 1, expected)
static void check_raw(const char *bytes, size_t length, const char *expected)
{
    struct bytes out = BYTES_EMPTY;

    bytes_append(&out, bytes, length);
    comes_to(&out, expected);
}

static void malformed_frames_are_refused(void **state)
{
    (void)state;
    RAW("\x81\x01"
        "a",
        "broken:1002 Frame is not masked");
    RAW("\x81\x00", "broken:1002 Frame is not masked");
    RAW("\x89\x00", "broken:1002 Frame is not masked");
    /* Control frames in fragments or beyond their bound. */
    RAW("\x09\x80\0\0\0\0", "broken:1002 Malformed frame");
    RAW("\x08\x80\0\0\0\0", "broken:1002 Malformed frame");
    RAW("\x89\xfe\0\x7e\0\0\0\0", "broken:1002 Malformed frame");
    /* Lengths that are written longer than they need be, and one that is no length. */
    RAW("\x81\xfe\0\x7d\0\0\0\0", "broken:1002 Malformed frame");
    RAW("\x81\xff\0\0\0\0\0\0\xff\xff\0\0\0\0", "broken:1002 Malformed frame");
    RAW("\x81\xff\x80\0\0\0\0\0\0\0\0\0\0\0", "broken:1002 Malformed frame");
    RAW("GET / HTTP/1.1\r\n\r\n", "broken:1002 Reserved bits are set");
}

static void large_messages_are_refused_at_once(void **state)
{
    struct bytes out = BYTES_EMPTY;
    char filler[MAX_MESSAGE + 1];

    (void)state;
    memset(filler, 'x', sizeof filler);
    masked_frame_add(&out, FIN | WEBSOCKET_TEXT, filler, sizeof filler);
    comes_to(&out, "broken:1009 Message too large");
    masked_frame_add(&out, WEBSOCKET_TEXT, filler, MAX_MESSAGE);
    FRAME(&out, WEBSOCKET_CONTINUATION, "");
    FRAME(&out, FIN | WEBSOCKET_PING, "p");
    FRAME(&out, FIN | WEBSOCKET_CONTINUATION, "y");
    comes_to(&out, "ping:p broken:1009 Message too large");
    RAW("\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0x", "broken:1009 Message too large");
}

static void a_full_budget_is_said(void **state)
{
    struct input_budget budget = {.used = 95, .most = 100};
    const struct websocket_limits limits = {MAX_MESSAGE, &budget};
    struct websocket_input *input = new_input(&limits);
    struct bytes out = BYTES_EMPTY, line = BYTES_EMPTY;

    (void)state;
    FRAME(&out, FIN | WEBSOCKET_TEXT, "12345");
    FRAME(&out, FIN | WEBSOCKET_TEXT, "123456");
    assert_false(feed_piece(&input, &limits, out.data, out.length, &line));
    assert_string_equal(bytes_terminate(&line), "text:12345 broken:1013 Too many messages at once");
    websocket_input_free(&input);
    assert_int_equal(budget.used, 95);
    bytes_free(&out);
    bytes_free(&line);
}

static void text_is_utf8(void **state)
{
    static const char *const bad[] = {"\x80",         "\xc0\xaf",     "\xe0\x80\x80",
                                      "\xed\xa0\x80", "\xf5\x80\x80", "\xf4\x90\x80\x80",
                                      "\xff",         "abc\xe2\x82",  "\xf0\x9f\x98"};
    struct bytes out = BYTES_EMPTY;

    (void)state;
    FRAME(&out, FIN | WEBSOCKET_TEXT, "\xce\xba\xe2\x82\xac\xf0\x9f\x98\x80");
    FRAME(&out, WEBSOCKET_TEXT, "\xf0\x9f");
    FRAME(&out, WEBSOCKET_CONTINUATION, "");
    FRAME(&out, WEBSOCKET_CONTINUATION, "\x98");
    FRAME(&out, FIN | WEBSOCKET_CONTINUATION, "\x80");
    comes_to(&out, "text:\xce\xba\xe2\x82\xac\xf0\x9f\x98\x80 text:\xf0\x9f\x98\x80 ");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        masked_frame_add(&out, FIN | WEBSOCKET_TEXT, bad[i], strlen(bad[i]));
        comes_to(&out, "broken:1007 Invalid UTF-8");
    }
    FRAME(&out, WEBSOCKET_TEXT, "\xe2\x82");
    FRAME(&out, FIN | WEBSOCKET_CONTINUATION, "");
    comes_to(&out, "broken:1007 Invalid UTF-8");
    /* Found before the message is whole. */
    FRAME(&out, WEBSOCKET_TEXT, "\xe2\x28");
    comes_to(&out, "broken:1007 Invalid UTF-8");
}

static void closes_say_why(void **state)
{
    struct bytes out = BYTES_EMPTY;

    (void)state;
    FRAME(&out, FIN | WEBSOCKET_CLOSE,
          "\x03\xe8"
          "bye \xe2\x82\xac");
    FRAME(&out, FIN | WEBSOCKET_TEXT, "not read");
    comes_to(&out, "closed:1000");
    FRAME(&out, FIN | WEBSOCKET_CLOSE, "\x03");
    comes_to(&out, "broken:1002 Invalid close code");
    FRAME(&out, FIN | WEBSOCKET_CLOSE, "\x03\xe8\xe2\x82");
    comes_to(&out, "broken:1007 Invalid UTF-8");
}

static void only_some_close_codes_may_be_sent(void **state)
{
    static const unsigned good[] = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010,
                                    1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999};
    static const unsigned bad[] = {0,    999,  1004, 1005, 1006, 1015,
                                   1016, 1100, 2000, 2999, 5000, 65535};
    struct bytes out = BYTES_EMPTY;
    char expected[40];

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        const char code[2] = {(char)(good[i] >> 8), (char)good[i]};
        masked_frame_add(&out, FIN | WEBSOCKET_CLOSE, code, sizeof code);
        (void)snprintf(expected, sizeof expected, "closed:%u", good[i]);
        comes_to(&out, expected);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char code[2] = {(char)(bad[i] >> 8), (char)bad[i]};
        masked_frame_add(&out, FIN | WEBSOCKET_CLOSE, code, sizeof code);
        comes_to(&out, "broken:1002 Invalid close code");
    }
}

/* Between a message's last byte and the next frame's first there is nothing to keep; inside there
 * is. */
static void it_knows_when_it_holds_nothing(void **state)
{
    const struct websocket_limits limits = {MAX_MESSAGE, NULL};
    struct websocket_input *input = new_input(&limits);
    struct bytes out = BYTES_EMPTY;
    size_t consumed;

    (void)state;
    FRAME(&out, FIN | WEBSOCKET_TEXT, "abc");
    for (size_t i = 0; i < out.length; i++) {
        bool is_last = i + 1 == out.length;
        assert_int_equal(websocket_input_feed(input, out.data + i, 1, &consumed),
                         is_last ? WEBSOCKET_HAS_MESSAGE : WEBSOCKET_NEED_MORE);
        assert_int_equal(websocket_input_is_idle(input), is_last);
    }
    websocket_input_free(&input);
    websocket_input_free(&input); /* harmless */
    bytes_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_messages_are_read),
        cmocka_unit_test(messages_come_in_fragments),
        cmocka_unit_test(control_frames_may_stand_between_fragments),
        cmocka_unit_test(fragments_have_an_order),
        cmocka_unit_test(what_is_reserved_is_refused),
        cmocka_unit_test(malformed_frames_are_refused),
        cmocka_unit_test(large_messages_are_refused_at_once),
        cmocka_unit_test(a_full_budget_is_said),
        cmocka_unit_test(text_is_utf8),
        cmocka_unit_test(closes_say_why),
        cmocka_unit_test(only_some_close_codes_may_be_sent),
        cmocka_unit_test(it_knows_when_it_holds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
