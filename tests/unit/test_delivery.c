/* Who has an event, and how often it is formatted; with streams that are never written. */
#include "service_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "envelope.h"
#include "net/connection.h"

enum { STREAMS = 4 };

struct crowd {
    struct service_scene scene;
    struct stream *streams[STREAMS];
    struct subscription subscriptions[STREAMS][2];
};

static int set_up(void **state)
{
    struct crowd *crowd = calloc(1, sizeof *crowd);

    assert_non_null(crowd);
    service_scene_open(&crowd->scene);
    assert_true(connection_reserve_marks(&crowd->scene.net, STREAMS));
    for (int i = 0; i < STREAMS; i++) {
        struct stream *stream = calloc(1, sizeof *stream);
        assert_non_null(stream);
        stream->connection.net = &crowd->scene.net;
        stream->connection.descriptor = -1;
        stream->transport = i < 3 ? &scene_transport : &scene_other_transport;
        stream->encoding = (uint8_t)stream->transport->encoding;
        stream->subscriber.subscriptions = crowd->subscriptions[i];
        stream->connid = 1 + (uint64_t)i;
        assert_true(
            hash_table_add(&crowd->scene.streams.by_connid, &stream->by_connid, stream->connid));
        crowd->streams[i] = stream;
    }
    *state = crowd;
    return 0;
}

static int tear_down(void **state)
{
    struct crowd *crowd = *state;
    struct streams *streams = &crowd->scene.streams;

    for (int i = 0; i < STREAMS; i++) {
        struct stream *stream = crowd->streams[i];
        for (uint32_t slot = 0; slot < stream->subscriber.count; slot++)
            topic_index_remove(&streams->topics[crowd->subscriptions[i][slot].kind],
                               &stream->subscriber, slot);
        hash_table_remove(&streams->by_connid, &stream->by_connid);
        output_clear(&stream->connection.output);
    }
    crowd->scene.net.writes.start = crowd->scene.net.writes.end = 0;
    service_scene_close(&crowd->scene);
    for (int i = 0; i < STREAMS; i++)
        free(crowd->streams[i]);
    free(crowd);
    return 0;
}

static void hold(struct crowd *crowd, int i, enum subscription_kind kind, const char *topic)
{
    struct subscriber *subscriber = &crowd->streams[i]->subscriber;
    uint32_t slot = subscriber->count++;

    subscriber->subscriptions[slot] = (struct subscription){.kind = (uint32_t)kind};
    assert_true(topic_index_add(&crowd->scene.streams.topics[kind], subscriber, slot, topic,
                                strlen(topic)));
}

/* Takes what is queued for a stream; ended by NUL, until the next call. */
static const char *queued(struct crowd *crowd, int i)
{
    static char text[4096];
    struct output *output = &crowd->streams[i]->connection.output;
    struct iovec vector;
    size_t length = 0;

    while (output_gather(output, &vector, 1) == 1) {
        assert_true(length + vector.iov_len < sizeof text);
        memcpy(text + length, vector.iov_base, vector.iov_len);
        length += vector.iov_len;
        output_consume(output, vector.iov_len);
    }
    text[length] = '\0';
    return text;
}

static uint32_t publish(struct crowd *crowd, const char *topic, uint16_t flags, const char *allowed,
                        size_t allowed_length)
{
    struct event event = {.topic = topic,
                          .topic_length = strlen(topic),
                          .json = "{\"type\":\"x\"}",
                          .json_length = 12,
                          .allowed = allowed,
                          .allowed_length = allowed_length,
                          .flags = flags};
    uint32_t receivers;

    assert_true(delivery_publish(&crowd->scene.delivery, &event, &receivers));
    assert_int_equal(event.sequence, crowd->scene.log.sequence);
    return receivers;
}

