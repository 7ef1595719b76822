#include "envelope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct envelope sample = {
    .kind = ENVELOPE_EVENT,
    .flags = ENVELOPE_PATTERN | ENVELOPE_WHISPER | ENVELOPE_HAS_POST_KEY,
    .publisher = 0x0102030405060708ULL,
    .sequence = 0x1112131415161718ULL,
    .whisper = 9007199254740991ULL,
    .token = 0x2122232425262728ULL,
    .post_key = {0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad,
                 0xae, 0xaf},
};

/* The table of docs/bus.md, byte by byte. */
static const unsigned char sample_bytes[ENVELOPE_SIZE] = {
    'E',  'S',  'E',  2,    2,    0,    0,    0x43, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06,
    0x07, 0x08, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0,    0x1f, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9,
    0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28};

static void writes_the_documented_layout(void **state)
{
    unsigned char bytes[ENVELOPE_SIZE_MAX];
    (void)state;
    memset(bytes, 0xee, sizeof bytes);
    assert_int_equal(envelope_write(bytes, &sample), sizeof sample_bytes);
    assert_memory_equal(bytes, sample_bytes, sizeof sample_bytes);
}

static void says_within_behind_the_rest(void **state)
{
    unsigned char bytes[ENVELOPE_SIZE_MAX];
    struct envelope within = sample, out;
    (void)state;
    within.flags = ENVELOPE_TARGETED | ENVELOPE_ADDRESSED | ENVELOPE_REPORT | ENVELOPE_WITHIN;
    within.within = 30000;
    assert_int_equal(envelope_write(bytes, &within), ENVELOPE_SIZE_MAX);
    assert_memory_equal(bytes + ENVELOPE_SIZE, "\0\0\x75\x30", 4);
    assert_true(envelope_read(&out, bytes, ENVELOPE_SIZE_MAX));
    assert_int_equal(out.within, 30000);
    assert_false(envelope_read(&out, bytes, ENVELOPE_SIZE));
    assert_false(envelope_read(&out, bytes, ENVELOPE_SIZE_MAX - 1));
    /* It is of reports, and of users whom the publisher names. */
    assert_false(envelope_flags_are_sound(ENVELOPE_REPORT | ENVELOPE_WITHIN));
    assert_false(
        envelope_flags_are_sound(ENVELOPE_WITHIN | ENVELOPE_TARGETED | ENVELOPE_ADDRESSED));
    assert_true(envelope_flags_are_sound(ENVELOPE_REPORT | ENVELOPE_BOUND));
}

static void reads_what_was_written(void **state)
{
    struct envelope out;
    (void)state;
    assert_true(envelope_read(&out, sample_bytes, sizeof sample_bytes));
    assert_int_equal(out.kind, sample.kind);
    assert_int_equal(out.flags, sample.flags);
    assert_int_equal(out.publisher, sample.publisher);
    assert_int_equal(out.sequence, sample.sequence);
    assert_int_equal(out.whisper, sample.whisper);
    assert_int_equal(out.token, sample.token);
    assert_memory_equal(out.post_key, sample.post_key, sizeof out.post_key);
}

static bool reads_with(size_t at, unsigned char byte)
{
    unsigned char bytes[ENVELOPE_SIZE_MAX];
    struct envelope out;
    memcpy(bytes, sample_bytes, sizeof sample_bytes);
    bytes[at] = byte;
    return envelope_read(&out, bytes, sizeof sample_bytes);
}

static void refuses_other_envelopes(void **state)
{
    struct envelope out;
    (void)state;
    assert_false(envelope_read(&out, sample_bytes, ENVELOPE_SIZE - 1));
    assert_false(envelope_read(&out, sample_bytes, 0));
    unsigned char longer[ENVELOPE_SIZE + 1] = {0};
    memcpy(longer, sample_bytes, ENVELOPE_SIZE);
    assert_false(envelope_read(&out, longer, sizeof longer));
    assert_false(reads_with(0, 'e'));
    assert_false(reads_with(2, 'A'));
    assert_false(reads_with(3, 1));
    assert_false(reads_with(4, 0));
    assert_true(reads_with(4, ENVELOPE_HELLO));
    assert_true(reads_with(4, ENVELOPE_DROP));
    assert_true(reads_with(4, ENVELOPE_POSITION));
    assert_true(reads_with(4, ENVELOPE_REFUSAL));
    assert_false(reads_with(4, ENVELOPE_REFUSAL + 1));
    assert_false(reads_with(5, 1));
    assert_false(reads_with(6, 2));
    assert_true(reads_with(7, 0x7f));
    assert_true(reads_with(7, 0x80));
    /* A private event is for no user of a database, and whom the publisher names has an inbox. */
    assert_false(reads_with(7, ENVELOPE_PRIVATE | ENVELOPE_BOUND));
    assert_false(reads_with(7, ENVELOPE_PRIVATE | ENVELOPE_TARGETED));
    assert_false(reads_with(7, ENVELOPE_PRIVATE | ENVELOPE_EVERYONE));
    assert_true(envelope_flags_are_sound(ENVELOPE_ADDRESSED | ENVELOPE_TARGETED | ENVELOPE_BOUND));
    assert_false(envelope_flags_are_sound(ENVELOPE_ADDRESSED | ENVELOPE_BOUND));
    assert_true(envelope_flags_are_sound(ENVELOPE_EXCEPT | ENVELOPE_PRIVATE));
    assert_false(envelope_flags_are_sound(ENVELOPE_EXCEPT | ENVELOPE_WHISPER));
    assert_false(envelope_flags_are_sound(65536));
}

