#include "saved_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

/* Each section has its number, and as many bytes. */
static struct bytes write_state(void)
{
    struct saved_writer writer = {0};

    saved_begin(&writer);
    for (int section = 1; section < SAVED_SECTIONS; section++) {
        saved_begin_section(&writer, (enum saved_section)section);
        saved_put(&writer, (uint64_t)section);
        saved_put_bytes(&writer, "0123456789abcdef", (size_t)section);
        saved_put_text(&writer, "text");
        saved_end_section(&writer);
    }
    assert_false(writer.out.failed);
    return writer.out;
}

static void what_is_written_is_read(void **state)
{
    struct bytes bytes = write_state();
    struct saved_state saved;
    char error[SAVED_ERROR_SIZE];

    (void)state;
    assert_true(saved_read(&saved, bytes.data, bytes.length, error));
    for (int section = 1; section < SAVED_SECTIONS; section++) {
        struct saved_reader *reader = &saved.sections[section];
        size_t length;
        assert_false(saved_is_read(reader));
        assert_int_equal(saved_take(reader), section);
        assert_memory_equal(saved_take_bytes(reader, &length), "0123456789abcdef", (size_t)section);
        assert_int_equal(length, section);
        assert_string_equal(saved_take_text(reader, &length), "text");
        assert_int_equal(length, 4);
        assert_true(saved_is_read(reader));
        assert_non_null(saved_section_name((enum saved_section)section));
    }
    bytes_free(&bytes);
}

static void what_is_cut_off_anywhere_is_refused(void **state)
{
    struct bytes bytes = write_state();
    struct saved_state saved;
    char error[SAVED_ERROR_SIZE];

    (void)state;
    for (size_t length = 0; length < bytes.length; length++) {
        char *exact = malloc(length > 0 ? length : 1);
        assert_non_null(exact);
        memcpy(exact, bytes.data, length);
        error[0] = '\0';
        assert_false(saved_read(&saved, exact, length, error));
        assert_true(error[0] != '\0');
        free(exact);
    }
    bytes_append(&bytes, "x", 1);
    assert_false(saved_read(&saved, bytes.data, bytes.length, error));
    assert_string_equal(error, "something follows the state");
    bytes_free(&bytes);
}

static void each_byte_counts(void **state)
{
    struct bytes bytes = write_state();
    struct saved_state saved;
    char error[SAVED_ERROR_SIZE];

    (void)state;
    for (size_t at = 0; at < bytes.length; at++) {
        for (int bit = 0; bit < 8; bit++) {
            bytes.data[at] = (char)(bytes.data[at] ^ 1 << bit);
            assert_false(saved_read(&saved, bytes.data, bytes.length, error));
            bytes.data[at] = (char)(bytes.data[at] ^ 1 << bit);
        }
    }
    assert_true(saved_read(&saved, bytes.data, bytes.length, error));
    bytes_free(&bytes);
}

static void another_form_is_named(void **state)
{
    struct bytes bytes = write_state();
    struct saved_state saved;
    char error[SAVED_ERROR_SIZE];

    (void)state;
    bytes.data[8] = SAVED_FORM + 41;
    assert_false(saved_read(&saved, bytes.data, bytes.length, error));
    assert_string_equal(error, "the state is of form 45, this program reads 4");
    bytes_free(&bytes);
}

static struct saved_reader reader_of(const struct bytes *bytes)
{
    const unsigned char *at = (const unsigned char *)bytes->data;

    return (struct saved_reader){.at = at, .end = at + bytes->length};
}

static void a_reader_that_has_failed_gives_nothing(void **state)
{
    struct saved_writer writer = {0};
    unsigned char exact[3];
    size_t length = 7;

    (void)state;
    saved_put(&writer, 9);
    saved_put(&writer, 1);
    struct saved_reader reader = reader_of(&writer.out);
    assert_int_equal(saved_take_within(&reader, 8), 0);
    assert_true(reader.failed);
    assert_int_equal(saved_take(&reader), 0);
    assert_string_equal(saved_take_bytes(&reader, &length), "");
    assert_int_equal(length, 0);
    assert_string_equal(saved_take_text(&reader, &length), "");
    saved_take_exactly(&reader, exact, sizeof exact);
    assert_memory_equal(exact, "\0\0\0", 3);
    assert_false(saved_is_read(&reader));
    bytes_free(&writer.out);
}

static void a_count_is_no_more_than_what_follows(void **state)
{
    struct saved_writer writer = {0};

    (void)state;
    saved_put(&writer, 2);
    saved_put(&writer, 0);
    saved_put(&writer, 0);
    struct saved_reader reader = reader_of(&writer.out);
    assert_int_equal(saved_take_count(&reader, 8), 2);
    reader = reader_of(&writer.out);
    assert_int_equal(saved_take_count(&reader, 9), 0);
    assert_true(reader.failed);
    bytes_free(&writer.out);
}

static void texts_end_with_their_only_nul(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
    } wrong[] = {{"", 0}, {"abc", 3}, {"a\0b", 4}, {"\0", 2}};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct saved_writer writer = {0};
        saved_put_bytes(&writer, wrong[i].bytes, wrong[i].length);
        struct saved_reader reader = reader_of(&writer.out);
        assert_string_equal(saved_take_text(&reader, NULL), "");
        assert_true(reader.failed);
        bytes_free(&writer.out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(what_is_cut_off_anywhere_is_refused),
        cmocka_unit_test(each_byte_counts),
        cmocka_unit_test(another_form_is_named),
        cmocka_unit_test(a_reader_that_has_failed_gives_nothing),
        cmocka_unit_test(a_count_is_no_more_than_what_follows),
        cmocka_unit_test(texts_end_with_their_only_nul),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
