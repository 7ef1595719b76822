/* What the bus over Redis knows without Redis: its bytes, who lives, what a script is told and answers, who has said
 * what of which event, the queue between threads. */
#include "big_endian.h"
#include "bus/bus_redis_call.h"
#include "bus/bus_redis_entry.h"
#include "bus/bus_redis_given.h"
#include "bus/bus_redis_message.h"
#include "bus/bus_redis_peers.h"
#include "bus/bus_redis_queue.h"
#include "bus/bus_redis_receivers.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- bytes ---- */

static struct bus_part part_of(const char *text)
{
    return (struct bus_part){text, strlen(text)};
}

static void a_message_is_read_as_it_was_written(void **state)
{
    (void)state;
    const struct bus_part parts[BUS_EVENT_PARTS] = {
        part_of("topic"), part_of("envelope"), part_of(""), {"a\0b", 3}};
    struct bus_part read[BUS_EVENT_PARTS];
    struct bytes out = BYTES_EMPTY;
    redis_message_write(&out, parts);
    assert_true(redis_message_read(read, out.data, out.length));
    for (int i = 0; i < BUS_EVENT_PARTS; i++) {
        assert_int_equal(read[i].length, parts[i].length);
        assert_memory_equal(read[i].data, parts[i].data, parts[i].length);
    }
    bytes_free(&out);
}

/* In memory of exactly that length: a sanitizer sees who reads beyond. */
static bool reads(const char *data, size_t length)
{
    struct bus_part parts[BUS_EVENT_PARTS];
    char *copy = malloc(length + 1);
    assert_non_null(copy);
    memcpy(copy + 1, data, length);
    bool good = redis_message_read(parts, copy + 1, length);
    free(copy);
    return good;
}

static void what_is_no_message_is_refused(void **state)
{
    (void)state;
    const struct bus_part parts[BUS_EVENT_PARTS] = {part_of("t"), part_of("e"), part_of("a"),
                                                    part_of("j")};
    struct bytes out = BYTES_EMPTY;
    redis_message_write(&out, parts);
    assert_true(reads(out.data, out.length));
    for (size_t length = 0; length < out.length; length++)
        assert_false(reads(out.data, length));
    bytes_append_text(&out, "x");
    assert_false(reads(out.data, out.length));
    for (int i = 0; i < 5; i++) {
        char before = out.data[i];
        out.data[i] = (char)0xff;
        assert_false(reads(out.data, out.length - 1));
        out.data[i] = before;
    }
    bytes_free(&out);
}

static void a_note_says_whose_and_the_how_manieth_it_is(void **state)
{
    (void)state;
    const struct redis_note note = {
        .node = 1023, .boot = UINT64_MAX, .number = 1ULL << 40, .text = "said", .length = 4};
    struct redis_note read;
    struct bytes out = BYTES_EMPTY;
    redis_note_write(&out, &note);
    assert_true(redis_note_read(&read, out.data, out.length));
    assert_int_equal(read.node, 1023);
    assert_true(read.boot == UINT64_MAX && read.number == 1ULL << 40);
    assert_int_equal(read.length, 4);
    assert_memory_equal(read.text, "said", 4);
    assert_false(redis_note_read(&read, out.data, 23));
    big_endian_write(out.data + 4, 4, 1024);
    assert_false(redis_note_read(&read, out.data, out.length));
    bytes_free(&out);
}

static void an_acknowledgement_says_of_which_node_it_is(void **state)
{
    (void)state;
    unsigned char bytes[3] = {0, 0, 'x'};
    const char *data = (const char *)bytes;
    size_t length = sizeof bytes;
    unsigned node;
    redis_ack_write_node(bytes, 513);
    assert_true(redis_ack_read_node(&node, &data, &length));
    assert_int_equal(node, 513);
    assert_true(length == 1 && *data == 'x');
    assert_false(redis_ack_read_node(&node, &data, &length));
}

