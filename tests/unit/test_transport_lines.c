/* Raw TCP, by way of the whole daemon. */
#include "daemon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "net/connection.h"

#define EVENT(type) "{\"type\":\"" type "\"}"

static void open_with(struct client *client, struct daemon *daemon, const char *text)
{
    client_open_lines(client, daemon);
    assert_true(client_send_text(client, text));
}

static void each_frame_is_a_line(void **state)
{
    struct daemon daemon;
    struct client client;

    (void)state;
    daemon_start(&daemon, "");
    open_with(&client, &daemon, "{\"ep\":[\"a\"],\"clid\":\"device\"}\r\n");
    client_expect(&client, "}}}\n");
    assert_memory_equal(client.text, "{\"iat\":", 7);
    assert_true(client_has(&client, "\"requested\":\"@SERVER@\""));
    client_forget(&client);
    assert_int_equal(daemon_publish(&daemon, "a", EVENT("one")), 1);
    assert_int_equal(daemon_publish(&daemon, "a", EVENT("two")), 1);
    client_expect(&client, EVENT("one") "}\n{\"iat\":");
    client_expect(&client, EVENT("two") "}\n");
    assert_int_equal(presence_count(&daemon.server->streams.presence, "device", 6), 1);
    client_close(&client);
    daemon_stop(&daemon);
}

static void lines_may_come_in_any_pieces(void **state)
{
    static const char text[] = "\n{\"ep\":[\"a\"]}\r\n\r\n{\"subscribe\":[\"b\"]}\n{\"ping\":1}\n";
    struct daemon daemon;
    struct client client;

    (void)state;
    daemon_start(&daemon, "");
    for (size_t piece = 1; piece <= sizeof text; piece++) {
        client_open_lines(&client, &daemon);
        for (size_t at = 0; at + 1 < sizeof text; at += piece) {
            size_t left = sizeof text - 1 - at;
            assert_true(client_send(&client, text + at, piece < left ? piece : left));
            daemon_turn(&daemon);
        }
        client_expect(&client, "\"pong\"");
        assert_true(client_has(&client, "\"subscribed\",\"detail\":{\"topics\":2}"));
        client_close(&client);
    }
    daemon_stop(&daemon);
}

static void is_refused(struct daemon *daemon, const char *text, const char *reason)
{
    struct client client;
    char line[120];

    open_with(&client, daemon, text);
    client_expect_end(&client);
    (void)snprintf(line, sizeof line, "{\"error\":\"%s\"}\n", reason);
    assert_string_equal(client.text, line);
    client_close(&client);
}

static void a_first_line_that_is_refused_is_the_last(void **state)
{
    struct daemon daemon;
    char many[600];

    (void)state;
    daemon_start(&daemon, "max_message = 512\nheader_time = 200ms\nmax_messages = 5\n");
    is_refused(&daemon, "GET / HTTP/1.1\r\n\r\n", "Invalid JSON in body");
    is_refused(&daemon, "{\"ping\":1}\n{\"ep\":[]}\n", "Event Points should be an array");
    is_refused(&daemon, "{\"ep\":[\"\"]}\n", "Topic is empty");
    is_refused(&daemon, "{\"ep\":[{\"topic\":\"a\",\"binded\":true}]}\n",
               "Bound topics need a bind key");
    is_refused(&daemon, "{\"ep\":[],\"bind_key\":\"k\"}\n", "Bind keys are not accepted here");
    is_refused(&daemon, "{\"ticket\":\"t\"}\n", "Invalid ticket");
    is_refused(&daemon, "{\"ep\"", "Subscription not received in time");
    is_refused(&daemon, "\n", "Subscription not received in time");
    is_refused(&daemon, "\n\n\n\n\n\n", "Too many messages");
    memset(many, ' ', sizeof many);
    many[sizeof many - 1] = '\0';
    is_refused(&daemon, many, "Line too long");
    daemon_stop(&daemon);
}

/* What was begun is heard of in time, as an error of the stream. */
static void expect_error(struct client *client, const char *reason)
{
    char detail[120];

    (void)snprintf(detail, sizeof detail, "{\"type\":\"error\",\"detail\":{\"error\":\"%s\"}}}\n",
                   reason);
    client_expect(client, detail);
    client_expect_end(client);
    client_close(client);
}

static void a_stream_ends_when_a_line_is_too_long_or_late(void **state)
{
    struct daemon daemon;
    struct client client;
    char many[600];

    (void)state;
    daemon_start(&daemon, "max_message = 512\nbody_time = 200ms\n");
    open_with(&client, &daemon, "{\"ep\":[\"a\"]}\n{\"ping\":1}\n");
    client_expect(&client, "\"pong\"");
    memset(many, ' ', sizeof many);
    assert_true(client_send(&client, many, 514));
    expect_error(&client, "Line too long");
    open_with(&client, &daemon, "{\"ep\":[\"a\"]}\n{\"pi");
    client_expect(&client, "\"connected\"");
    expect_error(&client, "Line not received in time");
    daemon_stop(&daemon);
}