static void everybody_with_the_topic_has_it_formatted_once_for_each_encoding(void **state)
{
    struct crowd *crowd = *state;
    const struct delivery *delivery = &crowd->scene.delivery;

    hold(crowd, 0, SUBSCRIPTION_OPEN, "a/b");
    hold(crowd, 1, SUBSCRIPTION_OPEN, "a/b");
    hold(crowd, 2, SUBSCRIPTION_OPEN, "other");
    hold(crowd, 3, SUBSCRIPTION_OPEN, "a/b");
    assert_int_equal(publish(crowd, "a/b", 0, "", 0), 3);
    assert_int_equal(delivery->frames_formatted, 2);
    assert_int_equal(delivery->deliveries, 3);
    assert_int_equal(connection_marks(&crowd->scene.net), 3);
    assert_ptr_equal(crowd->streams[0]->connection.output.first.segment,
                     crowd->streams[1]->connection.output.first.segment);
    const char *frame = queued(crowd, 0);
    assert_memory_equal(frame, "{\"iat\":", 7);
    assert_non_null(strstr(frame,
                           ",\"id\":\"7-1\",\"ep\":{\"requested\":\"a/b\",\"emitted\":\"a/b\"},"
                           "\"e\":{\"type\":\"x\"}}\n"));
    assert_string_equal(queued(crowd, 2), "");
    assert_non_null(strstr(queued(crowd, 3), "}}!\n"));
}

/* An event arrives once for each requested topic, and counts its receiver once. */
static void a_receiver_counts_once_however_many_of_its_topics_match(void **state)
{
    struct crowd *crowd = *state;

    hold(crowd, 0, SUBSCRIPTION_OPEN, "a/+");
    hold(crowd, 0, SUBSCRIPTION_OPEN, "#");
    assert_int_equal(publish(crowd, "a/b", 0, "", 0), 1);
    assert_int_equal(crowd->scene.delivery.deliveries, 2);
    const char *frames = queued(crowd, 0);
    assert_non_null(strstr(frames, "\"requested\":\"a/+\""));
    assert_non_null(strstr(frames, "\"requested\":\"#\""));
}

static void ids_follow_each_other_and_the_log_has_the_events(void **state)
{
    struct crowd *crowd = *state;

    assert_int_equal(publish(crowd, "nobody", 0, "", 0), 0);
    assert_int_equal(publish(crowd, "nobody", 0, "", 0), 0);
    assert_int_equal(crowd->scene.log.events, 2);
    hold(crowd, 0, SUBSCRIPTION_OPEN, "a");
    (void)publish(crowd, "a", 0, "", 0);
    assert_non_null(strstr(queued(crowd, 0), "\"id\":\"7-3\""));
}

static void one_that_catches_up_counts_and_finds_it_in_the_log(void **state)
{
    struct crowd *crowd = *state;
    struct event event = {.topic = "a", .topic_length = 1, .json = "{}", .json_length = 2};

    hold(crowd, 0, SUBSCRIPTION_OPEN, "a");
    assert_true(replay_begin(&crowd->scene.replays, crowd->streams[0],
                             &(struct replay_start){.may_have_gap = true}, NULL,
                             &(struct presence_due){0}));
    assert_int_equal(publish(crowd, "a", 0, "", 0), 1);
    assert_string_equal(queued(crowd, 0), "");
    assert_true(delivery_publish_presence(&crowd->scene.delivery, &event, 1));
    assert_string_equal(queued(crowd, 0), "");
    replay_abandon(crowd->streams[0]);
}

/* Its id is that of the event before it; a client that calls itself `+` is nobody else. */
static void presence_is_not_kept_and_knows_no_wildcards(void **state)
{
    struct crowd *crowd = *state;
    struct event event = {.topic = "@CONNECTION@/+",
                          .topic_length = 14,
                          .json = "{\"type\":\"connect\"}",
                          .json_length = 18};

    hold(crowd, 0, SUBSCRIPTION_OPEN, "@CONNECTION@/ana");
    hold(crowd, 1, SUBSCRIPTION_OPEN, "@CONNECTION@/+");
    (void)publish(crowd, "a", 0, "", 0);
    assert_true(delivery_publish_presence(&crowd->scene.delivery, &event, 1));
    assert_int_equal(event.sequence, 1);
    assert_int_equal(crowd->scene.log.events, 1);
    assert_string_equal(queued(crowd, 0), "");
    assert_non_null(strstr(queued(crowd, 1), "\"id\":\"7-1\""));
}