static void a_record_is_read_as_it_was_written(void **state)
{
    (void)state;
    const struct redis_record record = {
        .boot = 0xabc, .counter = 7, .notes = 9, .streams = 12, .url = "http://a b/"};
    struct redis_record read;
    struct bytes out = BYTES_EMPTY;
    redis_record_write(&out, &record);
    assert_true(redis_record_read(&read, bytes_terminate(&out)));
    assert_true(read.boot == 0xabc && read.counter == 7 && read.notes == 9 && read.streams == 12);
    assert_string_equal(read.url, "http://a b/");
    assert_false(redis_record_read(&read, "zz 1 2 3 4 u"));
    assert_false(redis_record_read(&read, "0a 1 2"));
    assert_false(redis_record_read(&read, ""));
    bytes_free(&out);
}

static void an_entry_stands_as_text_among_values(void **state)
{
    (void)state;
    struct redis_entry entry;
    const char text[] = "12-34 99 m\0 n";
    assert_true(redis_entry_read_text(&entry, text, sizeof text - 1));
    assert_true(entry.place.epoch == 12 && entry.place.sequence == 34 && entry.wall_ms == 99);
    assert_int_equal(entry.length, 4);
    assert_memory_equal(entry.message, "m\0 n", 4);
    assert_false(redis_entry_read_text(&entry, "12-34 99", 8));
    assert_false(redis_entry_read_text(&entry, "12 99 m", 7));
    assert_false(redis_entry_read_text(&entry, "", 0));
}

static void places_are_compared_by_epoch_first(void **state)
{
    (void)state;
    const struct redis_place a = {1, 9}, b = {2, 1}, c = {2, 2};
    assert_true(redis_place_is_before(a, b) && redis_place_is_before(b, c));
    assert_false(redis_place_is_before(b, a) || redis_place_is_before(c, c));
}

/* ---- who lives ---- */

static void see(struct redis_peers *peers, unsigned node, uint64_t boot, uint64_t counter,
                uint64_t now)
{
    const struct redis_record record = {.boot = boot, .counter = counter, .url = "u"};
    assert_non_null(redis_peers_see(peers, node, &record, now));
}

static bool lives(const struct redis_peers *peers, unsigned node, uint64_t now)
{
    const struct redis_peer *peer = redis_peers_find(peers, node);
    return peer != NULL && redis_peers_live(peers, peer, now);
}

enum { GONE_MS = 1000 / REDIS_RENEWALS * REDIS_GONE_RENEWALS };

static void who_does_not_change_for_a_lease_is_dead(void **state)
{
    (void)state;
    struct redis_peers peers = {.lease_ms = 1000};
    for (uint64_t now = 100; now <= 2100; now += 100) {
        redis_peers_begin(&peers, now);
        see(&peers, 5, 1, now, now);
        see(&peers, 2, 1, now < 500 ? now : 500, now);
        assert_true(lives(&peers, 5, now));
        assert_int_equal(lives(&peers, 2, now), now < 500 + GONE_MS);
    }
    redis_peers_begin(&peers, 2200);
    see(&peers, 2, 1, 501, 2200);
    assert_true(lives(&peers, 2, 2200));
    assert_false(lives(&peers, 5, 2200)); /* it has no record any more */
    redis_peers_free(&peers);
}

static void another_boot_is_another_node(void **state)
{
    (void)state;
    struct redis_peers peers = {.lease_ms = 1000};
    redis_peers_begin(&peers, 100);
    see(&peers, 1, 7, 50, 100);
    redis_peers_find(&peers, 1)->told = true;
    redis_peers_begin(&peers, 1000);
    see(&peers, 1, 8, 50, 1000);
    assert_false(redis_peers_find(&peers, 1)->told);
    assert_true(lives(&peers, 1, 1000 + GONE_MS - 1));
    assert_true(lives(&peers, 1, 999)); /* for who took the time before the look */
    redis_peers_free(&peers);
}

static void who_could_not_look_says_of_nobody_that_he_is_dead(void **state)
{
    (void)state;
    struct redis_peers peers = {.lease_ms = 1000};
    redis_peers_begin(&peers, 100);
    see(&peers, 1, 7, 50, 100);
    redis_peers_begin(&peers, 5000);
    see(&peers, 1, 7, 50, 5000);
    assert_true(lives(&peers, 1, 5000 + GONE_MS - 1));
    assert_false(lives(&peers, 1, 5000 + GONE_MS));
    redis_peers_free(&peers);
}

