/* A batch gives the same posts whatever pieces its bytes come in. */
#include "batch_reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LONGEST = 40 };

/* Appends "[post]" for each post and what ended it, as in "[1][2]." or "[1]!reason". */
static void read_some(struct batch_reader *reader, struct bytes *seen, enum batch_step *step)
{
    const char *post, *fault;
    size_t length;
    while ((*step = batch_reader_next(reader, &post, &length, &fault)) == BATCH_POST) {
        bytes_append_text(seen, "[");
        bytes_append(seen, post, length);
        bytes_append_text(seen, "]");
    }
    if (*step == BATCH_FAULT)
        bytes_append_format(seen, "!%s", fault);
    if (*step == BATCH_END)
        bytes_append_text(seen, ".");
}

static void read_in_pieces(struct bytes *seen, enum batch_form form, const char *text,
                           size_t length, size_t piece)
{
    struct batch_reader reader;
    enum batch_step step = BATCH_MORE;
    batch_reader_begin(&reader, form, LONGEST);
    for (size_t at = 0; at < length && step == BATCH_MORE; at += piece) {
        assert_true(
            batch_reader_add(&reader, text + at, length - at < piece ? length - at : piece));
        read_some(&reader, seen, &step);
    }
    if (step == BATCH_MORE) {
        batch_reader_finish(&reader);
        read_some(&reader, seen, &step);
    }
    assert_true(step == BATCH_END || step == BATCH_FAULT);
    batch_reader_free(&reader);
}

static void gives(enum batch_form form, const char *text, const char *expected)
{
    size_t length = strlen(text);
    for (size_t piece = 1; piece <= length + 1; piece++) {
        struct bytes seen = BYTES_EMPTY;
        read_in_pieces(&seen, form, text, length, piece);
        assert_string_equal(bytes_terminate(&seen), expected);
        bytes_free(&seen);
    }
}

static void posts_of_an_object(void **state)
{
    (void)state;
    gives(BATCH_OBJECT, "{\"events\":[{\"a\":1},{\"b\":[2,{}]}]}", "[{\"a\":1}][{\"b\":[2,{}]}].");
    gives(BATCH_OBJECT, " { \"events\" : [ {} , 7 ] } \n", "[{} ][7 ].");
    gives(BATCH_OBJECT, "{\"events\":[]}", ".");
    gives(BATCH_OBJECT, "\xef\xbb\xbf{\"events\":[{}]}", "[{}].");
    gives(BATCH_OBJECT, "{\"events\":[\"]},{\\\"[\\\\\",1]}", "[\"]},{\\\"[\\\\\"][1].");
}

/* As a body that is cut short leaves it; AddressSanitizer says whether it held anything back. */
static void one_that_is_given_up_holds_nothing(void **state)
{
    static const char text[] = "{\"events\":[{\"a\":1},{\"b\":";
    struct batch_reader reader;
    const char *post, *fault;
    size_t length;
    (void)state;
    batch_reader_begin(&reader, BATCH_OBJECT, LONGEST);
    assert_true(batch_reader_add(&reader, text, sizeof text - 1));
    assert_int_equal(batch_reader_next(&reader, &post, &length, &fault), BATCH_POST);
    assert_int_equal(batch_reader_next(&reader, &post, &length, &fault), BATCH_MORE);
    assert_non_null(reader.bytes.data);
    batch_reader_free(&reader);
    assert_null(reader.bytes.data);
}

/* However long the batch is, no more of it is held than what is not given yet. */
static void what_was_given_is_held_no_longer(void **state)
{
    static const char line[] = "{\"a\":1}\n";
    struct batch_reader reader;
    const char *post, *fault;
    size_t length;
    (void)state;
    batch_reader_begin(&reader, BATCH_LINES, LONGEST);
    for (int i = 0; i < 100; i++) {
        assert_true(batch_reader_add(&reader, line, sizeof line - 1));
        assert_int_equal(reader.bytes.length, sizeof line - 1);
        assert_int_equal(batch_reader_next(&reader, &post, &length, &fault), BATCH_POST);
        assert_int_equal(reader.posts, i + 1);
        assert_int_equal(batch_reader_next(&reader, &post, &length, &fault), BATCH_MORE);
    }
    batch_reader_free(&reader);
}

