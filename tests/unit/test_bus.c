#include "bus.h"
#include "bytes.h"
#include "clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

enum {
    PATIENCE_MS = 60000, /* for what must happen */
    BRIEFLY_MS = 50,     /* for what must not */
    KEY_SIZE = 41
};

/* ---- a daemon of few words, in a thread of its own ---- */

struct seen {
    uint64_t publisher, sequence;
    struct envelope envelope;
    struct bytes topic, allowed, event;
};

struct daemon {
    struct bus_inbox *inbox;
    uint64_t epoch;
    unsigned drop_first;   /* acknowledgements of so many messages are not sent */
    bool wrong_acks_first; /* says something about other sequences before each answer */
    enum ack_status status;
    int stop;
    pthread_t thread;
    struct seen *seen;
    size_t seen_count;
};

static void copy(struct bytes *to, const char *data, size_t length)
{
    bytes_append(to, data, length);
    assert_non_null(bytes_terminate(to));
}

static void note(struct daemon *daemon, const struct bus_message *message)
{
    daemon->seen = reallocarray(daemon->seen, daemon->seen_count + 1, sizeof *daemon->seen);
    assert_non_null(daemon->seen);
    struct seen *seen = &daemon->seen[daemon->seen_count++];
    *seen = (struct seen){.publisher = message->envelope.publisher,
                          .sequence = message->envelope.sequence,
                          .envelope = message->envelope};
    copy(&seen->topic, message->topic, message->topic_length);
    copy(&seen->allowed, message->allowed, message->allowed_length);
    copy(&seen->event, message->event, message->event_length);
}

static void say_wrong_things(struct daemon *daemon, const struct envelope *envelope)
{
    static const int64_t offsets[] = {-1, -2, 1000000, INT64_MIN};
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        struct ack wrong = {.sequence = envelope->sequence + (uint64_t)offsets[i],
                            .receivers = 666};
        bus_inbox_acknowledge(daemon->inbox, envelope->publisher, &wrong);
    }
    struct ack stranger = {.sequence = envelope->sequence, .receivers = 666};
    bus_inbox_acknowledge(daemon->inbox, envelope->publisher + 1, &stranger);
    bus_inbox_flush(daemon->inbox);
}

static void take_messages(struct daemon *daemon)
{
    struct bus_message message;
    int result;
    while ((result = bus_inbox_next(daemon->inbox, &message)) == 1) {
        note(daemon, &message);
        if (daemon->seen_count <= daemon->drop_first)
            continue;
        if (daemon->wrong_acks_first)
            say_wrong_things(daemon, &message.envelope);
        struct ack ack = {.sequence = message.envelope.sequence,
                          .event_sequence = daemon->seen_count,
                          .receivers = (uint32_t)message.topic_length,
                          .status = daemon->status};
        bus_inbox_acknowledge(daemon->inbox, message.envelope.publisher, &ack);
    }
    assert_int_equal(result, 0);
    bus_inbox_flush(daemon->inbox);
}

static void *run_daemon(void *context)
{
    struct daemon *daemon = context;
    struct pollfd sources[2] = {{.fd = bus_inbox_descriptor(daemon->inbox), .events = POLLIN},
                                {.fd = daemon->stop, .events = POLLIN}};
    /* What came before the first poll(2) raises no edge any more. */
    do {
        take_messages(daemon);
        assert_true(poll(sources, 2, -1) > 0);
    } while (sources[1].revents == 0);
    take_messages(daemon);
    return NULL;
}

/* ---- the scene of each test: a folder, options, one daemon, one publisher ---- */

struct scene {
    char folder[32];
    char events[64], acks[64];
    const char *event_endpoints[2], *ack_endpoints[2];
    struct bus_options options;
    struct daemon daemon;
    struct bus_publisher *publisher;
    char error[BUS_ERROR_SIZE];
};