static void peers_are_found_in_whatever_order_they_come_and_go(void **state)
{
    (void)state;
    struct redis_peers peers = {.lease_ms = 1000};
    redis_peers_begin(&peers, 1);
    for (unsigned i = 0; i < 1000; i++)
        see(&peers, i * 7919 % 1009, i + 1, 1, 1);
    assert_int_equal(peers.count, 1000);
    for (size_t i = 1; i < peers.count; i++)
        assert_true(peers.list[i - 1].node < peers.list[i].node);
    while (peers.count > 1)
        redis_peers_remove(&peers, &peers.list[peers.count / 2]);
    assert_non_null(redis_peers_find(&peers, peers.list[0].node));
    assert_null(redis_peers_find(&peers, 2000));
    redis_peers_free(&peers);
}

/* ---- a call of the script ---- */

static const struct bus_redis_options options = {
    .max_events = 5, .remember_ms = 6, .max_kept = 7, .rate = 10, .burst = 0};
static const struct redis_caller caller = {
    .options = &options, .run = "r", .publisher = 255, .batch = 3};

static bool is_word(const struct redis_call *call, size_t index, const char *text)
{
    return call->words[index].length == strlen(text) &&
           memcmp(call->words[index].text, text, strlen(text)) == 0;
}

static struct bus_event event_of(const char *text)
{
    return (struct bus_event){.topic = "t",
                              .topic_length = 1,
                              .event = text,
                              .event_length = strlen(text),
                              .allowed = "",
                              .token = 1};
}

static void a_call_has_nine_words_of_each_event(void **state)
{
    (void)state;
    struct redis_call call = {0};
    struct bus_event events[] = {event_of("1"), event_of("2"), bus_event_of_position()};
    events[1].flags = ENVELOPE_KEEP | ENVELOPE_HAS_POST_KEY;
    events[1].rate = 3;
    assert_true(redis_call_write(&call, &caller, events, 3, 1));
    const char *const first[] = {"r", "00000000000000ff", "3", "60000", "6", "5", "7"};
    for (size_t i = 0; i < 7; i++)
        assert_true(is_word(&call, i, first[i]));
    assert_int_equal(call.count, 7 + 3 * 9);
    assert_true(is_word(&call, 7, "event") && is_word(&call, 9, ""));
    assert_true(is_word(&call, 12, "10") && is_word(&call, 13, "10")); /* rate, and as burst */
    assert_true(is_word(&call, 16, "keep"));
    assert_true(is_word(&call, 18, "00000000000000000000000000000000"));
    assert_true(is_word(&call, 21, "3") && is_word(&call, 23, "t"));
    assert_true(is_word(&call, 25, "position") && is_word(&call, 30, "0"));
    redis_call_free(&call);
}

static void content_of(char out[17], struct bus_event event)
{
    struct redis_call call = {0};
    event.flags |= ENVELOPE_HAS_POST_KEY;
    assert_true(redis_call_write(&call, &caller, &event, 1, 1));
    assert_int_equal(call.words[10].length, 16);
    memcpy(out, call.words[10].text, 16);
    out[16] = '\0';
    redis_call_free(&call);
}

static void content_is_what_is_said_and_to_whom(void **state)
{
    (void)state;
    char plain[17], other[17];
    content_of(plain, event_of("1"));
    content_of(other, event_of("1"));
    assert_string_equal(plain, other);
    struct bus_event differing[] = {event_of("2"), event_of("1"), event_of("1"), event_of("1")};
    differing[1].flags = ENVELOPE_WHISPER;
    differing[2].flags = ENVELOPE_KEEP;
    differing[3].flags = ENVELOPE_ADDRESSED | ENVELOPE_TARGETED;
    for (size_t i = 0; i < 4; i++) {
        content_of(other, differing[i]);
        assert_string_not_equal(plain, other);
    }
    /* Whom the database names may change between two posts. */
    struct bus_event bound = event_of("1");
    bound.allowed = "ana";
    bound.allowed_length = 4;
    content_of(other, bound);
    assert_string_equal(plain, other);
}