static void a_whisper_reaches_its_stream_alone(void **state)
{
    struct crowd *crowd = *state;
    struct event event = {.topic = "a/b",
                          .topic_length = 3,
                          .json = "{\"type\":\"psst\"}",
                          .json_length = 15,
                          .whisper = 2};
    uint32_t receivers;

    for (int i = 0; i < 3; i++)
        hold(crowd, i, SUBSCRIPTION_OPEN, "a/+");
    assert_true(delivery_publish(&crowd->scene.delivery, &event, &receivers));
    assert_int_equal(receivers, 1);
    assert_string_equal(queued(crowd, 0), "");
    assert_non_null(strstr(queued(crowd, 1), "psst"));
    event.sequence = 0;
    event.topic = "c/d";
    assert_true(delivery_publish(&crowd->scene.delivery, &event, &receivers));
    assert_int_equal(receivers, 0);
    event.sequence = 0;
    event.whisper = UINT64_MAX;
    assert_true(delivery_publish(&crowd->scene.delivery, &event, &receivers));
    assert_int_equal(receivers, 0);
    assert_int_equal(crowd->scene.log.events, 3);
}

static void an_event_reaches_all_but_the_one_that_it_names(void **state)
{
    struct crowd *crowd = *state;
    struct event event = {.topic = "a/b",
                          .topic_length = 3,
                          .json = "{\"type\":\"moved\"}",
                          .json_length = 16,
                          .flags = ENVELOPE_EXCEPT,
                          .except = 2};
    uint32_t receivers;

    for (int i = 0; i < 3; i++)
        hold(crowd, i, SUBSCRIPTION_OPEN, "a/+");
    assert_true(delivery_publish(&crowd->scene.delivery, &event, &receivers));
    assert_int_equal(receivers, 2);
    assert_string_equal(queued(crowd, 1), "");
    assert_non_null(strstr(queued(crowd, 0), "moved"));
    assert_non_null(strstr(queued(crowd, 2), "moved"));
    event.sequence = 0;
    event.except = UINT64_MAX;
    assert_true(delivery_publish(&crowd->scene.delivery, &event, &receivers));
    assert_int_equal(receivers, 3);
}

/* docs/protocol.md section 4: the three ways to be bound. */
static void a_bound_event_is_for_whom_it_names(void **state)
{
    struct crowd *crowd = *state;
    static const char users[] = "ana\0eva";

    crowd->streams[0]->identity = identities_new(&crowd->scene.streams.identities, "ana", NULL);
    crowd->streams[1]->identity = identities_new(&crowd->scene.streams.identities, "bob", NULL);
    hold(crowd, 0, SUBSCRIPTION_BOUND, "a");
    hold(crowd, 1, SUBSCRIPTION_BOUND, "a");
    hold(crowd, 2, SUBSCRIPTION_OPEN, "a");
    hold(crowd, 0, SUBSCRIPTION_INBOX, "ana");
    assert_int_equal(publish(crowd, "a", ENVELOPE_BOUND, users, sizeof users), 1);
    assert_non_null(strstr(queued(crowd, 0), "\"requested\":\"a\""));
    assert_string_equal(queued(crowd, 1), "");
    assert_string_equal(queued(crowd, 2), "");
    assert_int_equal(publish(crowd, "a", ENVELOPE_BOUND | ENVELOPE_EVERYONE, users, sizeof users),
                     3);
    for (int i = 0; i < 3; i++)
        (void)queued(crowd, i);
    assert_int_equal(publish(crowd, "a", ENVELOPE_BOUND | ENVELOPE_TARGETED, users, sizeof users),
                     1);
    assert_non_null(strstr(queued(crowd, 0), "\"requested\":\"@USER@\",\"emitted\":\"a\""));
    assert_string_equal(queued(crowd, 1), "");
    assert_string_equal(queued(crowd, 2), "");
    for (int i = 0; i < 2; i++) {
        stream_identity_free(crowd->streams[i]->identity);
        crowd->streams[i]->identity = NULL;
    }
}

