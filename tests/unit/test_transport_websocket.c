/* WebSocket, by way of the whole daemon. */
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

#include "masked_frames.h"
#include "streams/streams.h"

#define EVENT(type) "{\"type\":\"" type "\"}"
#define HANDSHAKE                                                                                  \
    " HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"                        \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

static void open_with(struct client *client, struct daemon *daemon, const char *query)
{
    char request[512];

    (void)snprintf(request, sizeof request, "GET /ws%s" HANDSHAKE, query);
    client_open(client, daemon);
    assert_true(client_send_text(client, request));
    client_expect(client, "\"connected\"");
    assert_true(client_has(client, "HTTP/1.1 101 Switching Protocols\r\n"));
    assert_true(client_has(client, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
}

static void send_frame(struct client *client, unsigned first, const char *payload, size_t length)
{
    struct bytes frame = BYTES_EMPTY;

    masked_frame_add(&frame, first, payload, length);
    assert_false(frame.failed);
    assert_true(client_send(client, frame.data, frame.length));
    bytes_free(&frame);
}

static void say(struct client *client, const char *text)
{
    send_frame(client, FIN | WEBSOCKET_TEXT, text, strlen(text));
}

/* Waits for these bytes of the daemon and forgets what came up to then. */
static void expect_bytes(struct client *client, const char *bytes, size_t length)
{
    while (memmem(client->text, client->length, bytes, length) == NULL) {
        assert_false(client->ended);
        daemon_turn(client->daemon);
        client_receive(client);
    }
    client_forget(client);
}

#define EXPECT(client, bytes) expect_bytes(client, bytes, sizeof(bytes) - 1)

/* A close frame of this code is the last that comes. */
static void expect_close(struct client *client, unsigned code, const char *reason)
{
    char frame[WEBSOCKET_CONTROL_SIZE];
    size_t length = websocket_frame_close(frame, (enum websocket_code)code, reason);

    client_expect_end(client);
    assert_true(client->length >= length);
    assert_memory_equal(client->text + client->length - length, frame, length);
    client_close(client);
}

static void frames_have_heads_of_all_sizes(void **state)
{
    static const size_t sizes[] = {0, 200, 70000};
    struct daemon daemon;
    struct client client;

    (void)state;
    daemon_start(&daemon, "");
    open_with(&client, &daemon, "?ep=a&clid=x");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *event = malloc(sizes[i] + 32);
        assert_non_null(event);
        (void)sprintf(event, "{\"type\":\"%0*d\"}", (int)sizes[i], 0);
        client_forget(&client);
        assert_int_equal(daemon_publish(&daemon, "a", event), 1);
        client_expect(&client, "0\"}}");
        const unsigned char *head = (const unsigned char *)client.text;
        assert_int_equal(head[0], FIN | WEBSOCKET_TEXT);
        size_t length = head[1] < 126    ? client.length - 2
                        : head[1] == 126 ? client.length - 4
                                         : client.length - 10;
        if (head[1] < 126)
            assert_int_equal(head[1], length);
        else if (head[1] == 126)
            assert_int_equal(head[2] << 8 | head[3], length);
        else
            assert_int_equal(head[6] << 24 | head[7] << 16 | head[8] << 8 | head[9], length);
        assert_memory_equal(client.text + client.length - length, "{\"iat\":", 7);
        free(event);
    }
    client_close(&client);
    daemon_stop(&daemon);
}

static void topics_may_come_later(void **state)
{
    struct daemon daemon;
    struct client client;

    (void)state;
    daemon_start(&daemon, "");
    open_with(&client, &daemon, "");
    assert_int_equal(daemon_publish(&daemon, "a", EVENT("early")), 0);
    say(&client, "{\"subscribe\":[\"a\"]}");
    client_expect(&client, "\"subscribed\",\"detail\":{\"topics\":1}");
    assert_int_equal(daemon_publish(&daemon, "a", EVENT("one")), 1);
    client_expect(&client, EVENT("one"));
    say(&client, "{\"subscribe\":5}");
    client_expect(&client, "{\"error\":\"Event Points should be an array\"}");
    client_close(&client);
    daemon_stop(&daemon);
}

/* Even in one packet with the request, or byte by byte. */
static void messages_may_come_in_any_pieces(void **state)
{
    struct bytes out = BYTES_EMPTY;
    struct daemon daemon;
    struct client client;

    (void)state;
    daemon_start(&daemon, "");
    bytes_append_text(&out, "GET /ws" HANDSHAKE);
    masked_frame_add(&out, WEBSOCKET_TEXT, "{\"subscribe\":", 13);
    masked_frame_add(&out, FIN | WEBSOCKET_PING, "between", 7);
    masked_frame_add(&out, FIN | WEBSOCKET_CONTINUATION, "[\"a\"]}", 6);
    masked_frame_add(&out, FIN | WEBSOCKET_TEXT, "{\"ping\":1}", 10);
    for (size_t piece = 1; piece <= out.length; piece += piece < 40 ? 1 : 29) {
        client_open(&client, &daemon);
        for (size_t at = 0; at < out.length; at += piece) {
            size_t left = out.length - at;
            assert_true(client_send(&client, out.data + at, piece < left ? piece : left));
            daemon_turn(&daemon);
        }
        client_expect(&client, "\"type\":\"pong\"");
        assert_true(client_has(&client, "\"subscribed\",\"detail\":{\"topics\":1}"));
        assert_true(client_has(&client, "\x8a\x07"
                                        "between"));
        client_close(&client);
    }
    daemon_stop(&daemon);
    bytes_free(&out);
}

static void pings_go_both_ways(void **state)
{
    struct daemon daemon;
    struct client client;

    (void)state;
    daemon_start(&daemon, "keep_alive = 1s\n");
    open_with(&client, &daemon, "?ep=a");
    send_frame(&client, FIN | WEBSOCKET_PING, "", 0);
    EXPECT(&client, "\x8a\x00");
    send_frame(&client, FIN | WEBSOCKET_PING, "\xff\x00x", 3);
    EXPECT(&client, "\x8a\x03\xff\x00x");
    EXPECT(&client, "\x89\x00"); /* a second later */
    send_frame(&client, FIN | WEBSOCKET_PONG, "", 0);
    say(&client, "{\"ping\":1}");
    client_expect(&client, "\"pong\"");
    client_close(&client);
    daemon_stop(&daemon);
}

static struct stream *only_stream(const struct daemon *daemon)
{
    return streams_find(&daemon->server->streams, daemon->server->streams.next_connid - 1);
}

static bool says_nothing(void *context)
{
    return only_stream(context)->transport_state == NULL;
}

static bool says_something(void *context)
{
    return only_stream(context)->transport_state;
}

static void only_who_is_speaking_holds_a_buffer(void **state)
{
    struct daemon daemon;
    struct client client;

    (void)state;
    daemon_start(&daemon, "");
    open_with(&client, &daemon, "?ep=a");
    assert_null(only_stream(&daemon)->transport_state);
    assert_true(client_send(&client, "\x81", 1));
    daemon_turn_until(&daemon, says_something, &daemon);
    assert_true(client_send(&client, "\x80\0\0\0\0", 5));
    client_expect(&client, "Invalid JSON in message");
    daemon_turn_until(&daemon, says_nothing, &daemon);
    send_frame(&client, WEBSOCKET_TEXT, "", 0);
    daemon_turn_until(&daemon, says_something, &daemon);
    client_close(&client);
    daemon_stop(&daemon);
}

static void closes_are_answered(void **state)
{
    struct daemon daemon;
    struct client client;

    (void)state;
    daemon_start(&daemon, "");
    open_with(&client, &daemon, "?ep=a");
    send_frame(&client, FIN | WEBSOCKET_CLOSE, "\x03\xe9going", 7);
    say(&client, "{\"ping\":1}");
    expect_close(&client, 1001, "");
    open_with(&client, &daemon, "?ep=a");
    send_frame(&client, FIN | WEBSOCKET_CLOSE, "", 0);
    expect_close(&client, 0, "");
    daemon_stop(&daemon);
}

static void what_breaks_the_protocol_ends_the_stream(void **state)
{
    struct daemon daemon;
    struct client client;
    char many[600] = "";

    (void)state;
    daemon_start(&daemon, "max_message = 512\nbody_time = 200ms\nmax_messages = 3\n");
    open_with(&client, &daemon, "?ep=a");
    assert_true(client_send(&client, "\x81\x01x", 3));
    expect_close(&client, 1002, "Frame is not masked");
    open_with(&client, &daemon, "?ep=a");
    send_frame(&client, FIN | WEBSOCKET_BINARY, "x", 1);
    expect_close(&client, 1003, "Messages should be text");
    open_with(&client, &daemon, "?ep=a");
    say(&client, "\xff");
    expect_close(&client, 1007, "Invalid UTF-8");
    open_with(&client, &daemon, "?ep=a");
    send_frame(&client, FIN | WEBSOCKET_TEXT, many, 513);
    expect_close(&client, 1009, "Message too large");
    open_with(&client, &daemon, "?ep=a");
    send_frame(&client, WEBSOCKET_TEXT, "x", 1);
    expect_close(&client, 1008, "Message not received in time");
    open_with(&client, &daemon, "?ep=a");
    for (int i = 0; i < 4; i++)
        send_frame(&client, FIN | WEBSOCKET_PONG, "", 0);
    expect_close(&client, 1008, "Too many messages");
    assert_int_equal(daemon.server->streams.by_connid.count, 0);
    daemon_stop(&daemon);
}

enum { BEGUN = 40000 };

static bool one_has_begun(void *context)
{
    const struct daemon *daemon = context;

    return daemon->server->service.bodies.used == BEGUN;
}

/* Who comes by the socket in the file system has no address. */
static void what_those_of_one_address_have_begun_to_say_is_bounded(void **state)
{
    struct daemon daemon;
    struct client clients[2], local;
    char *many = calloc(BEGUN, 1);

    (void)state;
    assert_non_null(many);
    daemon_start(&daemon, "max_body_per_address = 64k\n");
    for (int i = 0; i < 2; i++) {
        client_open_tcp(&clients[i], &daemon);
        assert_true(client_send_text(&clients[i], "GET /ws?ep=a" HANDSHAKE));
        client_expect(&clients[i], "\"connected\"");
    }
    send_frame(&clients[0], WEBSOCKET_TEXT, many, BEGUN);
    daemon_turn_until(&daemon, one_has_begun, &daemon);
    send_frame(&clients[1], WEBSOCKET_TEXT, many, BEGUN);
    expect_close(&clients[1], 1013, "Too many messages at once");
    open_with(&local, &daemon, "?ep=a");
    send_frame(&local, WEBSOCKET_TEXT, many, BEGUN);
    send_frame(&local, FIN | WEBSOCKET_PING, "room", 4);
    client_expect(&local, "room");
    client_close(&local);
    client_close(&clients[0]);
    daemon_stop(&daemon);
    free(many);
}

static void streams_end_with_a_word(void **state)
{
    struct daemon daemon;
    struct client client;

    (void)state;
    daemon_start(&daemon, "stream_time = 1s\nstop_spread = 0s\n");
    open_with(&client, &daemon, "?ep=a");
    expect_close(&client, 1000, "The time is over");
    open_with(&client, &daemon, "?ep=a");
    assert_int_equal(raise(SIGTERM), 0);
    client_expect(&client, "\"stopping\",\"detail\":{\"retry\":");
    expect_close(&client, 1001, "Stopping");
    daemon_stop(&daemon);
}

static void other_requests_are_refused_as_http(void **state)
{
    static const char *const pairs[][2] = {
        {"GET /ws HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 426 This is a WebSocket\r\n"},
        {"GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
         "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"},
        {"POST /ws HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
         "HTTP/1.1 405 Method not allowed\r\n"},
        {"HEAD /ws HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 405 Method not allowed\r\n"},
        {"GET /ws?ep=" HANDSHAKE, "HTTP/1.1 400 Topic is empty\r\n"},
        {"GET /ws?ep=a&binded=b" HANDSHAKE, "HTTP/1.1 400 Bound topics need a bind key\r\n"},
        {"GET /ws?ticket=t" HANDSHAKE, "HTTP/1.1 400 Invalid ticket\r\n"},
        {"GET /nope" HANDSHAKE, "HTTP/1.1 404 Not found\r\n"},
    };
    struct daemon daemon;
    struct client client;

    (void)state;
    daemon_start(&daemon, "");
    client_open(&client, &daemon);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        assert_true(client_send_text(&client, pairs[i][0]));
        client_expect(&client, pairs[i][1]);
        client_forget(&client);
        daemon_turn(&daemon);
    }
    assert_true(client_send_text(&client, "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"));
    client_expect(&client, "{\"status\":\"ok\"}");
    client_close(&client);
    daemon_stop(&daemon);
}