static void start_daemon(struct scene *scene, uint64_t epoch)
{
    struct daemon *daemon = &scene->daemon;
    daemon->epoch = epoch;
    daemon->inbox = bus_inbox_open(&scene->options, epoch, scene->error);
    if (daemon->inbox == NULL)
        fail_msg("%s", scene->error);
    daemon->stop = eventfd(0, EFD_CLOEXEC);
    assert_true(daemon->stop >= 0);
    assert_int_equal(pthread_create(&daemon->thread, NULL, run_daemon, daemon), 0);
}

/* The thread has ended: what it saw can be looked at. */
static void stop_daemon(struct scene *scene)
{
    struct daemon *daemon = &scene->daemon;
    if (daemon->inbox == NULL)
        return;
    assert_int_equal(eventfd_write(daemon->stop, 1), 0);
    assert_int_equal(pthread_join(daemon->thread, NULL), 0);
    close(daemon->stop);
    bus_inbox_close(&daemon->inbox);
    assert_null(daemon->inbox);
}

static void forget_seen(struct daemon *daemon)
{
    for (size_t i = 0; i < daemon->seen_count; i++) {
        bytes_free(&daemon->seen[i].topic);
        bytes_free(&daemon->seen[i].allowed);
        bytes_free(&daemon->seen[i].event);
    }
    free(daemon->seen);
    daemon->seen = NULL;
    daemon->seen_count = 0;
}

static struct bus_publisher *open_publisher(struct scene *scene)
{
    struct bus_publisher *publisher = bus_publisher_open(&scene->options, scene->error);
    if (publisher == NULL)
        fail_msg("%s", scene->error);
    return publisher;
}

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    strcpy(scene->folder, "/tmp/esn-bus-XXXXXX");
    assert_non_null(mkdtemp(scene->folder));
    snprintf(scene->events, sizeof scene->events, "ipc://%s/events", scene->folder);
    snprintf(scene->acks, sizeof scene->acks, "ipc://%s/acks", scene->folder);
    scene->event_endpoints[0] = scene->events;
    scene->ack_endpoints[0] = scene->acks;
    scene->options = (struct bus_options){.event_endpoints = scene->event_endpoints,
                                          .ack_endpoints = scene->ack_endpoints,
                                          .socket_mode = 0600,
                                          .max_message_bytes = 1 << 20};
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    bus_publisher_close(&scene->publisher);
    bus_publisher_close(&scene->publisher);
    stop_daemon(scene);
    forget_seen(&scene->daemon);
    /* The engine leaves its socket files; the next daemon takes their place. */
    if (strncmp(scene->events, "ipc://", 6) == 0) {
        (void)unlink(scene->events + 6);
        (void)unlink(scene->acks + 6);
    }
    assert_int_equal(rmdir(scene->folder), 0);
    free(scene);
    return 0;
}

static struct bus_event event_of(const char *topic, const char *text)
{
    return (struct bus_event){
        .topic = topic, .topic_length = strlen(topic), .event = text, .event_length = strlen(text)};
}

static bool publish(struct scene *scene, const char *text, unsigned limit_ms)
{
    struct bus_event event = event_of("a/b", text);
    return bus_publish(scene->publisher, &event, 1, limit_ms, limit_ms);
}

/* ---- tests ---- */