/* Nor does an open or a bound one reach who was granted the topic. */
static void a_private_event_reaches_private_subscriptions_alone(void **state)
{
    struct crowd *crowd = *state;

    crowd->streams[1]->identity = identities_new(&crowd->scene.streams.identities, "ana", NULL);
    hold(crowd, 0, SUBSCRIPTION_OPEN, "a");
    hold(crowd, 1, SUBSCRIPTION_BOUND, "a");
    hold(crowd, 1, SUBSCRIPTION_INBOX, "ana");
    hold(crowd, 2, SUBSCRIPTION_PRIVATE, "a");
    hold(crowd, 2, SUBSCRIPTION_PRIVATE, "+");
    assert_int_equal(publish(crowd, "a", ENVELOPE_PRIVATE, "", 0), 1);
    assert_string_equal(queued(crowd, 0), "");
    assert_string_equal(queued(crowd, 1), "");
    const char *both = queued(crowd, 2);
    assert_non_null(strstr(both, "\"requested\":\"a\""));
    assert_non_null(strstr(both, "\"requested\":\"+\""));
    assert_int_equal(publish(crowd, "a", 0, "", 0), 1);
    assert_int_equal(publish(crowd, "a", ENVELOPE_BOUND, "ana", sizeof "ana"), 1);
    assert_int_equal(publish(crowd, "a", ENVELOPE_BOUND | ENVELOPE_EVERYONE, "", 0), 2);
    assert_int_equal(publish(crowd, "a", ENVELOPE_BOUND | ENVELOPE_TARGETED | ENVELOPE_ADDRESSED,
                             "ana", sizeof "ana"),
                     1);
    assert_string_equal(queued(crowd, 2), "");
    stream_identity_free(crowd->streams[1]->identity);
    crowd->streams[1]->identity = NULL;
}

static void one_stream_can_be_told_something(void **state)
{
    struct crowd *crowd = *state;
    struct stream *stream = crowd->streams[0];

    assert_true(delivery_tell(&crowd->scene.delivery, stream, "pong", "{}",
                              (struct log_position){.sequence = 5, .values_after = 5}));
    const char *frame = queued(crowd, 0);
    assert_non_null(strstr(frame, "\"id\":\"7-5\",\"ep\":{\"requested\":\"@SERVER@\","
                                  "\"emitted\":\"@SERVER@\"},"
                                  "\"e\":{\"type\":\"pong\",\"detail\":{}}}\n"));
    (void)publish(crowd, "x", 0, "", 0);
    assert_true(delivery_send_to(&crowd->scene.delivery, stream, "t", 1, "{}", 2));
    assert_non_null(strstr(queued(crowd, 0), "\"id\":\"7-1\",\"ep\":{\"requested\":\"t\","));
    assert_int_equal(crowd->scene.log.events, 1);
    assert_int_equal(connection_marks(&crowd->scene.net), 1);
}

/* Each is of the time at which it was said, not of the last one that somebody asked for. */
static void what_is_said_has_the_time_of_now(void **state)
{
    struct crowd *crowd = *state;
    struct delivery *delivery = &crowd->scene.delivery;
    struct stream *stream = crowd->streams[0];
    struct event event = {
        .topic = "p", .topic_length = 1, .json = "{\"type\":\"y\"}", .json_length = 12};

    hold(crowd, 0, SUBSCRIPTION_OPEN, "a");
    hold(crowd, 0, SUBSCRIPTION_OPEN, "p");
    delivery->iat = 1;
    assert_true(delivery_send_to(delivery, stream, "t", 1, "{}", 2));
    assert_null(strstr(queued(crowd, 0), "{\"iat\":1,"));
    delivery->iat = 1;
    assert_true(delivery_tell(delivery, stream, "pong", "{}",
                              (struct log_position){.sequence = 5, .values_after = 5}));
    assert_null(strstr(queued(crowd, 0), "{\"iat\":1,"));
    delivery->iat = 1;
    assert_int_equal(publish(crowd, "a", 0, "", 0), 1);
    assert_null(strstr(queued(crowd, 0), "{\"iat\":1,"));
    delivery->iat = 1;
    assert_true(delivery_publish_presence(delivery, &event, 1));
    const char *frame = queued(crowd, 0);
    assert_non_null(strstr(frame, "\"emitted\":\"p\""));
    assert_null(strstr(frame, "{\"iat\":1,"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_said_has_the_time_of_now, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            everybody_with_the_topic_has_it_formatted_once_for_each_encoding, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_receiver_counts_once_however_many_of_its_topics_match,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(ids_follow_each_other_and_the_log_has_the_events, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(one_that_catches_up_counts_and_finds_it_in_the_log, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(presence_is_not_kept_and_knows_no_wildcards, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_whisper_reaches_its_stream_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_event_reaches_all_but_the_one_that_it_names, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_bound_event_is_for_whom_it_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_private_event_reaches_private_subscriptions_alone, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(one_stream_can_be_told_something, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