static void what_is_no_batch_is_said_where_it_ends(void **state)
{
    (void)state;
    gives(BATCH_OBJECT, "{\"ep\":[]}", "!it should be {\"events\": [...]}");
    gives(BATCH_OBJECT, "", "!it should be {\"events\": [...]}");
    gives(BATCH_OBJECT, "{\"events\":{}}", "!it should be {\"events\": [...]}");
    gives(BATCH_OBJECT, "{\"events\":[1}", "[1]!it should be {\"events\": [...]}");
    gives(BATCH_OBJECT, "{\"events\":[1],\"more\":2}", "[1]!it should be {\"events\": [...]}");
    gives(BATCH_OBJECT, "{\"events\":[1,]}", "[1]!a post of it is missing");
    gives(BATCH_OBJECT, "{\"events\":[,1]}", "!a post of it is missing");
    gives(BATCH_OBJECT, "{\"events\":[1]}{", "[1]!bytes stand behind it");
    gives(BATCH_OBJECT, "{\"events\":[{\"a\":1", "!it ends in the middle");
    gives(BATCH_OBJECT, "{\"events\":[1", "!it ends in the middle");
    gives(BATCH_OBJECT, "{\"events\":[1]", "[1]!it ends in the middle");
}

static void posts_of_lines(void **state)
{
    (void)state;
    gives(BATCH_LINES, "{\"a\":1}\n{\"b\":2}\n", "[{\"a\":1}][{\"b\":2}].");
    gives(BATCH_LINES, "{\"a\":1}\r\n\r\n \n{\"b\":2}", "[{\"a\":1}\r][{\"b\":2}].");
    gives(BATCH_LINES, "", ".");
    gives(BATCH_LINES, "\n\n", ".");
}

static void no_post_is_longer_than_it_may(void **state)
{
    char most[LONGEST + 1], more[LONGEST + 2];
    struct bytes text = BYTES_EMPTY, expected = BYTES_EMPTY;
    (void)state;
    memset(most, '1', LONGEST);
    most[LONGEST] = '\0';
    memset(more, '2', LONGEST + 1);
    more[LONGEST + 1] = '\0';
    bytes_append_format(&text, "%s\n%s\n", most, more);
    bytes_append_format(&expected, "[%s]!a post of it is over [publish] max_body", most);
    gives(BATCH_LINES, bytes_terminate(&text), bytes_terminate(&expected));
    bytes_clear(&text);
    bytes_append_format(&text, "{\"events\":[%s,%s]}", most, more);
    gives(BATCH_OBJECT, bytes_terminate(&text), expected.data);
    bytes_free(&text);
    bytes_free(&expected);
}

static void the_first_bytes_say_whether_it_is_one(void **state)
{
    (void)state;
    assert_int_equal(batch_reader_look("{ \"ev", 5), BATCH_MORE);
    assert_int_equal(batch_reader_look("", 0), BATCH_MORE);
    assert_int_equal(batch_reader_look("{\"events\": [", 12), BATCH_POST);
    assert_int_equal(batch_reader_look("{\"e\": {}", 8), BATCH_FAULT);
    assert_int_equal(batch_reader_look("[", 1), BATCH_FAULT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(posts_of_an_object),
        cmocka_unit_test(what_is_no_batch_is_said_where_it_ends),
        cmocka_unit_test(one_that_is_given_up_holds_nothing),
        cmocka_unit_test(what_was_given_is_held_no_longer),
        cmocka_unit_test(posts_of_lines),
        cmocka_unit_test(no_post_is_longer_than_it_may),
        cmocka_unit_test(the_first_bytes_say_whether_it_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