static const struct ack acks[] = {
    {.sequence = 1, .event_sequence = UINT64_MAX, .receivers = UINT32_MAX, .status = ACK_DELIVERED},
    {.sequence = 0x0102030405060708ULL, .event_sequence = 2, .receivers = 0, .status = ACK_DOUBLE},
    {.sequence = 3, .event_sequence = 0, .receivers = 258, .status = ACK_OVERLOAD},
    {.sequence = 4, .event_sequence = 0, .wait_ms = 70000, .status = ACK_LIMITED},
    {.sequence = 5, .event_sequence = 0, .receivers = 0, .status = ACK_OTHER},
    {.sequence = 6, .event_sequence = 0, .receivers = 0, .status = ACK_TOPIC},
    {.sequence = 7, .event_sequence = 0, .receivers = 0, .status = ACK_UNSTORED},
};
enum { ACKS = sizeof acks / sizeof *acks, MESSAGE_SIZE = ACK_HEADER_SIZE + ACKS * ACK_RECORD_SIZE };

static void write_message(unsigned char message[MESSAGE_SIZE])
{
    ack_header_write(message, 0xfedcba9876543210ULL);
    for (size_t i = 0; i < ACKS; i++)
        ack_record_write(message + ACK_HEADER_SIZE + i * ACK_RECORD_SIZE, &acks[i]);
}

static void writes_acknowledgements(void **state)
{
    static const unsigned char header[ACK_HEADER_SIZE] = {
        'E', 'S', 'A', 2, 0, 0, 0, 0, 0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10};
    static const unsigned char third[ACK_RECORD_SIZE] = {0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0,
                                                         0, 0, 0, 0, 0, 0, 1, 2, 2, 0, 0, 0};
    unsigned char message[MESSAGE_SIZE];
    (void)state;
    memset(message, 0xee, sizeof message);
    write_message(message);
    assert_memory_equal(message, header, sizeof header);
    assert_memory_equal(message + ACK_HEADER_SIZE + 2 * ACK_RECORD_SIZE, third, sizeof third);
}

static void reads_acknowledgements(void **state)
{
    unsigned char message[MESSAGE_SIZE];
    uint64_t epoch = 0;
    (void)state;
    write_message(message);
    assert_int_equal(ack_count(message, sizeof message, &epoch), ACKS);
    assert_true(epoch == 0xfedcba9876543210ULL);
    for (int i = 0; i < ACKS; i++) {
        struct ack out;
        assert_true(ack_read(&out, message, i));
        assert_true(out.sequence == acks[i].sequence &&
                    out.event_sequence == acks[i].event_sequence);
        assert_int_equal(out.receivers, acks[i].receivers);
        assert_int_equal(out.wait_ms, acks[i].wait_ms);
        assert_int_equal(out.status, acks[i].status);
    }
    assert_int_equal(ack_count(message, ACK_HEADER_SIZE, &epoch), 0);
}

/* As an acknowledgement of one event, with another beginning and a text behind it. */
static void reads_the_head_of_an_answer(void **state)
{
    enum { LENGTH = ACK_HEADER_SIZE + ACK_RECORD_SIZE };
    unsigned char message[MESSAGE_SIZE];
    uint64_t epoch = 7;
    struct ack out;
    (void)state;
    answer_header_write(message, 0xfedcba9876543210ULL);
    ack_record_write(message + ACK_HEADER_SIZE, &acks[0]);
    assert_false(answer_read(message, LENGTH - 1, &epoch));
    assert_int_equal(ack_count(message, LENGTH, &epoch), -1);
    assert_int_equal(epoch, 7);
    assert_true(answer_read(message, LENGTH + 4, &epoch));
    assert_true(epoch == 0xfedcba9876543210ULL);
    assert_true(ack_read(&out, message, 0));
    assert_true(out.sequence == acks[0].sequence);
    message[4] = 1;
    assert_false(answer_read(message, LENGTH, &epoch));
    write_message(message);
    assert_false(answer_read(message, sizeof message, &epoch));
}

static void refuses_other_acknowledgements(void **state)
{
    unsigned char message[MESSAGE_SIZE];
    uint64_t epoch = 7;
    struct ack out;
    (void)state;
    write_message(message);
    assert_int_equal(ack_count(message, 0, &epoch), -1);
    assert_int_equal(ack_count(message, ACK_HEADER_SIZE - 1, &epoch), -1);
    assert_int_equal(ack_count(message, sizeof message - 1, &epoch), -1);
    assert_int_equal(ack_count(sample_bytes, sizeof sample_bytes, &epoch), -1);
    message[3] = 1;
    assert_int_equal(ack_count(message, sizeof message, &epoch), -1);
    write_message(message);
    message[7] = 1;
    assert_int_equal(ack_count(message, sizeof message, &epoch), -1);
    assert_int_equal(epoch, 7);
    write_message(message);
    message[ACK_HEADER_SIZE + 20] = ACK_UNKNOWN + 1;
    assert_false(ack_read(&out, message, 0));
    assert_true(ack_read(&out, message, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_the_documented_layout),
        cmocka_unit_test(reads_what_was_written),
        cmocka_unit_test(says_within_behind_the_rest),
        cmocka_unit_test(refuses_other_envelopes),
        cmocka_unit_test(writes_acknowledgements),
        cmocka_unit_test(reads_acknowledgements),
        cmocka_unit_test(reads_the_head_of_an_answer),
        cmocka_unit_test(refuses_other_acknowledgements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
