#include "bus_scene.h"
#include "clock.h"
#include "free_port.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

enum {
    PATIENCE_MS = 60000, /* for what must happen */
    BRIEFLY_MS = 50,     /* for what must not */
    KEY_SIZE = 41
};

static struct bus_event event_of(const char *topic, const char *text)
{
    return (struct bus_event){
        .topic = topic, .topic_length = strlen(topic), .event = text, .event_length = strlen(text)};
}

static bool publish(struct bus_scene *scene, const char *text, unsigned limit_ms)
{
    struct bus_event event = event_of("a/b", text);
    /* What fails here is to be tried again at once. */
    return bus_publish(scene->publisher, &event, 1, limit_ms,
                       limit_ms == BRIEFLY_MS ? 0 : limit_ms);
}

/* ---- tests ---- */

static void carries_events_as_they_are(void **state)
{
    struct bus_scene *scene = *state;
    bus_scene_start_daemon(scene, 77);
    scene->publisher = bus_scene_open_publisher(scene);
    struct bus_event events[2] = {event_of("\xc3\xa9/+", "{\"type\":\"x\"}"), event_of("b", "{}")};
    events[0].flags = ENVELOPE_PATTERN | ENVELOPE_WHISPER | ENVELOPE_HAS_POST_KEY;
    events[0].whisper = 9007199254740991ULL;
    memset(events[0].post_key, 0xab, sizeof events[0].post_key);
    events[1].flags = ENVELOPE_BOUND;
    events[1].allowed = "7\0eight";
    events[1].allowed_length = 8;
    assert_true(bus_publish(scene->publisher, events, 2, PATIENCE_MS, PATIENCE_MS));
    bus_scene_stop_daemon(scene);

    const struct bus_seen *seen = scene->daemon.seen;
    assert_true(scene->daemon.seen_count >= 2);
    assert_string_equal(seen[0].topic.data, "\xc3\xa9/+");
    assert_string_equal(seen[0].event.data, "{\"type\":\"x\"}");
    assert_int_equal(seen[0].allowed.length, 0);
    assert_int_equal(seen[0].envelope.flags, events[0].flags);
    assert_true(seen[0].envelope.whisper == events[0].whisper);
    assert_memory_equal(seen[0].envelope.post_key, events[0].post_key, sizeof events[0].post_key);
    assert_string_equal(seen[1].topic.data, "b");
    assert_int_equal(seen[1].allowed.length, 8);
    assert_memory_equal(seen[1].allowed.data, "7\0eight", 8);
    assert_int_equal(seen[1].envelope.flags, ENVELOPE_BOUND);
    assert_true(seen[1].publisher == seen[0].publisher);
    assert_true(seen[1].sequence == seen[0].sequence + 1);
    for (int i = 0; i < 2; i++) {
        assert_true(events[i].acknowledged);
        assert_int_equal(events[i].epoch, 77);
        assert_int_equal(events[i].ack.receivers, events[i].topic_length);
        assert_int_equal(events[i].ack.status, ACK_DELIVERED);
        assert_true(events[i].ack.sequence == seen[i].sequence);
    }
}

/* A daemon of before does not know what it is told, and says nothing. */
static void tells_what_nobody_answers_without_waiting(void **state)
{
    enum { FOREVER_MS = 3600000 };
    struct bus_scene *scene = *state;
    scene->daemon.drop_first = 2;
    bus_scene_start_daemon(scene, 1);
    scene->publisher = bus_scene_open_publisher(scene);
    struct bus_event told[2] = {event_of("told", "{\"n\":1}"), event_of("told", "{\"n\":2}")};
    bus_tell(scene->publisher, told, 2, FOREVER_MS, FOREVER_MS);
    assert_true(publish(scene, "{\"n\":3}", PATIENCE_MS));
    bus_scene_stop_daemon(scene);

    const struct bus_seen *seen = scene->daemon.seen;
    assert_true(scene->daemon.seen_count >= 3);
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(seen[i].event.data, told[i].event);
        assert_true(seen[i].sequence == i + 1);
    }
    assert_true(seen[2].sequence == 3);
}

