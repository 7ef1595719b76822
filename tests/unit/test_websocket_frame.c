#include "transports/websocket_frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static void check_head(uint64_t length, const char *expected, size_t size)
{
    char head[WEBSOCKET_HEAD_SIZE];

    assert_int_equal(websocket_frame_head(head, WEBSOCKET_TEXT, length), size);
    assert_memory_equal(head, expected, size);
}

static void lengths_are_written_as_briefly_as_they_can_be(void **state)
{
    (void)state;
    check_head(0, "\x81\x00", 2);
    check_head(125, "\x81\x7d", 2);
    check_head(126, "\x81\x7e\x00\x7e", 4);
    check_head(65535, "\x81\x7e\xff\xff", 4);
    check_head(65536, "\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 10);
    check_head(0x0102030405060708, "\x81\x7f\x01\x02\x03\x04\x05\x06\x07\x08", 10);
}

static void control_frames_carry_their_bytes(void **state)
{
    char frame[WEBSOCKET_CONTROL_SIZE], most[WEBSOCKET_CONTROL_MOST];

    (void)state;
    assert_int_equal(websocket_frame_control(frame, WEBSOCKET_PING, "", 0), 2);
    assert_memory_equal(frame, "\x89\x00", 2);
    assert_int_equal(websocket_frame_control(frame, WEBSOCKET_PONG, "a\0b", 3), 5);
    assert_memory_equal(frame,
                        "\x8a\x03"
                        "a\0b",
                        5);
    memset(most, 'x', sizeof most);
    assert_int_equal(websocket_frame_control(frame, WEBSOCKET_PONG, most, sizeof most),
                     WEBSOCKET_CONTROL_SIZE);
    assert_memory_equal(frame + 2, most, sizeof most);
}

static void close_frames_say_why(void **state)
{
    char frame[WEBSOCKET_CONTROL_SIZE], reason[200];

    (void)state;
    assert_int_equal(websocket_frame_close(frame, WEBSOCKET_CODE_NONE, "not said"), 2);
    assert_memory_equal(frame, "\x88\x00", 2);
    assert_int_equal(websocket_frame_close(frame, WEBSOCKET_CODE_NORMAL, ""), 4);
    assert_memory_equal(frame, "\x88\x02\x03\xe8", 4);
    assert_int_equal(websocket_frame_close(frame, WEBSOCKET_CODE_TOO_BIG, "too big"), 11);
    assert_memory_equal(frame, "\x88\x09\x03\xf1too big", 11);
    memset(reason, 'r', sizeof reason);
    reason[sizeof reason - 1] = '\0';
    assert_int_equal(websocket_frame_close(frame, WEBSOCKET_CODE_POLICY, reason),
                     WEBSOCKET_CONTROL_SIZE);
    assert_int_equal((unsigned char)frame[1], WEBSOCKET_CONTROL_MOST);
    assert_int_equal(frame[WEBSOCKET_CONTROL_SIZE - 1], 'r');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_are_written_as_briefly_as_they_can_be),
        cmocka_unit_test(control_frames_carry_their_bytes),
        cmocka_unit_test(close_frames_say_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