/* What is no handshake is told so, wherever it comes from. */
static void an_origin_matters_to_a_handshake_alone(void **state)
{
    static const char *const pairs[][2] = {
        {"GET /ws HTTP/1.1\r\nHost: h\r\nOrigin: https://other.example\r\n\r\n",
         "HTTP/1.1 426 This is a WebSocket\r\n"},
        {"GET /ws HTTP/1.1\r\nHost: h\r\nOrigin: https://other.example\r\nUpgrade: websocket\r\n"
         "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
         "HTTP/1.1 403 Origin not allowed\r\n"},
    };
    struct daemon daemon;

    (void)state;
    daemon_start(&daemon, "[web]\norigins = https://shop.example\n");
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct client client;
        client_open(&client, &daemon);
        assert_true(client_send_text(&client, pairs[i][0]));
        client_expect(&client, pairs[i][1]);
        client_close(&client);
    }
    daemon_stop(&daemon);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_have_heads_of_all_sizes),
        cmocka_unit_test(topics_may_come_later),
        cmocka_unit_test(messages_may_come_in_any_pieces),
        cmocka_unit_test(pings_go_both_ways),
        cmocka_unit_test(only_who_is_speaking_holds_a_buffer),
        cmocka_unit_test(closes_are_answered),
        cmocka_unit_test(what_breaks_the_protocol_ends_the_stream),
        cmocka_unit_test(what_those_of_one_address_have_begun_to_say_is_bounded),
        cmocka_unit_test(streams_end_with_a_word),
        cmocka_unit_test(other_requests_are_refused_as_http),
        cmocka_unit_test(an_origin_matters_to_a_handshake_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