static void tells_nobody_who_is_away(void **state)
{
    struct bus_scene *scene = *state;
    scene->publisher = bus_scene_open_publisher(scene);
    struct bus_event told = event_of("told", "{}");
    bus_tell(scene->publisher, &told, 1, BRIEFLY_MS, 0);
    bus_scene_start_daemon(scene, 1);
    assert_true(publish(scene, "{\"n\":1}", PATIENCE_MS));
    bus_scene_stop_daemon(scene);
    for (size_t i = 0; i < scene->daemon.seen_count; i++)
        assert_string_equal(scene->daemon.seen[i].event.data, "{\"n\":1}");
}

/* While one has just waited in vain, those behind it do not: the daemon is there, and not asked. */
static void whoever_comes_right_after_a_vain_wait_is_refused_at_once(void **state)
{
    struct bus_scene *scene = *state;
    struct bus_event event = event_of("a", "{}");
    scene->publisher = bus_scene_open_publisher(scene);
    assert_false(bus_publish(scene->publisher, &event, 1, BRIEFLY_MS, PATIENCE_MS));
    bus_scene_start_daemon(scene, 1);
    assert_false(bus_publish(scene->publisher, &event, 1, PATIENCE_MS, PATIENCE_MS));
    assert_false(event.acknowledged);
    bus_scene_stop_daemon(scene);
    assert_int_equal(scene->daemon.seen_count, 0);
}

/* The down limit is what ends the second try: the other one would not end while anybody waits for
 * this test. */
static void gives_up_without_a_daemon(void **state)
{
    enum { FOREVER_MS = 3600000 };
    struct bus_scene *scene = *state;
    scene->publisher = bus_scene_open_publisher(scene);
    struct bus_event event = event_of("a", "{}");
    uint64_t start = clock_monotonic_ms();
    assert_false(bus_publish(scene->publisher, &event, 1, BRIEFLY_MS, 0));
    assert_true(clock_monotonic_ms() - start >= BRIEFLY_MS);
    assert_false(event.acknowledged);
    assert_false(bus_publish(scene->publisher, &event, 1, FOREVER_MS, BRIEFLY_MS));
    assert_false(event.acknowledged);
}

static void finds_a_daemon_that_comes_later(void **state)
{
    struct bus_scene *scene = *state;
    scene->publisher = bus_scene_open_publisher(scene);
    assert_false(publish(scene, "{\"n\":1}", BRIEFLY_MS));
    bus_scene_start_daemon(scene, 1);
    assert_true(publish(scene, "{\"n\":2}", PATIENCE_MS));
    bus_scene_stop_daemon(scene);
    for (size_t i = 0; i < scene->daemon.seen_count; i++)
        assert_string_equal(scene->daemon.seen[i].event.data, "{\"n\":2}");
}

/* What was refused while the daemon was away stays refused: its successor never hears it. */
static void finds_a_daemon_that_was_away(void **state)
{
    struct bus_scene *scene = *state;
    bus_scene_start_daemon(scene, 1);
    scene->publisher = bus_scene_open_publisher(scene);
    for (uint64_t epoch = 2; epoch < 6; epoch++) {
        assert_true(publish(scene, "{\"before\":1}", PATIENCE_MS));
        bus_scene_stop_daemon(scene);
        bus_scene_forget(scene);
        assert_false(publish(scene, "{\"lost\":1}", BRIEFLY_MS));
        if (epoch % 2 == 0)
            assert_false(publish(scene, "{\"lost\":2}", BRIEFLY_MS));
        bus_scene_start_daemon(scene, epoch);
        struct bus_event event = event_of("a", "{\"after\":1}");
        assert_true(bus_publish(scene->publisher, &event, 1, PATIENCE_MS, PATIENCE_MS));
        assert_true(event.epoch == epoch);
    }
    bus_scene_stop_daemon(scene);
    for (size_t i = 0; i < scene->daemon.seen_count; i++)
        assert_null(strstr(scene->daemon.seen[i].event.data, "lost"));
}

