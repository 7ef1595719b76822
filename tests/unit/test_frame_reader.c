#include "../../esnctl/frame_reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

/* Reads the stream in pieces of the given size and writes down what came of it: each frame in
 * brackets, ~ for a keep-alive, ! and the fault. */
static void read_in_pieces(const char *stream, size_t total, size_t piece, char *out, size_t size)
{
    struct frame_reader reader = {0};
    size_t used = 0, at = 0;
    bool broken = false;
    out[0] = '\0';
    while (at < total && !broken) {
        /* A copy of the exact size, so that reading beyond it is noticed. */
        char *copy = test_malloc(piece);
        const char *data = copy;
        size_t length = total - at < piece ? total - at : piece;
        memcpy(copy, stream + at, length);
        at += length;
        while (length > 0 && !broken) {
            enum frame_reader_result result = frame_reader_feed(&reader, &data, &length);
            if (result == FRAME_READER_FRAME)
                used += (size_t)snprintf(out + used, size - used, "[%.*s]",
                                         (int)reader.frame.length, reader.frame.data);
            else if (result == FRAME_READER_KEEP_ALIVE)
                used += (size_t)snprintf(out + used, size - used, "~");
            else if (result == FRAME_READER_FAULT)
                used += (size_t)snprintf(out + used, size - used, "!%s", reader.fault);
            broken = result == FRAME_READER_FAULT;
            if (result == FRAME_READER_MORE)
                assert_int_equal(length, 0);
            assert_true(used < size);
        }
        test_free(copy);
    }
    if (!broken && !frame_reader_is_between(&reader))
        (void)snprintf(out + used, size - used, "...");
    frame_reader_free(&reader);
}

/* However the bytes are cut, the same comes of them. */
static void expect_bytes(const char *stream, size_t total, const char *expected)
{
    char out[4096];
    for (size_t piece = 1; piece <= total; piece++) {
        read_in_pieces(stream, total, piece, out, sizeof out);
        assert_string_equal(out, expected);
    }
}

static void expect(const char *stream, const char *expected)
{
    expect_bytes(stream, strlen(stream), expected);
}

static void frames_come_out_whole(void **state)
{
    (void)state;
    expect("''2''{}", "[{}]");
    expect("''2''{}''4''null''12''{\"a\":[1, 2]}", "[{}][null][{\"a\":[1, 2]}]");
    expect("''0002''{}", "[{}]");
}

static void white_space_and_keep_alives_stand_between(void **state)
{
    (void)state;
    expect("''0''", "~");
    expect(" \r\n\t''0'' ''2''{}\n''0''''0''''1''1\n", "~[{}]~~[1]");
}

static void what_looks_like_a_frame_inside_is_text(void **state)
{
    (void)state;
    expect("''7''\"''9''\"''1''2", "[\"''9''\"][2]");
    expect("''5''''0''''1''3", "[''0''][3]");
}

static void length_counts_utf16_units(void **state)
{
    (void)state;
    expect("''3''\"\xc3\xa9\"''2''{}", "[\"\xc3\xa9\"][{}]");
    expect("''3''\"\xe2\x80\xa8\"''2''{}", "[\"\xe2\x80\xa8\"][{}]");
    expect("''4''\"\xf0\x9f\x98\x80\"''2''{}", "[\"\xf0\x9f\x98\x80\"][{}]");
    expect("''1''\xc3\xa9''1''\xe2\x82\xac''2''\xf0\x9f\x98\x80''0''",
           "[\xc3\xa9][\xe2\x82\xac][\xf0\x9f\x98\x80]~");
}

static void what_has_begun_is_not_the_end(void **state)
{
    (void)state;
    expect("'", "...");
    expect("''", "...");
    expect("''1", "...");
    expect("''1'", "...");
    expect("''1''", "...");
    expect("''3''{}", "...");
    expect("''2''{}\n", "[{}]");
    expect("''1''\xc3", "...");
}

static void faults_are_named_and_final(void **state)
{
    (void)state;
    expect("{}", "!a frame does not begin with two apostrophes");
    expect("''2''{}x", "[{}]!a frame does not begin with two apostrophes");
    expect("'2''{}", "!a frame does not begin with two apostrophes");
    expect("''x''", "!a frame's length is not a number");
    expect("''-1''", "!a frame's length is not a number");
    expect("''''", "!a frame has no length");
    expect("''2'{}", "!a frame's length does not end with two apostrophes");
    expect("''268435457''", "!a frame is longer than 256 MiB");
    expect("''0000000001''1", "!a frame is longer than 256 MiB");
    expect("''3''\"\xf0\x9f\x98\x80\"",
           "[\"\xf0\x9f\x98\x80]!a frame does not begin with two apostrophes");
    expect("''2''\"\xf0\x9f\x98\x80\"", "!a frame's length ends inside a character");
    expect("''2''\x80z", "!a frame is not UTF-8");
    expect("''2''\xc3z", "!a frame is not UTF-8");
    expect("''2''\xff\xff", "!a frame is not UTF-8");

    struct frame_reader reader = {0};
    const char *data = "x''0''";
    size_t length = strlen(data);
    assert_int_equal(frame_reader_feed(&reader, &data, &length), FRAME_READER_FAULT);
    assert_int_equal(frame_reader_feed(&reader, &data, &length), FRAME_READER_FAULT);
    frame_reader_free(&reader);
}

static void nul_bytes_are_text(void **state)
{
    (void)state;
    struct frame_reader reader = {0};
    const char *data = "''3''a\0b";
    size_t length = 8;
    assert_int_equal(frame_reader_feed(&reader, &data, &length), FRAME_READER_FRAME);
    assert_int_equal(reader.frame.length, 3);
    assert_memory_equal(reader.frame.data, "a\0b", 3);
    assert_int_equal(length, 0);
    frame_reader_free(&reader);
    frame_reader_free(&reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_come_out_whole),
        cmocka_unit_test(white_space_and_keep_alives_stand_between),
        cmocka_unit_test(what_looks_like_a_frame_inside_is_text),
        cmocka_unit_test(length_counts_utf16_units),
        cmocka_unit_test(what_has_begun_is_not_the_end),
        cmocka_unit_test(faults_are_named_and_final),
        cmocka_unit_test(nul_bytes_are_text),
    };
    return cmocka_run_group_tests_name("frame_reader", tests, NULL, NULL);
}
