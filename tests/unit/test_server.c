#include "bus/bus.h"
#include "crowd.h"
#include "daemon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bytes.h"
#include "handover.h"
#include "net/connection.h"
#include "net/send_batch.h"
#include "server_parts.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"

/* An event of about so many bytes. */
static char *make_event(size_t size)
{
    char *json = malloc(size + 64);

    assert_non_null(json);
    memcpy(json, "{\"type\":\"x\",\"detail\":\"", 22);
    memset(json + 22, 'y', size);
    memcpy(json + 22 + size, "\"}", 3);
    return json;
}

static bool nobody_is_left(void *context)
{
    const struct daemon *daemon = context;

    return daemon->server->net.connections == 0;
}

struct poller {
    uv_async_t async;
    struct daemon *daemon;
    const char *topic, *event;
};

static void publish_now(uv_async_t *async)
{
    struct poller *poller = async->data;

    (void)daemon_publish(poller->daemon, poller->topic, poller->event);
}

/* Publishes while the loop polls, as the bus does: the loop frees what is closed right after that.
 */
static void publish_polling_until_slow(struct daemon *daemon, const char *topic, const char *event)
{
    struct poller poller = {.daemon = daemon, .topic = topic, .event = event};

    assert_int_equal(uv_async_init(&daemon->server->net.loop.uv, &poller.async, publish_now), 0);
    poller.async.data = &poller;
    while (daemon->server->net.counters.closed[CLOSE_SLOW] == 0) {
        assert_int_equal(uv_async_send(&poller.async), 0);
        daemon_turn(daemon);
    }
    uv_close((uv_handle_t *)&poller.async, NULL);
    daemon_turn(daemon);
}

/* Both hold the same frames, so closing the one frees nothing: the other, which is told of it, is
 * closed in the same breath. */
static void one_that_is_closed_may_be_watched_by_the_next(void **state)
{
    struct daemon daemon;
    struct client watched, watching, healthy;
    char *event = make_event(100000);

    (void)state;
    daemon_start(&daemon, "max_pending = 1M\nmax_pending_total = 1M\n");
    client_open(&watched, &daemon);
    (void)client_subscribe(&watched, "{\"clid\":\"w\",\"ep\":[\"a\"]}");
    client_open(&watching, &daemon);
    (void)client_subscribe(&watching, "{\"ep\":[\"a\",\"@CONNECTION@/w\"]}");
    client_open(&healthy, &daemon);
    (void)client_subscribe(&healthy, "{\"ep\":[\"@CONNECTION@/w\"]}");
    publish_polling_until_slow(&daemon, "a", event);
    client_expect(&healthy, "\"type\":\"disconnect\",\"detail\":{\"clid_instances\":0}");
    assert_int_equal(daemon.server->net.counters.closed[CLOSE_SLOW], 2);
    client_expect_end(&watched);
    client_expect_end(&watching);
    client_close(&watched);
    client_close(&watching);
    client_close(&healthy);
    free(event);
    daemon_stop(&daemon);
}

static void many_that_watch_each_other_vanish_at_once(void **state)
{
    enum { CLIENTS = 40 };
    struct daemon daemon;
    struct client clients[CLIENTS];
    char *event = make_event(1000);

    (void)state;
    daemon_start(&daemon, "");
    for (int i = 0; i < CLIENTS; i++) {
        client_open(&clients[i], &daemon);
        (void)client_subscribe(&clients[i], "{\"clid\":\"c\",\"ep\":[\"#\",\"@CONNECTION@/c\","
                                            "\"@CONNECTION@/+\",\"a/+\"]}");
    }
    assert_int_equal(daemon_publish(&daemon, "a/b", event), CLIENTS);
    for (int i = 0; i < CLIENTS; i++)
        client_close(&clients[i]);
    assert_int_equal(daemon_publish(&daemon, "a/b", event), CLIENTS);
    daemon_turn_until(&daemon, nobody_is_left, &daemon);
    free(event);
    daemon_stop(&daemon);
}