/* A daemon that is back before anything was published in between: nobody has told the publisher. */
static void survives_a_restart_unnoticed(void **state)
{
    struct bus_scene *scene = *state;
    bus_scene_start_daemon(scene, 1);
    scene->publisher = bus_scene_open_publisher(scene);
    for (uint64_t epoch = 2; epoch < 6; epoch++) {
        assert_true(publish(scene, "{}", PATIENCE_MS));
        bus_scene_stop_daemon(scene);
        bus_scene_start_daemon(scene, epoch);
        struct bus_event event = event_of("a", "{}");
        assert_true(bus_publish(scene->publisher, &event, 1, PATIENCE_MS, PATIENCE_MS));
        assert_true(event.epoch == epoch);
    }
}

static void sends_again_what_is_not_acknowledged(void **state)
{
    struct bus_scene *scene = *state;
    scene->daemon.drop_first = 6;
    bus_scene_start_daemon(scene, 1);
    scene->publisher = bus_scene_open_publisher(scene);
    struct bus_event events[3] = {event_of("a", "0"), event_of("b", "1"), event_of("c", "2")};
    assert_true(bus_publish(scene->publisher, events, 3, PATIENCE_MS, PATIENCE_MS));
    bus_scene_stop_daemon(scene);
    unsigned times[3] = {0};
    for (size_t i = 0; i < scene->daemon.seen_count; i++) {
        const struct bus_seen *seen = &scene->daemon.seen[i];
        uint64_t index = seen->sequence - scene->daemon.seen[0].sequence;
        assert_true(index < 3);
        assert_int_equal(seen->event.data[0], '0' + (int)index);
        times[index]++;
    }
    assert_true(times[0] >= 3 && times[1] >= 3 && times[2] >= 3);
}

/* What was answered meanwhile makes it wait a little longer, and not for ever. */
static void sends_again_what_is_lost_behind_what_is_answered(void **state)
{
    struct bus_scene *scene = *state;
    scene->daemon.answer_first = 1;
    scene->daemon.drop_first = 3;
    bus_scene_start_daemon(scene, 1);
    scene->publisher = bus_scene_open_publisher(scene);
    struct bus_event events[2] = {event_of("a", "0"), event_of("b", "1")};
    assert_true(bus_publish(scene->publisher, events, 2, PATIENCE_MS, PATIENCE_MS));
    bus_scene_stop_daemon(scene);
    unsigned times[2] = {0};
    for (size_t i = 0; i < scene->daemon.seen_count; i++)
        times[scene->daemon.seen[i].event.data[0] - '0']++;
    assert_true(times[0] >= 1 && times[1] >= 2);
}

/* A text that nobody asked for is passed over; that it was taken counts. */
static void takes_an_answer_to_what_was_no_question(void **state)
{
    struct bus_scene *scene = *state;
    scene->daemon.answer = "a text";
    bus_scene_start_daemon(scene, 7);
    scene->publisher = bus_scene_open_publisher(scene);
    struct bus_event event = event_of("a/b", "{}");
    assert_true(bus_publish(scene->publisher, &event, 1, PATIENCE_MS, PATIENCE_MS));
    assert_true(event.acknowledged);
    assert_int_equal(event.ack.receivers, 3);
    struct bytes text = BYTES_EMPTY;
    event.answer = &text;
    assert_true(bus_publish(scene->publisher, &event, 1, PATIENCE_MS, PATIENCE_MS));
    assert_string_equal(bytes_terminate(&text), "a text");
    assert_int_equal(event.epoch, 7);
    bytes_free(&text);
}

static void heeds_only_its_own_acknowledgements(void **state)
{
    struct bus_scene *scene = *state;
    scene->daemon.wrong_acks_first = true;
    bus_scene_start_daemon(scene, 1);
    scene->publisher = bus_scene_open_publisher(scene);
    for (int i = 0; i < 20; i++) {
        struct bus_event event = event_of("a", "{}");
        assert_true(bus_publish(scene->publisher, &event, 1, PATIENCE_MS, PATIENCE_MS));
        assert_int_equal(event.ack.receivers, 1);
    }
}

