#include "daemon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "bytes.h"
#include "net/connection.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"

static bool nobody_is_left(void *context)
{
    const struct daemon *daemon = context;

    return daemon->server->net.connections == 0;
}

static void requests_sent_at_once_are_answered_in_order(void **state)
{
    enum { REQUESTS = 3000 };
    struct daemon daemon;
    struct client client;
    struct bytes requests = BYTES_EMPTY;

    (void)state;
    daemon_start(&daemon, "");
    client_open(&client, &daemon);
    for (int i = 0; i < REQUESTS; i++)
        bytes_append_text(&requests, GET("/healthz"));
    bytes_append_text(&requests, "GET /nowhere HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    assert_true(client_send(&client, requests.data, requests.length));
    client_expect_end(&client);
    assert_int_equal(client_count(&client, "HTTP/1.1 200"), REQUESTS);
    assert_int_equal(client_count(&client, "HTTP/1.1 404"), 1);
    assert_non_null(strstr(client.text, "{\"error\":\"Not found\"}"));
    bytes_free(&requests);
    client_close(&client);
    daemon_stop(&daemon);
}

/* Sends requests until no more are taken; gives how many bytes of them were. */
static size_t send_all_that_is_taken(struct client *client, const struct bytes *requests)
{
    size_t taken = 0;

    for (int idle = 0; idle < 20; idle++) {
        size_t left = requests->length - taken % requests->length;
        ssize_t sent =
            send(client->descriptor, requests->data + taken % requests->length, left, MSG_NOSIGNAL);
        if (sent > 0) {
            taken += (size_t)sent;
            idle = 0;
        }
        daemon_turn(client->daemon);
    }
    return taken;
}

/* Counted by the one brace of each. */
struct answers {
    struct client *client;
    size_t at, found, wanted;
};

static bool has_answers(void *context)
{
    struct answers *answers = context;

    client_receive(answers->client);
    for (; answers->at < answers->client->length; answers->at++)
        answers->found += answers->client->text[answers->at] == '}';
    return answers->found >= answers->wanted;
}

/* So long as is configured now. */
static void wait_from_now(uv_handle_t *handle, void *context)
{
    struct connection *connection = connection_of_handle(handle);

    (void)context;
    if (connection != NULL)
        connection_set_deadline(connection);
}

static void who_does_not_take_its_answers_gets_no_more_of_them(void **state)
{
    struct daemon daemon;
    struct client client;
    struct bytes requests = BYTES_EMPTY;
    struct answers answers = {.client = &client};

    (void)state;
    for (int i = 0; i < 1000; i++)
        bytes_append_text(&requests, GET("/healthz"));
    daemon_start(&daemon, "");
    client_open(&client, &daemon);
    answers.wanted = send_all_that_is_taken(&client, &requests) / (sizeof GET("/healthz") - 1);
    assert_true(answers.wanted > 2000);
    assert_true(daemon.server->net.frames.bytes_held < daemon.server->config.max_pending_soft);
    /* One that reads in the end has them all. */
    daemon_turn_until(&daemon, has_answers, &answers);
    assert_int_equal(answers.found, answers.wanted);
    client_close(&client);
    daemon_turn_until(&daemon, nobody_is_left, &daemon);
    /* One that never does is closed. */
    client_open(&client, &daemon);
    (void)send_all_that_is_taken(&client, &requests);
    daemon.server->config.header_time = daemon.server->config.idle_time = 1;
    uv_walk(&daemon.server->net.loop.uv, wait_from_now, NULL);
    daemon_turn_until(&daemon, nobody_is_left, &daemon);
    assert_int_equal(daemon.server->net.counters.closed[CLOSE_SLOW], 1);
    bytes_free(&requests);
    client_close(&client);
    daemon_stop(&daemon);
}

/* Subscribes to so many long topics that the daemon's description of it fills any socket. */
static void subscribe_to_much(struct client *client)
{
    struct bytes json = BYTES_EMPTY;

    bytes_append_text(&json, "{\"clid\":\"much\",\"ep\":[\"last\"");
    for (int i = 0; i < 900; i++)
        bytes_append_format(&json, ",\"%03d%04000d\"", i, 0);
    bytes_append_text(&json, "]}");
    (void)client_subscribe(client, bytes_terminate(&json));
    bytes_free(&json);
}

static void an_answer_reaches_a_client_that_has_said_all_it_wants(void **state)
{
    struct daemon daemon;
    struct client much, asking;

    (void)state;
    daemon_start(&daemon, "max_body = 8M\nmax_topics_size = 100M\nmax_topics_total = 2G\n");
    client_open(&much, &daemon);
    subscribe_to_much(&much);
    client_open(&asking, &daemon);
    assert_true(client_send_text(&asking, GET("/connections?clid=much&details=true&token=admin")));
    assert_int_equal(shutdown(asking.descriptor, SHUT_WR), 0);
    for (int i = 0; i < 10; i++)
        daemon_turn(&daemon);
    client_expect_end(&asking);
    assert_true(asking.length > 3000000);
    assert_true(client_has(&asking, "\"last\""));
    static const char end[] = "}\r\n0\r\n\r\n";
    assert_string_equal(asking.text + asking.length - (sizeof end - 1), end);
    client_close(&asking);
    client_close(&much);
    daemon_turn_until(&daemon, nobody_is_left, &daemon);
    daemon_stop(&daemon);
}

struct trickle {
    struct client *client;
    const char *bytes; /* of which one goes out each turn */
    const char *again; /* where they go on when they are all out */
};

static bool is_told(void *context)
{
    struct trickle *trickle = context;

    (void)client_send(trickle->client, trickle->bytes, 1);
    trickle->bytes = trickle->bytes[1] != '\0' ? trickle->bytes + 1 : trickle->again;
    client_receive(trickle->client);
    return trickle->client->ended;
}

/* Going on sending, the last so many bytes over and over, does not help. */
static void check_dawdler(struct daemon *daemon, const char *bytes, size_t repeated,
                          const char *answer, enum close_reason reason)
{
    struct client client;
    struct trickle trickle = {&client, bytes, bytes + strlen(bytes) - repeated};
    uint64_t before = daemon->server->net.counters.closed[reason];

    client_open(&client, daemon);
    daemon_turn_until(daemon, is_told, &trickle);
    if (!client_has(&client, answer))
        fail_msg("%s: %s", bytes, client.text);
    client_close(&client);
    daemon_turn_until(daemon, nobody_is_left, daemon);
    assert_int_equal(daemon->server->net.counters.closed[reason], before + 1);
}

static void clients_that_dawdle_are_told_and_closed(void **state)
{
    struct daemon daemon;

    (void)state;
    daemon_start(&daemon,
                 "header_time = 100ms\nbody_time = 100ms\nmax_headers = 1M\nmax_body = 1M\n");
    check_dawdler(&daemon, "\r\n", 2, "HTTP/1.1 408 ", CLOSE_HEAD_TIME);
    check_dawdler(&daemon, "GET / HTTP/1.1\r\nHost: h\r\nA: bbbbb", 1, "HTTP/1.1 408 ",
                  CLOSE_HEAD_TIME);
    check_dawdler(&daemon, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\nxxxx", 1,
                  "HTTP/1.1 408 ", CLOSE_BODY_TIME);
    check_dawdler(&daemon, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;aaaa",
                  1, "HTTP/1.1 408 ", CLOSE_BODY_TIME);
    daemon_stop(&daemon);
}

static bool holds_most_of_the_room(void *context)
{
    const struct daemon *daemon = context;

    return daemon->server->service.bodies.used == 700000;
}

/* Bodies that never become whole cannot fill the memory. */
/* The one that has taken longest gives way. */
static void many_large_bodies_are_not_taken_at_once(void **state)
{
    static const char head[] = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 900000\r\n\r\n";
    enum { PART = 700000 };
    struct daemon daemon;
    struct client first, second;
    char *part = malloc(PART);

    (void)state;
    assert_non_null(part);
    memset(part, ' ', PART);
    daemon_start(&daemon, "max_body = 1M\nmax_body_total = 1M\n");
    client_open(&first, &daemon);
    assert_true(client_send_text(&first, head) && client_send(&first, part, PART));
    daemon_turn_until(&daemon, holds_most_of_the_room, &daemon);
    client_open(&second, &daemon);
    assert_true(client_send_text(&second, head) && client_send(&second, part, PART));
    assert_true(client_send(&second, part, 900000 - PART));
    client_expect(&second, "HTTP/1.1 400 Invalid JSON in body");
    (void)client_send(&first, part, 900000 - PART);
    client_expect(&first, "HTTP/1.1 503 Too many requests at once");
    client_expect_end(&first);
    assert_int_equal(daemon.server->service.bodies.used, 0);
    client_close(&first);
    client_close(&second);
    free(part);
    daemon_stop(&daemon);
}

static void one_that_says_nothing_is_closed(void **state)
{
    struct daemon daemon;
    struct client silent, idle;

    (void)state;
    daemon_start(&daemon, "header_time = 100ms\nidle_time = 100ms\n");
    client_open(&silent, &daemon);
    client_open(&idle, &daemon);
    assert_true(client_send_text(&idle, GET("/healthz")));
    client_expect(&idle, "\"ok\"");
    client_expect_end(&idle);
    client_expect_end(&silent);
    assert_int_equal(silent.length, 0);
    assert_int_equal(daemon.server->net.counters.closed[CLOSE_HEAD_TIME], 1);
    assert_int_equal(daemon.server->net.counters.closed[CLOSE_IDLE], 1);
    client_close(&silent);
    client_close(&idle);
    daemon_stop(&daemon);
}

static void one_that_talks_instead_of_listening_is_closed(void **state)
{
    struct daemon daemon;
    struct client client;
    char noise[5000] = {0};

    (void)state;
    daemon_start(&daemon, "max_ignored_input = 10000\n");
    client_open(&client, &daemon);
    (void)client_subscribe(&client, "{\"ep\":[\"a\"]}");
    assert_true(client_send(&client, noise, sizeof noise));
    for (int i = 0; i < 5; i++)
        daemon_turn(&daemon);
    assert_int_equal(daemon_publish(&daemon, "a", "{\"type\":\"x\"}"), 1);
    client_expect(&client, "\"x\"");
    (void)client_send(&client, noise, sizeof noise);
    (void)client_send(&client, noise, sizeof noise);
    client_expect_end(&client);
    assert_int_equal(daemon.server->net.counters.closed[CLOSE_TALKATIVE], 1);
    client_close(&client);
    daemon_stop(&daemon);
}

static void a_connection_is_used_again_after_its_stream(void **state)
{
    struct daemon daemon;
    struct client client;
    uint64_t first, second;

    (void)state;
    daemon_start(&daemon, "stream_time = 1s\n");
    client_open(&client, &daemon);
    first = client_subscribe(&client, "{\"ep\":[\"a\"]}");
    client_expect(&client, "\r\n0\r\n\r\n");
    client_forget(&client);
    second = client_subscribe(&client, "{\"ep\":[\"a\"]}");
    assert_true(second > first);
    /* What is sent early has nothing to do with the next request: no reuse. */
    assert_true(client_send_text(&client, GET("/healthz")));
    client_expect(&client, "\r\n0\r\n\r\n");
    client_expect_end(&client);
    assert_false(client_has(&client, "\"ok\""));
    client_close(&client);
    daemon_stop(&daemon);
}

/* What the system keeps for a client that does not read is bounded as well. */
static void the_system_keeps_no_more_than_it_is_told(void **state)
{
    struct daemon daemon;
    struct client client;
    int size;
    socklen_t length = sizeof size;

    (void)state;
    daemon_start(&daemon, "send_buffer = 20000\n");
    client_open_tcp(&client, &daemon);
    uint64_t connid = client_subscribe(&client, "{\"ep\":[\"a\"]}");
    const struct stream *stream = streams_find(&daemon.server->streams, connid);
    assert_non_null(stream);
    assert_int_equal(
        getsockopt(stream->connection.descriptor, SOL_SOCKET, SO_SNDBUF, &size, &length), 0);
    assert_int_equal(size, 2 * 20000); /* socket(7) */
    client_close(&client);
    daemon_stop(&daemon);
}

/* Each answer in its place, whatever was asked for, and a body is never taken for a request. */
static void requests_may_follow_each_other_without_waiting(void **state)
{
#define POLL(body) "POST /poll HTTP/1.1\r\nHost: h\r\nContent-Length: 21\r\n\r\n" body
    static const char text[] =
        GET("/healthz") POLL("{\"ep\":[\"a\"],\"wait\":0}") POLL("{\"ep\":[\"b\"],\"wait\":0}")
            GET("/nowhere") POLL("{\"ep\":[\"c\"],\"wait\":0}") GET("/healthz");
    static const char *const order[] = {"\"ok\"",       "{\"events\":[", "{\"events\":[",
                                        "HTTP/1.1 404", "{\"events\":[", "\"ok\""};
    struct daemon daemon;

    (void)state;
    daemon_start(&daemon, "");
    for (size_t cut = 0; cut <= sizeof text - 1; cut += 7) {
        struct client client;
        client_open(&client, &daemon);
        assert_true(client_send(&client, text, cut));
        if (cut > 0)
            daemon_turn(&daemon);
        assert_true(client_send(&client, text + cut, sizeof text - 1 - cut));
        client_expect(&client, "\"ok\"");
        while (client_count(&client, "HTTP/1.1 ") < 6 || client_count(&client, "\"ok\"") < 2) {
            daemon_turn(&daemon);
            client_receive(&client);
            assert_false(client.ended);
        }
        const char *at = client.text;
        for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
            at = strstr(at, order[i]);
            assert_non_null(at);
            at++;
        }
        assert_int_equal(client_count(&client, "HTTP/1.1 "), 6);
        client_close(&client);
    }
    daemon_stop(&daemon);
#undef POLL
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_sent_at_once_are_answered_in_order),
        cmocka_unit_test(who_does_not_take_its_answers_gets_no_more_of_them),
        cmocka_unit_test(an_answer_reaches_a_client_that_has_said_all_it_wants),
        cmocka_unit_test(clients_that_dawdle_are_told_and_closed),
        cmocka_unit_test(many_large_bodies_are_not_taken_at_once),
        cmocka_unit_test(requests_may_follow_each_other_without_waiting),
        cmocka_unit_test(one_that_says_nothing_is_closed),
        cmocka_unit_test(one_that_talks_instead_of_listening_is_closed),
        cmocka_unit_test(a_connection_is_used_again_after_its_stream),
        cmocka_unit_test(the_system_keeps_no_more_than_it_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
