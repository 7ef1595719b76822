/* What two programs say to each other when one hands over to the next. */
#include "upgrade/channel.h"

#include "clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <unistd.h>

enum { GENEROUS_MS = 60000 };

static uint64_t in_the_end(void)
{
    return clock_monotonic_ms() + GENEROUS_MS;
}

static int set_up(void **state)
{
    static int ends[2];

    *state = ends;
    return channel_open(ends) ? 0 : -1;
}

static int tear_down(void **state)
{
    int *ends = *state;

    for (int i = 0; i < 2; i++)
        if (ends[i] >= 0)
            (void)close(ends[i]);
    return 0;
}

static void close_end(int *end)
{
    assert_int_equal(close(*end), 0);
    *end = -1;
}

static void say(int end, enum channel_kind kind, const char *text)
{
    char error[CHANNEL_ERROR_SIZE];

    if (!channel_send(end, kind, text, NULL, 0, in_the_end(), error))
        fail_msg("%s", error);
}

static void messages_come_in_order_with_their_descriptors(void **state)
{
    int *ends = *state, sent[2];
    struct channel_message message;
    char error[CHANNEL_ERROR_SIZE], byte = 0;

    assert_int_equal(pipe(sent), 0);
    say(ends[1], CHANNEL_HELLO, "1");
    assert_true(channel_send(ends[1], CHANNEL_DESCRIPTORS, "two", sent, 2, in_the_end(), error));
    assert_true(channel_await(ends[0], CHANNEL_HELLO, &message, in_the_end(), error));
    assert_string_equal(message.text, "1");
    assert_true(channel_await(ends[0], CHANNEL_DESCRIPTORS, &message, in_the_end(), error));
    assert_int_equal(message.count, 2);
    assert_int_equal(write(message.descriptors[1], "x", 1), 1);
    assert_int_equal(read(sent[0], &byte, 1), 1);
    assert_int_equal(byte, 'x');
    for (int i = 0; i < 2; i++) {
        assert_int_equal(close(message.descriptors[i]), 0);
        assert_int_equal(close(sent[i]), 0);
    }
}

/* Although it has not read what it was told, and has ended. */
static void a_refusal_is_heard_from_one_that_has_gone(void **state)
{
    int *ends = *state;
    struct channel_message message;
    char error[CHANNEL_ERROR_SIZE];

    say(ends[0], CHANNEL_STATE, "2");
    say(ends[1], CHANNEL_REFUSAL, "its own words");
    close_end(&ends[1]);
    assert_true(channel_is_over(ends[0]));
    assert_false(channel_await(ends[0], CHANNEL_PREPARED, &message, in_the_end(), error));
    assert_int_equal(message.kind, CHANNEL_REFUSAL);
    assert_string_equal(error, "its own words");
    assert_false(channel_receive(ends[0], &message, in_the_end(), error));
    assert_int_equal(message.kind, 0);
    assert_string_equal(error, "the other program: it ended without a word");
}

static bool send_state(int end, struct channel_message *message, char error[CHANNEL_ERROR_SIZE])
{
    struct bytes state = BYTES_EMPTY, descriptors = BYTES_EMPTY;

    bytes_append(&state, "state", 5);
    bytes_append(&descriptors, &end, sizeof end);
    bool sent = channel_send_state(end, &state, &descriptors, message, in_the_end(), error);
    assert_int_equal(state.length, 0);
    bytes_free(&descriptors);
    return sent;
}

static void a_refusal_is_heard_from_one_that_takes_no_more(void **state)
{
    int *ends = *state;
    struct channel_message message;
    char error[CHANNEL_ERROR_SIZE];

    say(ends[1], CHANNEL_REFUSAL, "its own words");
    close_end(&ends[1]);
    assert_false(send_state(ends[0], &message, error));
    assert_int_equal(message.kind, CHANNEL_REFUSAL);
    assert_string_equal(error, "its own words");
    assert_false(send_state(ends[0], &message, error));
    assert_int_equal(message.kind, 0);
    assert_non_null(strstr(error, "cannot speak with the other program"));
}

/* What is sent ahead is not waited for: there is room later, or never. */
static void what_is_sent_ahead_waits_for_nothing(void **state)
{
    int *ends = *state;
    struct channel_message message;
    char error[CHANNEL_ERROR_SIZE] = "";
    struct bytes part = BYTES_EMPTY;
    size_t sent = 0;

    bytes_append(&part, "part", 4);
    while (channel_send_ahead(ends[0], &part, &message, error))
        sent++;
    assert_true(sent > 0);
    assert_string_equal(error, "");
    close_end(&ends[1]);
    assert_false(channel_send_ahead(ends[0], &part, &message, error));
    assert_true(error[0] != '\0');
    bytes_free(&part);
}

static void what_nobody_says_is_not_waited_for_longer_than_asked(void **state)
{
    int *ends = *state;
    struct channel_message message;
    char error[CHANNEL_ERROR_SIZE];

    assert_false(channel_is_over(ends[0]));
    assert_false(channel_receive(ends[0], &message, clock_monotonic_ms(), error));
    assert_int_equal(message.kind, 0);
    assert_string_equal(error, "the other program: no answer in time");
    say(ends[1], CHANNEL_GO, "");
    assert_false(channel_await(ends[0], CHANNEL_PREPARED, &message, in_the_end(), error));
    assert_string_equal(error, "the other program: it says something else");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(messages_come_in_order_with_their_descriptors, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_refusal_is_heard_from_one_that_has_gone, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_refusal_is_heard_from_one_that_takes_no_more, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_sent_ahead_waits_for_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_nobody_says_is_not_waited_for_longer_than_asked,
                                        set_up, tear_down),
    };

    return cmocka_run_group_tests_name("channel", tests, NULL, NULL);
}