static void carry_many_in_order(struct bus_scene *scene, size_t count, size_t size)
{
    bus_scene_start_daemon(scene, 1);
    scene->publisher = bus_scene_open_publisher(scene);
    struct bus_event *events = calloc(count, sizeof *events);
    char *text = malloc(size);
    assert_true(events != NULL && text != NULL);
    memset(text, 'x', size);
    for (size_t i = 0; i < count; i++)
        events[i] = (struct bus_event){.topic = "t",
                                       .topic_length = 1,
                                       .event = i % 3 == 0 ? text + 1 : text,
                                       .event_length = i % 3 == 0 ? size - 1 : size};
    assert_true(bus_publish(scene->publisher, events, count, PATIENCE_MS, PATIENCE_MS));
    bus_scene_stop_daemon(scene);
    uint64_t next = scene->daemon.seen[0].sequence;
    for (size_t i = 0; i < scene->daemon.seen_count; i++) {
        const struct bus_seen *seen = &scene->daemon.seen[i];
        /* Some may come a second time on a slow machine, but none before those that go before it.
         */
        assert_true(seen->sequence <= next);
        next += seen->sequence == next;
        size_t index = (size_t)(seen->sequence - scene->daemon.seen[0].sequence);
        assert_int_equal(seen->event.length, events[index].event_length);
    }
    assert_true(next == scene->daemon.seen[0].sequence + count);
    free(events);
    free(text);
}

/* More and larger than the window that the publisher keeps. */
static void carries_many_in_order(void **state)
{
    carry_many_in_order(*state, 2000, 20000);
}

/* As quick as can be: what the engine's queue had no room for would come behind later ones. */
static void carries_very_many_small_ones_in_order(void **state)
{
    carry_many_in_order(*state, 50000, 3);
}

static void tells_overload(void **state)
{
    struct bus_scene *scene = *state;
    scene->daemon.status = ACK_OVERLOAD;
    bus_scene_start_daemon(scene, 1);
    scene->publisher = bus_scene_open_publisher(scene);
    struct bus_event event = event_of("a", "{}");
    assert_false(bus_publish(scene->publisher, &event, 1, PATIENCE_MS, PATIENCE_MS));
    assert_true(event.acknowledged);
    assert_int_equal(event.ack.status, ACK_OVERLOAD);
}

static void tells_that_a_token_is_limited(void **state)
{
    struct bus_scene *scene = *state;
    scene->daemon.status = ACK_LIMITED;
    bus_scene_start_daemon(scene, 1);
    scene->publisher = bus_scene_open_publisher(scene);
    struct bus_event event = event_of("a", "{}");
    event.token = 4711;
    bool published = bus_publish(scene->publisher, &event, 1, PATIENCE_MS, PATIENCE_MS);
    assert_true(event.acknowledged);
    assert_int_equal(event.ack.status, event.sent_again ? ACK_OVERLOAD : ACK_LIMITED);
    assert_true(published == !event.sent_again);
    bus_scene_stop_daemon(scene);
    assert_true(scene->daemon.seen[0].envelope.token == 4711);
}

/* One copy was refused, another one may have been taken. */
static void is_not_sure_of_the_limit_when_it_sent_an_event_twice(void **state)
{
    struct bus_scene *scene = *state;
    scene->daemon.status = ACK_LIMITED;
    scene->daemon.drop_first = 1;
    bus_scene_start_daemon(scene, 1);
    scene->publisher = bus_scene_open_publisher(scene);
    struct bus_event event = event_of("a", "{}");
    assert_false(bus_publish(scene->publisher, &event, 1, PATIENCE_MS, PATIENCE_MS));
    assert_true(event.acknowledged && event.sent_again);
    assert_int_equal(event.ack.status, ACK_OVERLOAD);
}