static void it_stops_with_the_last_chunk_and_begins_nothing_new(void **state)
{
    static const char subscription[] = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n";
    struct daemon daemon;
    struct client stream, late;

    (void)state;
    daemon_start(&daemon, "");
    client_open(&stream, &daemon);
    (void)client_subscribe(&stream, "{\"ep\":[\"a\"]}");
    client_open(&late, &daemon);
    assert_true(client_send_text(&late, subscription));
    while (daemon.server->net.connections < 2)
        daemon_turn(&daemon);
    daemon_turn(&daemon);
    assert_int_equal(raise(SIGTERM), 0);
    while (!daemon.server->net.stopping)
        daemon_turn(&daemon);
    assert_true(client_send_text(&late, "{\"ep\":[] }"));
    client_expect(&late, "HTTP/1.1 503 ");
    client_expect(&late, "Connection: close");
    client_expect_end(&stream);
    assert_string_equal(stream.text + stream.length - 7, "\r\n0\r\n\r\n");
    client_close(&late);
    client_close(&stream);
    daemon_stop(&daemon);
}

static void one_too_many_is_told_so(void **state)
{
    struct daemon daemon;
    struct client first, second;

    (void)state;
    daemon_start(&daemon, "max_connections = 1\n");
    client_open(&first, &daemon);
    (void)client_subscribe(&first, "{\"ep\":[\"a\"]}");
    client_open_tcp(&second, &daemon);
    /* Whatever it sends, it must not be reset before it has the answer. */
    assert_true(client_send_text(&second, GET("/poll?ep=a")));
    client_expect_end(&second);
    assert_true(client_has(&second, "HTTP/1.1 503 Too many connections\r\n"));
    assert_true(client_has(&second, "Retry-After: 5\r\n"));
    assert_true(client_has(&second, "Access-Control-Expose-Headers: Retry-After\r\n"));
    assert_true(client_has(&second, "{\"error\":\"Too many connections\"}"));
    assert_int_equal(daemon.server->net.counters.refused_full, 1);
    client_close(&second);
    client_close(&first);
    daemon_turn_until(&daemon, nobody_is_left, &daemon);
    daemon_stop(&daemon);
}

#define EVENT_SOURCE "GET /sse?ep=a HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n"

static void keeps_places_for_operators(void **state)
{
    struct daemon daemon;
    struct client holder, asking, idle[NET_KEPT_PLACES + 1];

    (void)state;
    daemon_start(&daemon, "max_connections = 1\n");
    client_open(&holder, &daemon);
    (void)client_subscribe(&holder, "{\"ep\":[\"a\"]}");
    for (int i = 0; i < 3; i++) { /* no place is kept by an answer */
        client_open_tcp(&asking, &daemon);
        assert_true(client_send_text(&asking, i == 0 ? GET("/state") : GET("/healthz")));
        client_expect_end(&asking);
        assert_true(client_has(&asking, i == 0 ? "HTTP/1.1 401 " : "HTTP/1.1 200 OK\r\n"));
        client_close(&asking);
    }
    assert_int_equal(daemon.server->net.counters.refused_full, 0);
    client_open_tcp(&asking, &daemon); /* an EventSource is closed for good by any answer but 200 */
    assert_true(client_send_text(&asking, EVENT_SOURCE));
    client_expect_end(&asking);
    assert_true(client_has(&asking, "HTTP/1.1 200 OK\r\n"));
    assert_true(client_has(&asking, "\r\n\r\nretry: "));
    client_close(&asking);
    assert_int_equal(daemon.server->net.counters.refused_full, 1);
    /* Who takes them and says nothing is bounded in number and time. */
    for (int i = 0; i <= NET_KEPT_PLACES; i++)
        client_open_tcp(&idle[i], &daemon);
    client_expect_end(&idle[NET_KEPT_PLACES]);
    assert_true(client_has(&idle[NET_KEPT_PLACES], "HTTP/1.1 503 Too many connections\r\n"));
    client_open_tcp(&asking, &daemon);
    assert_true(client_send_text(&asking, EVENT_SOURCE));
    client_expect_end(&asking);
    assert_true(client_has(&asking, "HTTP/1.1 200 OK\r\n") &&
                client_has(&asking, "\r\n\r\nretry: "));
    client_close(&asking);
    for (int i = 0; i < NET_KEPT_PLACES; i++) {
        client_expect_end(&idle[i]);
        client_close(&idle[i]);
    }
    client_close(&idle[NET_KEPT_PLACES]);
    client_close(&holder);
    daemon_turn_until(&daemon, nobody_is_left, &daemon);
    daemon_stop(&daemon);
}