static void results_are_read_one_by_one(void **state)
{
    (void)state;
    struct bus_event events[3] = {{0}};
    assert_true(redis_call_read(events, 3, 10, "0 5-6 0 1 5-4 12 3 5-0 250"));
    assert_int_equal(events[0].ack.status, ACK_DELIVERED);
    assert_true(events[0].epoch == 5 && events[0].ack.event_sequence == 6);
    assert_int_equal(events[1].ack.receivers, 12);
    assert_int_equal(events[2].ack.wait_ms, 250);
    assert_int_equal(events[2].ack.sequence, 12);
    const char *const bad[] = {"",
                               "0 5-6 0",
                               "0 5-6 0 0 5-7 0",
                               "0 5-6 0 0 5-7 0 0 5-8 0 0 5-9 0",
                               "0 5-6 0 99 5-7 0 0 5-8 0",
                               "0 5-6 0 0 x 0 0 5-8 0",
                               "0 5 0 0 5-7 0 0 5-8 0"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(redis_call_read(events, 3, 10, bad[i]));
}

/* ---- receivers ---- */

static void say(struct redis_receivers *receivers, unsigned node, const struct ack *ack,
                const char *answer)
{
    unsigned char start[REDIS_ACK_NODE_SIZE], header[ACK_HEADER_SIZE], record[ACK_RECORD_SIZE];
    struct bytes out = BYTES_EMPTY;
    redis_ack_write_node(start, node);
    if (answer != NULL)
        answer_header_write(header, 0);
    else
        ack_header_write(header, 0);
    ack_record_write(record, ack);
    bytes_append(&out, start, sizeof start);
    bytes_append(&out, header, sizeof header);
    bytes_append(&out, record, sizeof record);
    bytes_append_text(&out, answer != NULL ? answer : "");
    redis_receivers_take(receivers, out.data, out.length);
    bytes_free(&out);
}

static void say_receivers(struct redis_receivers *receivers, unsigned node, uint64_t sequence,
                          uint32_t count)
{
    const struct ack ack = {.sequence = sequence, .receivers = count};
    say(receivers, node, &ack, NULL);
}

static void receivers_are_summed_and_each_node_counts_once(void **state)
{
    (void)state;
    const unsigned nodes[] = {3, 1000};
    struct bus_event events[] = {event_of("1"), event_of("2"), event_of("3")};
    struct redis_receivers receivers;
    for (size_t i = 0; i < 3; i++)
        events[i].acknowledged = true;
    events[2].ack.status = ACK_DOUBLE;
    events[2].ack.receivers = 77;
    assert_true(redis_receivers_begin(&receivers, events, 3, 50, nodes, 2));
    assert_int_equal(receivers.missing, 4);
    say_receivers(&receivers, 3, 50, 2);
    say_receivers(&receivers, 3, 50, 2); /* twice */
    say_receivers(&receivers, 1000, 50, 5);
    say_receivers(&receivers, 1000, 51, 1);
    say_receivers(&receivers, 4, 51, 6); /* it came a moment ago */
    say_receivers(&receivers, 3, 52, 9); /* a double has its own */
    say_receivers(&receivers, 3, 49, 9);
    say_receivers(&receivers, 3, 53, 9);
    redis_receivers_take(&receivers, "x", 1);
    redis_receivers_take(&receivers, "\0\3xxxxxxxxxxxxxxxxx", 19);
    assert_int_equal(receivers.missing, 1);
    redis_receivers_end(&receivers);
    assert_int_equal(events[0].ack.receivers, 7);
    assert_int_equal(events[1].ack.receivers, 7);
    assert_int_equal(events[2].ack.receivers, 77);
    assert_true(events[0].complete && !events[1].complete && events[2].complete);
}

static void without_a_node_nothing_is_complete(void **state)
{
    (void)state;
    struct bus_event event = event_of("1");
    struct redis_receivers receivers;
    event.acknowledged = true;
    assert_true(redis_receivers_begin(&receivers, &event, 1, 1, NULL, 0));
    assert_int_equal(receivers.missing, 0);
    redis_receivers_end(&receivers);
    assert_true(event.acknowledged && !event.complete);
}

static void a_drop_that_one_has_no_room_for_is_not_taken(void **state)
{
    (void)state;
    const unsigned nodes[] = {0, 1};
    struct bus_event event = event_of("1");
    struct redis_receivers receivers;
    event.kind = ENVELOPE_DROP;
    event.acknowledged = true;
    assert_true(redis_receivers_begin(&receivers, &event, 1, 1, nodes, 2));
    const struct ack full = {.sequence = 1, .status = ACK_FULL};
    say(&receivers, 0, &full, NULL);
    redis_receivers_end(&receivers);
    assert_int_equal(event.ack.status, ACK_FULL);
}

struct asked {
    struct bus_event event;
    struct bytes answer;
    struct redis_receivers receivers;
};

static void ask(struct asked *asked)
{
    static const unsigned nodes[] = {0, 1};
    *asked = (struct asked){.event = {.kind = ENVELOPE_QUESTION, .acknowledged = true}};
    asked->event.answer = &asked->answer;
    assert_true(redis_receivers_begin(&asked->receivers, &asked->event, 1, 1, nodes, 2));
    assert_int_equal(asked->receivers.missing_answers, 2);
}

static void a_question_has_the_answers_of_all(void **state)
{
    (void)state;
    const struct ack known = {.sequence = 1}, unknown = {.sequence = 1, .status = ACK_UNKNOWN};
    struct asked asked;
    ask(&asked);
    say(&asked.receivers, 1, &known, "one");
    say(&asked.receivers, 1, &known, "again");
    say(&asked.receivers, 0, &known, "two");
    assert_int_equal(asked.receivers.missing_answers, 0);
    redis_receivers_end(&asked.receivers);
    assert_true(asked.event.acknowledged && asked.event.complete);
    assert_int_equal(asked.answer.length, 7);
    assert_memory_equal(asked.answer.data, "one\ntwo", 7);
    bytes_free(&asked.answer);

    ask(&asked); /* nobody knows, and all have said so */
    say(&asked.receivers, 1, &unknown, "");
    say(&asked.receivers, 0, &unknown, "");
    redis_receivers_end(&asked.receivers);
    assert_true(asked.event.acknowledged);
    assert_int_equal(asked.event.ack.status, ACK_UNKNOWN);

    ask(&asked); /* who has said nothing may know */
    say(&asked.receivers, 1, &unknown, "");
    redis_receivers_end(&asked.receivers);
    assert_false(asked.event.acknowledged);
}

/* ---- what was given ---- */

static void what_comes_again_is_known_after_a_loss_alone(void **state)
{
    (void)state;
    static struct redis_given given;
    struct envelope envelope = {.publisher = 1};
    for (uint64_t i = 0; i < REDIS_GIVEN_MOST + 10; i++) {
        envelope.sequence = i;
        assert_false(redis_given_note(&given, &envelope));
        assert_false(redis_given_note(&given, &(struct envelope){.publisher = 2, .sequence = i}));
    }
    assert_false(redis_given_note(&given, &envelope));
    redis_given_doubt(&given);
    assert_true(redis_given_note(&given, &envelope));
    envelope.publisher = 3;
    assert_false(redis_given_note(&given, &envelope));
    envelope.sequence = 5; /* long ago */
    envelope.publisher = 1;
    assert_false(redis_given_note(&given, &envelope));
    struct envelope posted = {.publisher = 1, .flags = ENVELOPE_HAS_POST_KEY, .post_key = "key"};
    assert_false(redis_given_note(&given, &posted));
    posted.publisher = 9;
    assert_true(redis_given_note(&given, &posted));
    for (int i = 0; i < REDIS_GIVEN_MOST; i++) {
        envelope.sequence = 100000 + (uint64_t)i;
        assert_false(redis_given_note(&given, &envelope));
    }
    assert_false(redis_given_note(&given, &envelope)); /* all that can have been lost is over */
}

/* ---- the queue ---- */

static bool is_readable(const struct redis_queue *queue)
{
    struct pollfd file = {.fd = queue->descriptor, .events = POLLIN};
    return poll(&file, 1, 0) == 1;
}

static struct redis_item *item_of(const char *text)
{
    struct redis_item *item = redis_item_new(text, strlen(text));
    assert_non_null(item);
    return item;
}

static void expect_taken(struct redis_queue *queue, const char *text)
{
    struct redis_item *item = redis_queue_take(queue);
    assert_non_null(item);
    assert_int_equal(item->length, strlen(text));
    assert_memory_equal(item->data, text, strlen(text));
    free(item);
}

static void a_queue_is_readable_while_something_is_in_it(void **state)
{
    (void)state;
    struct redis_queue queue = {0};
    assert_true(redis_queue_open(&queue, sizeof(struct redis_item) * 2 + 4));
    assert_null(redis_queue_take(&queue));
    assert_false(is_readable(&queue));
    assert_true(redis_queue_put(&queue, item_of("a")));
    assert_true(redis_queue_offer(&queue, item_of("b")));
    assert_false(redis_queue_offer(&queue, item_of("no room")));
    redis_queue_push(&queue, item_of("c"));
    expect_taken(&queue, "a");
    assert_true(is_readable(&queue));
    expect_taken(&queue, "b");
    expect_taken(&queue, "c");
    assert_null(redis_queue_take(&queue));
    assert_false(is_readable(&queue));
    redis_queue_push(&queue, item_of("left over"));
    assert_true(is_readable(&queue));
    redis_queue_free(&queue);
}

static void *put_many(void *context)
{
    size_t put = 0;
    for (; put < 2000; put++)
        if (!redis_queue_put(context, item_of("12345")))
            break;
    return (void *)(uintptr_t)put;
}

static void who_puts_waits_for_room_until_it_is_closed(void **state)
{
    (void)state;
    struct redis_queue queue = {0};
    pthread_t thread;
    void *put;
    assert_true(redis_queue_open(&queue, 1000));
    assert_int_equal(pthread_create(&thread, NULL, put_many, &queue), 0);
    for (int i = 0; i < 2000; i++) {
        struct pollfd file = {.fd = queue.descriptor, .events = POLLIN};
        struct redis_item *item;
        while ((item = redis_queue_take(&queue)) == NULL)
            assert_int_equal(poll(&file, 1, -1), 1);
        free(item);
    }
    assert_int_equal(pthread_join(thread, &put), 0);
    assert_int_equal((uintptr_t)put, 2000);

    assert_int_equal(pthread_create(&thread, NULL, put_many, &queue), 0);
    struct pollfd file = {.fd = queue.descriptor, .events = POLLIN};
    assert_int_equal(poll(&file, 1, -1), 1);
    redis_queue_close(&queue);
    assert_int_equal(pthread_join(thread, &put), 0);
    assert_true((uintptr_t)put < 2000);
    redis_queue_free(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_read_as_it_was_written),
        cmocka_unit_test(what_is_no_message_is_refused),
        cmocka_unit_test(a_note_says_whose_and_the_how_manieth_it_is),
        cmocka_unit_test(an_acknowledgement_says_of_which_node_it_is),
        cmocka_unit_test(a_record_is_read_as_it_was_written),
        cmocka_unit_test(an_entry_stands_as_text_among_values),
        cmocka_unit_test(places_are_compared_by_epoch_first),
        cmocka_unit_test(who_does_not_change_for_a_lease_is_dead),
        cmocka_unit_test(another_boot_is_another_node),
        cmocka_unit_test(who_could_not_look_says_of_nobody_that_he_is_dead),
        cmocka_unit_test(peers_are_found_in_whatever_order_they_come_and_go),
        cmocka_unit_test(a_call_has_nine_words_of_each_event),
        cmocka_unit_test(content_is_what_is_said_and_to_whom),
        cmocka_unit_test(results_are_read_one_by_one),
        cmocka_unit_test(receivers_are_summed_and_each_node_counts_once),
        cmocka_unit_test(without_a_node_nothing_is_complete),
        cmocka_unit_test(a_drop_that_one_has_no_room_for_is_not_taken),
        cmocka_unit_test(a_question_has_the_answers_of_all),
        cmocka_unit_test(what_comes_again_is_known_after_a_loss_alone),
        cmocka_unit_test(a_queue_is_readable_while_something_is_in_it),
        cmocka_unit_test(who_puts_waits_for_room_until_it_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