static void serves_several_publishers(void **state)
{
    enum { PUBLISHERS = 12 };
    struct bus_scene *scene = *state;
    struct bus_publisher *publishers[PUBLISHERS];
    bus_scene_start_daemon(scene, 1);
    for (int i = 0; i < PUBLISHERS; i++)
        publishers[i] = bus_scene_open_publisher(scene);
    for (int n = 0; n < 30; n++) {
        struct bus_event event = event_of("a", "{}");
        assert_true(bus_publish(publishers[n % PUBLISHERS], &event, 1, PATIENCE_MS, PATIENCE_MS));
    }
    for (int i = 0; i < PUBLISHERS; i++)
        bus_publisher_close(&publishers[i]);
    bus_scene_stop_daemon(scene);
    /* On a busy machine an event may come twice. */
    size_t different = 0;
    for (size_t i = 0; i < scene->daemon.seen_count; i++) {
        size_t j = 0;
        while (j < i && scene->daemon.seen[j].publisher != scene->daemon.seen[i].publisher)
            j++;
        different += j == i;
    }
    assert_int_equal(different, PUBLISHERS);
}

static void takes_only_its_topics(void **state)
{
    static const char *const prefixes[] = {"casa/", "taller/", NULL};
    struct bus_scene *scene = *state;
    scene->options.topic_prefixes = prefixes;
    bus_scene_start_daemon(scene, 1);
    scene->publisher = bus_scene_open_publisher(scene);
    struct bus_event events[3] = {event_of("casa/x", "{}"), event_of("otra/x", "{}"),
                                  event_of("taller/", "{}")};
    /* The third one is acknowledged because it was sent in time: the hello alone needs the daemon.
     */
    assert_true(bus_publish(scene->publisher, &events[0], 1, PATIENCE_MS, PATIENCE_MS));
    assert_false(bus_publish(scene->publisher, &events[1], 1, BRIEFLY_MS, 0));
    assert_true(bus_publish(scene->publisher, &events[2], 1, PATIENCE_MS, PATIENCE_MS));
    struct bus_event position = bus_event_of_position();
    assert_true(bus_publish(scene->publisher, &position, 1, PATIENCE_MS, PATIENCE_MS));
    bus_scene_stop_daemon(scene);
    const struct bus_seen *last = &scene->daemon.seen[scene->daemon.seen_count - 1];
    assert_int_equal(last->envelope.kind, ENVELOPE_POSITION);
    assert_int_equal(last->topic.length, 0);
    assert_int_equal(position.ack.event_sequence, scene->daemon.seen_count);
    for (size_t i = 0; i < scene->daemon.seen_count - 1; i++)
        assert_string_not_equal(scene->daemon.seen[i].topic.data, "otra/x");
}

/* ---- opening ---- */

static void assert_no_inbox(struct bus_scene *scene, const char *in_error)
{
    scene->error[0] = '\0';
    assert_null(bus_inbox_open(&scene->options, 1, scene->error));
    if (strstr(scene->error, in_error) == NULL)
        fail_msg("%s", scene->error);
}

static void refuses_bad_options(void **state)
{
    struct bus_scene *scene = *state;
    const char **endpoint = &scene->event_endpoints[0];
    *endpoint = "inproc://x";
    assert_no_inbox(scene, "inproc://x");
    assert_null(bus_publisher_open(&scene->options, scene->error));
    *endpoint = NULL;
    assert_no_inbox(scene, "no endpoint");
    *endpoint = "ipc:///nowhere/at/all";
    assert_no_inbox(scene, "/nowhere/at/all");
    *endpoint = "tcp://0.0.0.0:1";
    assert_no_inbox(scene, "CURVE");
    assert_null(bus_publisher_open(&scene->options, scene->error));
    assert_non_null(strstr(scene->error, "CURVE"));
    *endpoint = "tcp://127.evil.example:1";
    assert_no_inbox(scene, "CURVE");
    *endpoint = "tcp://127.0.0.1:1";
    scene->options.server_public_key = "0123456789012345678901234567890123456789";
    assert_no_inbox(scene, "secret key");
    scene->options.server_secret_key = "short";
    assert_no_inbox(scene, "40 characters");
    scene->options.server_secret_key = scene->options.server_public_key;
    scene->options.server_public_key = "0123456789012345678901234567890123456789x";
    assert_no_inbox(scene, "40 characters");
    scene->options.server_public_key = "\"123456789012345678901234567890123456789";
    assert_null(bus_publisher_open(&scene->options, scene->error));
    assert_non_null(strstr(scene->error, "bus keys"));
}