static void carries_events_as_they_are(void **state)
{
    struct scene *scene = *state;
    start_daemon(scene, 77);
    scene->publisher = open_publisher(scene);
    struct bus_event events[2] = {event_of("\xc3\xa9/+", "{\"type\":\"x\"}"), event_of("b", "{}")};
    events[0].flags = ENVELOPE_PATTERN | ENVELOPE_WHISPER | ENVELOPE_HAS_POST_KEY;
    events[0].whisper = 9007199254740991ULL;
    memset(events[0].post_key, 0xab, sizeof events[0].post_key);
    events[1].flags = ENVELOPE_BOUND;
    events[1].allowed = "7\0eight";
    events[1].allowed_length = 8;
    assert_true(bus_publish(scene->publisher, events, 2, PATIENCE_MS, PATIENCE_MS));
    stop_daemon(scene);

    const struct seen *seen = scene->daemon.seen;
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

/* The down limit is what ends the second try: the other one would not end while anybody waits for
 * this test. */
static void gives_up_without_a_daemon(void **state)
{
    enum { FOREVER_MS = 3600000 };
    struct scene *scene = *state;
    scene->publisher = open_publisher(scene);
    struct bus_event event = event_of("a", "{}");
    uint64_t start = clock_monotonic_ms();
    assert_false(bus_publish(scene->publisher, &event, 1, BRIEFLY_MS, FOREVER_MS));
    assert_true(clock_monotonic_ms() - start >= BRIEFLY_MS);
    assert_false(event.acknowledged);
    assert_false(bus_publish(scene->publisher, &event, 1, FOREVER_MS, BRIEFLY_MS));
    assert_false(event.acknowledged);
}

static void finds_a_daemon_that_comes_later(void **state)
{
    struct scene *scene = *state;
    scene->publisher = open_publisher(scene);
    assert_false(publish(scene, "{\"n\":1}", BRIEFLY_MS));
    start_daemon(scene, 1);
    assert_true(publish(scene, "{\"n\":2}", PATIENCE_MS));
    stop_daemon(scene);
    for (size_t i = 0; i < scene->daemon.seen_count; i++)
        assert_string_equal(scene->daemon.seen[i].event.data, "{\"n\":2}");
}

/* What was refused while the daemon was away stays refused: its successor never hears it. */
static void finds_a_daemon_that_was_away(void **state)
{
    struct scene *scene = *state;
    start_daemon(scene, 1);
    scene->publisher = open_publisher(scene);
    for (uint64_t epoch = 2; epoch < 6; epoch++) {
        assert_true(publish(scene, "{\"before\":1}", PATIENCE_MS));
        stop_daemon(scene);
        forget_seen(&scene->daemon);
        assert_false(publish(scene, "{\"lost\":1}", BRIEFLY_MS));
        if (epoch % 2 == 0)
            assert_false(publish(scene, "{\"lost\":2}", BRIEFLY_MS));
        start_daemon(scene, epoch);
        struct bus_event event = event_of("a", "{\"after\":1}");
        assert_true(bus_publish(scene->publisher, &event, 1, PATIENCE_MS, PATIENCE_MS));
        assert_true(event.epoch == epoch);
    }
    stop_daemon(scene);
    for (size_t i = 0; i < scene->daemon.seen_count; i++)
        assert_null(strstr(scene->daemon.seen[i].event.data, "lost"));
}

/* A daemon that is back before anything was published in between: nobody has told the publisher. */
static void survives_a_restart_unnoticed(void **state)
{
    struct scene *scene = *state;
    start_daemon(scene, 1);
    scene->publisher = open_publisher(scene);
    for (uint64_t epoch = 2; epoch < 6; epoch++) {
        assert_true(publish(scene, "{}", PATIENCE_MS));
        stop_daemon(scene);
        start_daemon(scene, epoch);
        struct bus_event event = event_of("a", "{}");
        assert_true(bus_publish(scene->publisher, &event, 1, PATIENCE_MS, PATIENCE_MS));
        assert_true(event.epoch == epoch);
    }
}

static void sends_again_what_is_not_acknowledged(void **state)
{
    struct scene *scene = *state;
    scene->daemon.drop_first = 6;
    start_daemon(scene, 1);
    scene->publisher = open_publisher(scene);
    struct bus_event events[3] = {event_of("a", "0"), event_of("b", "1"), event_of("c", "2")};
    assert_true(bus_publish(scene->publisher, events, 3, PATIENCE_MS, PATIENCE_MS));
    stop_daemon(scene);
    unsigned times[3] = {0};
    for (size_t i = 0; i < scene->daemon.seen_count; i++) {
        const struct seen *seen = &scene->daemon.seen[i];
        uint64_t index = seen->sequence - scene->daemon.seen[0].sequence;
        assert_true(index < 3);
        assert_int_equal(seen->event.data[0], '0' + (int)index);
        times[index]++;
    }
    assert_true(times[0] >= 3 && times[1] >= 3 && times[2] >= 3);
}

static void heeds_only_its_own_acknowledgements(void **state)
{
    struct scene *scene = *state;
    scene->daemon.wrong_acks_first = true;
    start_daemon(scene, 1);
    scene->publisher = open_publisher(scene);
    for (int i = 0; i < 20; i++) {
        struct bus_event event = event_of("a", "{}");
        assert_true(bus_publish(scene->publisher, &event, 1, PATIENCE_MS, PATIENCE_MS));
        assert_int_equal(event.ack.receivers, 1);
    }
}

/* More and larger than the window that the publisher keeps. */
static void carries_many_in_order(void **state)
{
    enum { COUNT = 2000, SIZE = 20000 };
    struct scene *scene = *state;
    start_daemon(scene, 1);
    scene->publisher = open_publisher(scene);
    struct bus_event *events = calloc(COUNT, sizeof *events);
    char *text = malloc(SIZE);
    assert_true(events != NULL && text != NULL);
    memset(text, 'x', SIZE);
    for (size_t i = 0; i < COUNT; i++)
        events[i] = (struct bus_event){.topic = "t",
                                       .topic_length = 1,
                                       .event = i % 3 == 0 ? text + 1 : text,
                                       .event_length = i % 3 == 0 ? SIZE - 1 : SIZE};
    assert_true(bus_publish(scene->publisher, events, COUNT, PATIENCE_MS, PATIENCE_MS));
    stop_daemon(scene);
    uint64_t next = scene->daemon.seen[0].sequence;
    for (size_t i = 0; i < scene->daemon.seen_count; i++) {
        const struct seen *seen = &scene->daemon.seen[i];
        /* Some may come a second time on a slow machine, but none before those that go before it.
         */
        assert_true(seen->sequence <= next);
        next += seen->sequence == next;
        size_t index = (size_t)(seen->sequence - scene->daemon.seen[0].sequence);
        assert_int_equal(seen->event.length, events[index].event_length);
    }
    assert_true(next == scene->daemon.seen[0].sequence + COUNT);
    free(events);
    free(text);
}

static void tells_overload(void **state)
{
    struct scene *scene = *state;
    scene->daemon.status = ACK_OVERLOAD;
    start_daemon(scene, 1);
    scene->publisher = open_publisher(scene);
    struct bus_event event = event_of("a", "{}");
    assert_false(bus_publish(scene->publisher, &event, 1, PATIENCE_MS, PATIENCE_MS));
    assert_true(event.acknowledged);
    assert_int_equal(event.ack.status, ACK_OVERLOAD);
}

static void serves_several_publishers(void **state)
{
    enum { PUBLISHERS = 12 };
    struct scene *scene = *state;
    struct bus_publisher *publishers[PUBLISHERS];
    start_daemon(scene, 1);
    for (int i = 0; i < PUBLISHERS; i++)
        publishers[i] = open_publisher(scene);
    for (int n = 0; n < 30; n++) {
        struct bus_event event = event_of("a", "{}");
        assert_true(bus_publish(publishers[n % PUBLISHERS], &event, 1, PATIENCE_MS, PATIENCE_MS));
    }
    for (int i = 0; i < PUBLISHERS; i++)
        bus_publisher_close(&publishers[i]);
    stop_daemon(scene);
    for (size_t i = 1; i < PUBLISHERS; i++) {
        for (size_t j = 0; j < i; j++)
            assert_true(scene->daemon.seen[i].publisher != scene->daemon.seen[j].publisher);
    }
}

static void takes_only_its_topics(void **state)
{
    static const char *const prefixes[] = {"casa/", "taller/", NULL};
    struct scene *scene = *state;
    scene->options.topic_prefixes = prefixes;
    start_daemon(scene, 1);
    scene->publisher = open_publisher(scene);
    struct bus_event events[3] = {event_of("casa/x", "{}"), event_of("otra/x", "{}"),
                                  event_of("taller/", "{}")};
    /* The third one is acknowledged because it was sent in time: the hello alone needs the daemon.
     */
    assert_true(bus_publish(scene->publisher, &events[0], 1, PATIENCE_MS, PATIENCE_MS));
    assert_false(bus_publish(scene->publisher, &events[1], 1, BRIEFLY_MS, BRIEFLY_MS));
    assert_true(bus_publish(scene->publisher, &events[2], 1, PATIENCE_MS, PATIENCE_MS));
    stop_daemon(scene);
    for (size_t i = 0; i < scene->daemon.seen_count; i++)
        assert_string_not_equal(scene->daemon.seen[i].topic.data, "otra/x");
}

/* ---- opening ---- */

static void assert_no_inbox(struct scene *scene, const char *in_error)
{
    scene->error[0] = '\0';
    assert_null(bus_inbox_open(&scene->options, 1, scene->error));
    if (strstr(scene->error, in_error) == NULL)
        fail_msg("%s", scene->error);
}

static void refuses_bad_options(void **state)
{
    struct scene *scene = *state;
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
    struct scene *scene = *state;
    start_daemon(scene, 1);
    assert_no_inbox(scene, "another process");
    scene->publisher = open_publisher(scene);
    assert_true(publish(scene, "{}", PATIENCE_MS));
}

static void sets_the_mode_of_its_sockets(void **state)
{
    struct scene *scene = *state;
    const mode_t before = umask(022);
    scene->options.socket_mode = 0620;
    start_daemon(scene, 1);
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
    unsigned char envelope[ENVELOPE_SIZE];
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
    struct scene *scene = *state;
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
    assert_int_equal(message.topic_length, 1);
    assert_memory_equal(message.topic, "x", 1);
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
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int probe = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(probe >= 0);
    assert_int_equal(bind(probe, (const struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(probe, (struct sockaddr *)&address, &size), 0);
    close(probe);
    snprintf(endpoint, 64, "tcp://127.0.0.1:%d", ntohs(address.sin_port));
}

static void asks_for_the_key_on_tcp(void **state)
{
    struct scene *scene = *state;
    char public_key[KEY_SIZE], secret_key[KEY_SIZE], other_public[KEY_SIZE], other_secret[KEY_SIZE];
    assert_int_equal(zmq_curve_keypair(public_key, secret_key), 0);
    assert_int_equal(zmq_curve_keypair(other_public, other_secret), 0);
    find_free_port(scene->events);
    find_free_port(scene->acks);
    scene->options.server_public_key = public_key;
    scene->options.server_secret_key = secret_key;
    start_daemon(scene, 3);
    scene->options.server_secret_key = NULL;
    scene->publisher = open_publisher(scene);
    assert_true(publish(scene, "{}", PATIENCE_MS));
    bus_publisher_close(&scene->publisher);

    scene->options.server_public_key = other_public;
    scene->publisher = open_publisher(scene);
    assert_false(publish(scene, "{\"wrong\":1}", BRIEFLY_MS * 4));
    bus_publisher_close(&scene->publisher);
    scene->options.server_public_key = NULL;
    scene->publisher = open_publisher(scene);
    assert_false(publish(scene, "{\"none\":1}", BRIEFLY_MS * 4));
    stop_daemon(scene);
    for (size_t i = 0; i < scene->daemon.seen_count; i++)
        assert_string_equal(scene->daemon.seen[i].event.data, "{}");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(carries_events_as_they_are),
        TEST(gives_up_without_a_daemon),
        TEST(finds_a_daemon_that_comes_later),
        TEST(finds_a_daemon_that_was_away),
        TEST(survives_a_restart_unnoticed),
        TEST(sends_again_what_is_not_acknowledged),
        TEST(heeds_only_its_own_acknowledgements),
        TEST(carries_many_in_order),
        TEST(tells_overload),
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