static bool nearly_all_is_taken(void *context)
{
    const struct daemon *daemon = context;

    return daemon->server->service.bodies.used == (1 << 20) - 20;
}

static bool one_gave_way(void *context)
{
    const struct daemon *daemon = context;

    return daemon->server->service.bodies.given_up == 1;
}

/* Lines that never become whole are bounded for all clients together: the oldest gives way. */
static void a_full_budget_is_said(void **state)
{
    struct daemon daemon;
    struct client hoarder, client;
    char *many = malloc(1 << 20);

    (void)state;
    assert_non_null(many);
    memset(many, ' ', 1 << 20);
    daemon_start(&daemon, "max_message = 1M\nmax_body = 1M\nmax_body_total = 1M\n");
    open_with(&hoarder, &daemon, "{\"ep\":[\"a\"]}\n");
    assert_true(client_send(&hoarder, many, (1 << 20) - 20));
    client_expect(&hoarder, "\"connected\"");
    daemon_turn_until(&daemon, nearly_all_is_taken, &daemon);
    open_with(&client, &daemon, "{\"ep\":[\"a\"]}\n");
    client_expect(&client, "\"connected\"");
    assert_true(client_send(&client, many, 40));
    daemon_turn_until(&daemon, one_gave_way, &daemon);
    assert_true(client_send_text(&client, "{\"ping\":1}\n"));
    client_expect(&client, "\"pong\"");
    assert_true(client_send(&hoarder, many, 1));
    expect_error(&hoarder, "Too many messages at once");
    client_close(&client);
    daemon_stop(&daemon);
    free(many);
}

static void silence_is_broken_by_an_empty_line(void **state)
{
    struct daemon daemon;
    struct client client;

    (void)state;
    daemon_start(&daemon, "keep_alive = 1s\n");
    open_with(&client, &daemon, "{\"ep\":[\"a\"]}\n");
    client_expect(&client, "}}}\n\n");
    client_close(&client);
    daemon_stop(&daemon);
}

static void it_hears_that_the_daemon_stops(void **state)
{
    struct daemon daemon;
    struct client client, silent;

    (void)state;
    daemon_start(&daemon, "stop_spread = 0s\n");
    open_with(&client, &daemon, "{\"ep\":[\"a\"]}\n");
    client_expect(&client, "\"connected\"");
    open_with(&silent, &daemon, "{\"ep\"");
    assert_int_equal(raise(SIGTERM), 0);
    client_expect(&client, "\"stopping\",\"detail\":{\"retry\":");
    client_expect_end(&client);
    client_expect_end(&silent);
    client_close(&client);
    client_close(&silent);
    daemon_stop(&daemon);
}

static void one_too_many_is_told_so_in_its_own_words(void **state)
{
    struct daemon daemon;
    struct client client;

    (void)state;
    daemon_start(&daemon, "max_connections = 1\n");
    open_with(&client, &daemon, "{\"ep\":[\"a\"]}\n");
    client_expect(&client, "\"connected\"");
    is_refused(&daemon, "{\"ep\":[\"a\"]}\n", "Too many connections");
    client_close(&client);
    daemon_stop(&daemon);
}

static bool is_alone(void *context)
{
    const struct daemon *daemon = context;

    return daemon->server->net.connections == 0;
}

static void who_says_no_more_has_gone(void **state)
{
    static const char *const texts[] = {"{\"ep\":[\"a\"]}\n", "{\"ep\":[\"a\"]}\n{\"pi", "{\"ep\"",
                                        ""};
    struct daemon daemon;

    (void)state;
    daemon_start(&daemon, "");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct client client;
        open_with(&client, &daemon, texts[i]);
        daemon_turn(&daemon);
        assert_int_equal(shutdown(client.descriptor, SHUT_WR), 0);
        daemon_turn_until(&daemon, is_alone, &daemon);
        client_close(&client);
    }
    daemon_stop(&daemon);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_frame_is_a_line),
        cmocka_unit_test(lines_may_come_in_any_pieces),
        cmocka_unit_test(a_first_line_that_is_refused_is_the_last),
        cmocka_unit_test(a_stream_ends_when_a_line_is_too_long_or_late),
        cmocka_unit_test(a_full_budget_is_said),
        cmocka_unit_test(silence_is_broken_by_an_empty_line),
        cmocka_unit_test(it_hears_that_the_daemon_stops),
        cmocka_unit_test(one_too_many_is_told_so_in_its_own_words),
        cmocka_unit_test(who_says_no_more_has_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