/* ---- events from the bus ---- */

struct publishing {
    struct bus_options options;
    const char *const events[2], *const acks[2];
    struct bus_event *list;
    size_t count;
    bool published;
    volatile bool done;
};

static void *publish(void *context)
{
    struct publishing *publishing = context;
    char error[BUS_ERROR_SIZE];
    struct bus_publisher *publisher = bus_publisher_open(&publishing->options, error);

    if (publisher != NULL)
        publishing->published =
            bus_publish(publisher, publishing->list, publishing->count, 30000, 30000);
    bus_publisher_close(&publisher);
    publishing->done = true;
    return NULL;
}

/* Publishes over the bus while `between` is called after each turn of the daemon. */
static void publish_over_bus(struct daemon *daemon, struct bus_event *list, size_t length,
                             void (*between)(void *), void *context)
{
    struct publishing publishing = {
        .events = {daemon->events}, .acks = {daemon->acks}, .list = list, .count = length};
    pthread_t thread;

    publishing.options = (struct bus_options){.event_endpoints = publishing.events,
                                              .ack_endpoints = publishing.acks};
    assert_int_equal(pthread_create(&thread, NULL, publish, &publishing), 0);
    while (!publishing.done) {
        daemon_turn(daemon);
        if (between != NULL)
            between(context);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(publishing.published);
}

static void what_is_whispered_to_nobody_is_not_shouted(void **state)
{
    struct daemon daemon;
    struct client client;
    struct bus_event events[] = {
        {.topic = "a",
         .topic_length = 1,
         .event = "{\"type\":\"hidden\"}",
         .event_length = 17,
         .flags = ENVELOPE_WHISPER},
        {.topic = "a", .topic_length = 1, .event = "{\"type\":\"open\"}", .event_length = 15},
    };

    (void)state;
    daemon_start(&daemon, "");
    client_open(&client, &daemon);
    (void)client_subscribe(&client, "{\"ep\":[\"a\"]}");
    publish_over_bus(&daemon, events, 2, NULL, NULL);
    client_expect(&client, "open");
    assert_false(client_has(&client, "hidden"));
    assert_int_equal(events[0].ack.receivers, 0);
    assert_int_equal(events[1].ack.receivers, 1);
    client_close(&client);
    daemon_turn_until(&daemon, nobody_is_left, &daemon);
    daemon_stop(&daemon);
}

/* Whose sockets are full has bytes on their way, for which a busy machine may take many turns. */
static void take_all(const struct daemon *daemon, struct client *client)
{
    struct pollfd comes = {.fd = client->descriptor, .events = POLLIN};

    if (daemon->server->net.backlogs > 0)
        assert_true(poll(&comes, 1, 10000) > 0);
    client_receive(client);
}

struct reading {
    const struct daemon *daemon;
    struct client *client;
};

static void take_all_between(void *context)
{
    const struct reading *reading = context;

    take_all(reading->daemon, reading->client);
}

/* A batch is bounded in bytes as well, so that a client that reads gets to read. */
static void a_burst_of_large_events_reaches_a_client_that_reads(void **state)
{
    enum { EVENTS = 60, SIZE = 500000 };
    struct daemon daemon;
    struct client client;
    struct bus_event events[EVENTS];
    char *event = make_event(SIZE);

    (void)state;
    daemon_start(&daemon, "");
    client_open_tcp(&client, &daemon);
    (void)client_subscribe(&client, "{\"ep\":[\"a\"]}");
    for (int i = 0; i < EVENTS; i++)
        events[i] = (struct bus_event){
            .topic = "a", .topic_length = 1, .event = event, .event_length = strlen(event)};
    struct reading reading = {.daemon = &daemon, .client = &client};
    publish_over_bus(&daemon, events, EVENTS, take_all_between, &reading);
    while (!client.ended && client.length < (size_t)EVENTS * SIZE) {
        daemon_turn(&daemon);
        take_all(&daemon, &client);
    }
    assert_false(client.ended);
    client_close(&client);
    free(event);
    daemon_turn_until(&daemon, nobody_is_left, &daemon);
    daemon_stop(&daemon);
}

/* As the bus does when an event comes while another is being written to many. */
static void what_comes_while_many_are_written_goes_along(void **state)
{
    enum { CLIENTS = SEND_BATCH_MOST + 10 };
    struct daemon daemon;
    struct client clients[CLIENTS];
    size_t written = 0;

    (void)state;
    daemon_start(&daemon, "");
    for (int i = 0; i < CLIENTS; i++) {
        client_open(&clients[i], &daemon);
        (void)client_subscribe(&clients[i], "{\"ep\":[\"a\"]}");
    }
    assert_int_equal(daemon_publish(&daemon, "a", "{\"type\":\"first\"}"), CLIENTS);
    assert_true(connection_flush_some(&daemon.server->net));
    assert_int_equal(daemon_publish(&daemon, "a", "{\"type\":\"second\"}"), CLIENTS);
    for (int i = 0; i < CLIENTS; i++) {
        client_receive(&clients[i]);
        written += client_count(&clients[i], "first");
    }
    assert_int_equal(written, SEND_BATCH_MOST);
    assert_true(connection_flush_some(&daemon.server->net)); /* the rest, and the first once more */
    assert_false(connection_flush_some(&daemon.server->net));
    for (int i = 0; i < CLIENTS; i++) {
        client_receive(&clients[i]);
        assert_int_equal(client_count(&clients[i], "\"first\""), 1);
        assert_int_equal(client_count(&clients[i], "\"second\""), 1);
        assert_true(strstr(clients[i].text, "\"first\"") < strstr(clients[i].text, "\"second\""));
        client_close(&clients[i]);
    }
    daemon_turn_until(&daemon, nobody_is_left, &daemon);
    daemon_stop(&daemon);
}

static void a_crowd_that_does_anything_leaves_nothing_behind(void **state)
{
    enum { STEPS = 20000 };
    struct daemon daemon;
    struct crowd crowd;

    (void)state;
    daemon_start(&daemon, crowd_config);
    crowd_open(&crowd, &daemon, 2024);
    for (int i = 0; i < STEPS; i++)
        crowd_step(&crowd);
    crowd_close(&crowd);
    assert_true(crowd.streams_checked > 500);
    assert_true(crowd.frames_checked > 5000);
    daemon_stop(&daemon);
}

/* Piece after piece: the loop does not sleep while who asked has taken all that was written. */
static void a_long_report_is_written_without_a_pause(void **state)
{
    enum { STREAMS = 200, PADDING = 900 };
    struct daemon daemon;
    struct client streams[STREAMS], operator;
    char json[PADDING + 32];
    size_t turns = 0;

    (void)state;
    daemon_start(&daemon, "");
    (void)snprintf(json, sizeof json, "{\"ep\":[\"%0*d\"]}", PADDING, 0);
    for (int i = 0; i < STREAMS; i++) {
        client_open(&streams[i], &daemon);
        (void)client_subscribe(&streams[i], json);
    }
    client_open(&operator, & daemon);
    assert_true(client_send_text(&operator, "GET /connections?details=true HTTP/1.1\r\nHost: h\r\n"
                                            "Authorization: Bearer admin\r\n\r\n"));
    for (; !client_has(&operator, "\r\n0\r\n\r\n"); client_receive(&operator)) {
        if (client_has(&operator, "\"ep\":[\"")) {
            assert_true(uv_is_active((const uv_handle_t *)&daemon.server->busy));
            turns++;
        }
        daemon_turn(&daemon);
    }
    assert_true(turns > 2);
    assert_int_equal(client_count(&operator, "\"ep\":[\""), STREAMS);
    client_close(&operator);
    for (int i = 0; i < STREAMS; i++)
        client_close(&streams[i]);
    daemon_stop(&daemon);
}

/* It may resume from an event once it has that under the last of its topics, and not before. */
static void the_last_copy_of_each_event_alone_has_its_id(void **state)
{
    static const char request[] = "GET /sse?ep=a/%2B&ep=a/b&ep=%23 HTTP/1.1\r\nHost: h\r\n\r\n";
    enum { TOPICS = 3, EVENTS = 3 };
    struct daemon daemon;
    struct client client;

    (void)state;
    daemon_start(&daemon, "");
    client_open(&client, &daemon);
    assert_true(client_send_text(&client, request));
    client_expect(&client, "\"connected\"");
    for (int i = 0; i < EVENTS; i++) {
        client_forget(&client);
        assert_int_equal(daemon_publish(&daemon, "a/b", "{\"type\":\"x\"}"), 1);
        while (client_count(&client, "\"type\":\"x\"") < TOPICS) {
            assert_false(client.ended);
            daemon_turn(&daemon);
            client_receive(&client);
        }
        assert_int_equal(client_count(&client, "id: "), 1);
        const char *id = client_find(&client, client.text, "id: ");
        assert_non_null(client_find(&client, id, "\"type\":\"x\""));
        const char *first = client_find(&client, client.text, "\"type\":\"x\"");
        assert_true(client_find(&client, first + 1, "\"type\":\"x\"") < id);
    }
    client_close(&client);
    daemon_stop(&daemon);
}

/* A topic that is shorter than the prefix asks for nobody. */
static void who_is_there_is_said_of_those_who_are_named(void **state)
{
    struct daemon daemon;
    struct client client;

    (void)state;
    daemon_start(&daemon, "");
    client_open(&client, &daemon);
    (void)client_subscribe(&client, "{\"ep\":[\"@CONNECTION@/named\",\"@CONNECTION@\",\"@\"]}");
    client_expect(&client, "\"available\"");
    assert_int_equal(daemon_publish(&daemon, "@", "{\"type\":\"x\"}"), 1);
    client_expect(&client, "\"type\":\"x\"");
    assert_int_equal(client_count(&client, "\"available\""), 1);
    client_close(&client);
    daemon_stop(&daemon);
}

static void what_cannot_be_taken_over_is_named(void **state)
{
    static int descriptors[1];
    static struct heir heir = {.descriptors = descriptors};
    struct daemon daemon;
    char error[SERVER_ERROR_SIZE] = "";

    (void)state;
    daemon_start(&daemon, "");
    heir.state.sections[SAVED_CONNECTIONS].failed = true;
    assert_false(handover_take_clients(daemon.server, &heir, error));
    assert_string_equal(error, "the section \"connections\" of the state cannot be taken over, or "
                               "there is no memory");
    daemon_stop(&daemon);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_is_closed_may_be_watched_by_the_next),
        cmocka_unit_test(many_that_watch_each_other_vanish_at_once),
        cmocka_unit_test(it_stops_with_the_last_chunk_and_begins_nothing_new),
        cmocka_unit_test(one_too_many_is_told_so),
        cmocka_unit_test(keeps_places_for_operators),
        cmocka_unit_test(what_is_whispered_to_nobody_is_not_shouted),
        cmocka_unit_test(a_burst_of_large_events_reaches_a_client_that_reads),
        cmocka_unit_test(what_comes_while_many_are_written_goes_along),
        cmocka_unit_test(a_crowd_that_does_anything_leaves_nothing_behind),
        cmocka_unit_test(a_long_report_is_written_without_a_pause),
        cmocka_unit_test(the_last_copy_of_each_event_alone_has_its_id),
        cmocka_unit_test(who_is_there_is_said_of_those_who_are_named),
        cmocka_unit_test(what_cannot_be_taken_over_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