static void keeps_a_running_daemons_socket(void **state)
{
    struct bus_scene *scene = *state;
    bus_scene_start_daemon(scene, 1);
    assert_no_inbox(scene, "another process");
    scene->publisher = bus_scene_open_publisher(scene);
    assert_true(publish(scene, "{}", PATIENCE_MS));
}

static void sets_the_mode_of_its_sockets(void **state)
{
    struct bus_scene *scene = *state;
    const mode_t before = umask(022);
    scene->options.socket_mode = 0620;
    bus_scene_start_daemon(scene, 1);
    assert_int_equal(umask(before), 022);
    struct stat status;
    assert_int_equal(stat(scene->events + strlen("ipc://"), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0620);
    assert_int_equal(stat(scene->acks + strlen("ipc://"), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0620);
}

/* ---- hostile messages ---- */

static void send_parts(void *socket, const char *const *parts, const size_t *sizes, int count)
{
    for (int i = 0; i < count; i++)
        assert_true(zmq_send(socket, parts[i], sizes[i], i + 1 < count ? ZMQ_SNDMORE : 0) >= 0);
}

static void send_malformed(void *socket)
{
    unsigned char envelope[ENVELOPE_SIZE_MAX];
    const struct envelope values = {.kind = ENVELOPE_EVENT, .publisher = 5, .sequence = 1};
    envelope_write(envelope, &values);
    const char *const parts[] = {"x", (const char *)envelope, "user", "{}", "more"};
    const size_t good[] = {1, ENVELOPE_SIZE, 0, 2, 4};
    static const struct {
        int count;
        size_t sizes[5];
    } cases[] = {
        {1, {1}},
        {2, {1, ENVELOPE_SIZE}},
        {3, {1, ENVELOPE_SIZE, 0}},
        {5, {1, ENVELOPE_SIZE, 0, 2, 4}},
        {4, {0, ENVELOPE_SIZE, 0, 2}},
        {4, {1, ENVELOPE_SIZE - 1, 0, 2}},
        {4, {1, 0, 0, 2}},
        {4, {1, ENVELOPE_SIZE, 0, 0}},
        {4, {1, ENVELOPE_SIZE, 4, 2}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        send_parts(socket, parts, cases[i].sizes, cases[i].count);
    send_parts(socket, parts, good, 4);
}

/* Sends nine messages that are none and a good one, until that one has come. */
static void counts_what_is_malformed(void **state)
{
    struct bus_scene *scene = *state;
    struct bus_inbox *inbox = bus_inbox_open(&scene->options, 1, scene->error);
    assert_non_null(inbox);
    void *context = zmq_ctx_new();
    void *socket = zmq_socket(context, ZMQ_PUB);
    const int linger = 0;
    assert_int_equal(zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger), 0);
    assert_int_equal(zmq_connect(socket, scene->events), 0);
    struct bus_message message;
    const uint64_t deadline = clock_monotonic_ms() + PATIENCE_MS;
    int result = 0;
    while (result == 0 && clock_monotonic_ms() < deadline) {
        /* All or none pass: the subscription comes between two rounds, or in one whose rest is then
         * complete. */
        send_malformed(socket);
        struct pollfd source = {.fd = bus_inbox_descriptor(inbox), .events = POLLIN};
        assert_true(poll(&source, 1, 10) >= 0);
        result = bus_inbox_next(inbox, &message);
    }
    assert_int_equal(result, 1);
    assert_int_equal(message.event.topic_length, 1);
    assert_memory_equal(message.event.topic, "x", 1);
    assert_int_equal(message.envelope.publisher, 5);
    uint64_t before = bus_inbox_malformed(inbox);
    send_malformed(socket);
    while (result >= 0 && bus_inbox_malformed(inbox) < before + 9 &&
           clock_monotonic_ms() < deadline) {
        struct pollfd source = {.fd = bus_inbox_descriptor(inbox), .events = POLLIN};
        result = bus_inbox_next(inbox, &message);
        if (result == 0)
            assert_true(poll(&source, 1, 10) >= 0);
    }
    assert_true(bus_inbox_malformed(inbox) >= before + 9);
    zmq_close(socket);
    zmq_ctx_term(context);
    bus_inbox_close(&inbox);
}

/* ---- tcp and keys ---- */

static void find_free_port(char endpoint[64])
{
    (void)snprintf(endpoint, 64, "tcp://127.0.0.1:%d", free_port());
}

static void asks_for_the_key_on_tcp(void **state)
{
    struct bus_scene *scene = *state;
    char public_key[KEY_SIZE], secret_key[KEY_SIZE], other_public[KEY_SIZE], other_secret[KEY_SIZE];
    assert_int_equal(zmq_curve_keypair(public_key, secret_key), 0);
    assert_int_equal(zmq_curve_keypair(other_public, other_secret), 0);
    find_free_port(scene->events);
    find_free_port(scene->acks);
    scene->options.server_public_key = public_key;
    scene->options.server_secret_key = secret_key;
    bus_scene_start_daemon(scene, 3);
    scene->options.server_secret_key = NULL;
    scene->publisher = bus_scene_open_publisher(scene);
    assert_true(publish(scene, "{}", PATIENCE_MS));
    bus_publisher_close(&scene->publisher);

    scene->options.server_public_key = other_public;
    scene->publisher = bus_scene_open_publisher(scene);
    assert_false(publish(scene, "{\"wrong\":1}", BRIEFLY_MS * 4));
    bus_publisher_close(&scene->publisher);
    scene->options.server_public_key = NULL;
    scene->publisher = bus_scene_open_publisher(scene);
    assert_false(publish(scene, "{\"none\":1}", BRIEFLY_MS * 4));
    bus_scene_stop_daemon(scene);
    for (size_t i = 0; i < scene->daemon.seen_count; i++)
        assert_string_equal(scene->daemon.seen[i].event.data, "{}");
}

#define TEST(function)                                                                             \
    cmocka_unit_test_setup_teardown(function, bus_scene_set_up, bus_scene_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(carries_events_as_they_are),
        TEST(gives_up_without_a_daemon),
        TEST(whoever_comes_right_after_a_vain_wait_is_refused_at_once),
        TEST(finds_a_daemon_that_comes_later),
        TEST(finds_a_daemon_that_was_away),
        TEST(survives_a_restart_unnoticed),
        TEST(sends_again_what_is_not_acknowledged),
        TEST(sends_again_what_is_lost_behind_what_is_answered),
        TEST(takes_an_answer_to_what_was_no_question),
        TEST(heeds_only_its_own_acknowledgements),
        TEST(carries_many_in_order),
        TEST(carries_very_many_small_ones_in_order),
        TEST(tells_what_nobody_answers_without_waiting),
        TEST(tells_nobody_who_is_away),
        TEST(tells_overload),
        TEST(tells_that_a_token_is_limited),
        TEST(is_not_sure_of_the_limit_when_it_sent_an_event_twice),
        TEST(serves_several_publishers),
        TEST(takes_only_its_topics),
        TEST(refuses_bad_options),
        TEST(keeps_a_running_daemons_socket),
        TEST(sets_the_mode_of_its_sockets),
        TEST(counts_what_is_malformed),
        TEST(asks_for_the_key_on_tcp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
