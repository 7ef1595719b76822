/* What goes on from one stream to the next, and what does not: on one connection, and of a client
 * that polls. */
#include "daemon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "masked_frames.h"
#include "requests/streaming.h"
#include "streams/stream.h"
#include "streams/streams.h"
#include "streams/transport.h"

static void post(struct client *client, const char *path, const char *body)
{
    char head[128];

    (void)snprintf(head, sizeof head, "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n",
                   path, strlen(body));
    assert_true(client_send_text(client, head) && client_send_text(client, body));
}

/* Copies the newest member of this name that the client was told, without quotes. */
static void copy_newest(const struct client *client, const char *name, char *out, size_t size)
{
    const char *at = NULL, *end = client->text + client->length;

    for (const char *next = client->text;
         (next = memmem(next, (size_t)(end - next), name, strlen(name))) != NULL;)
        at = next += strlen(name);
    assert_non_null(at);
    size_t length = strcspn(at, "\",}");
    assert_true(length < size);
    memcpy(out, at, length);
    out[length] = '\0';
}

/* Renews the newest stream that the client has; its answer, or why not. */
static void renew(struct client *client, const char *answer)
{
    struct client other;
    char connid[32], secret[80], body[160];

    copy_newest(client, "\"connid\":", connid, sizeof connid);
    copy_newest(client, "\"secret\":\"", secret, sizeof secret);
    (void)snprintf(body, sizeof body, "{\"connid\":%s,\"secret\":\"%s\"}", connid, secret);
    client_open(&other, client->daemon);
    post(&other, "/alive", body);
    client_expect(&other, answer);
    client_close(&other);
}

static void how_often_it_was_renewed_does_not_count_for_the_next(void **state)
{
    struct daemon daemon;
    struct client client;

    (void)state;
    daemon_start(&daemon, "max_alive = 1\n");
    client_open(&client, &daemon);
    for (int round = 0; round < 3; round++) {
        uint64_t connid = client_subscribe(&client, "{\"ep\":[\"a\"]}");
        struct stream *stream = streams_find(&daemon.server->streams, connid);
        assert_non_null(stream);
        renew(&client, "200 OK");
        renew(&client, "Max alive reached");
        streaming_end(&stream->connection, CLOSE_STREAM_TIME);
        client_expect(&client, "\r\n0\r\n\r\n");
        client_forget(&client);
    }
    client_close(&client);
    daemon_stop(&daemon);
}

/* Polls once under a name, as the one that it was; does not wait. */
static void poll_as(struct client *client, const char *name, const char *more)
{
    char body[512], self[160] = "";

    if (client_has(client, "\"connid\":")) {
        char connid[32], secret[80];
        copy_newest(client, "\"connid\":", connid, sizeof connid);
        copy_newest(client, "\"secret\":\"", secret, sizeof secret);
        (void)snprintf(self, sizeof self, ",\"connid\":%s,\"secret\":\"%s\"", connid, secret);
    }
    client_forget(client);
    (void)snprintf(body, sizeof body, "{\"ep\":[\"a\"%s],\"clid\":\"%s\",\"wait\":0%s}", more, name,
                   self);
    post(client, "/poll", body);
    client_expect(client, "],\"id\":");
}

/* Those who poll and never come back would be held for as long as they like. */
static void no_more_are_expected_back_than_there_is_room_for(void **state)
{
    enum { POLLERS = 5, ROOM = 2 };
    static const char *const names[POLLERS] = {"a", "b", "c", "d", "e"};
    struct daemon daemon;
    struct client pollers[POLLERS];
    uint32_t present = 0;

    (void)state;
    daemon_start(&daemon, "poll_gap = 10m\nmax_polls_between = 2\n");
    for (int i = 0; i < POLLERS; i++) {
        client_open(&pollers[i], &daemon);
        poll_as(&pollers[i], names[i], "");
        poll_as(&pollers[i], names[i], ""); /* who has come back is expected to do so again */
    }
    for (int i = 0; i < POLLERS; i++)
        present += presence_count(&daemon.server->streams.presence, names[i], 1);
    assert_int_equal(present, ROOM);
    poll_as(&pollers[0], names[0], ""); /* its place is its own */
    poll_as(&pollers[POLLERS - 1], names[POLLERS - 1], "");
    assert_int_equal(presence_count(&daemon.server->streams.presence, names[0], 1), 1);
    for (int i = 0; i < POLLERS; i++)
        client_close(&pollers[i]);
    daemon_stop(&daemon);
}

static void a_name_that_changes_between_two_polls_is_another_one(void **state)
{
    static const char *const names[] = {"ana", "anab", "an", "eva"};
    enum { NAMES = sizeof names / sizeof *names };
    struct daemon daemon;
    struct client watcher, poller;

    (void)state;
    daemon_start(&daemon, "poll_gap = 10m\n");
    const struct presence *presence = &daemon.server->streams.presence;
    client_open(&watcher, &daemon);
    (void)client_subscribe(&watcher, "{\"ep\":[\"@CONNECTION@/+\"],\"clid\":\"watcher\"}");
    client_open(&poller, &daemon);
    poll_as(&poller, "ana", "");
    poll_as(&poller, "ana", "");
    for (int i = 0; i < 3 * NAMES; i++) {
        const char *name = names[i % NAMES];
        poll_as(&poller, name, "");
        daemon_turn(&daemon);
        for (int j = 0; j < NAMES; j++)
            assert_int_equal(presence_count(presence, names[j], strlen(names[j])), i % NAMES == j);
        client_receive(&watcher);
        client_forget(&watcher);
        /* The same name again is told to nobody. */
        poll_as(&poller, name, "");
        daemon_turn(&daemon);
        client_receive(&watcher);
        assert_false(client_has(&watcher, "connect"));
    }
    client_close(&poller);
    client_close(&watcher);
    daemon_stop(&daemon);
}

/* A poll has no later frame in which it could be told who is there. */
static void a_poll_that_catches_up_is_told_who_is_there(void **state)
{
    struct daemon daemon;
    struct client other, poller;

    (void)state;
    daemon_start(&daemon, "");
    client_open(&other, &daemon);
    (void)client_subscribe(&other, "{\"ep\":[\"a\"],\"clid\":\"ana\"}");
    (void)daemon_publish(&daemon, "a", "{\"type\":\"missed\"}");
    client_open(&poller, &daemon);
    post(&poller, "/poll", "{\"ep\":[\"a\",\"@CONNECTION@/ana\"],\"last_id\":\"0-0\"}");
    client_expect(&poller, "],\"id\":");
    assert_int_equal(client_count(&poller, "\"available\""), 1);
    assert_true(client_has(&poller, "{\"clid_instances\":\"1\"}"));
    assert_true(client_has(&poller, "\"missed\""));
    client_close(&poller);
    client_close(&other);
    daemon_stop(&daemon);
}

static void send_frame(struct client *client, unsigned first, const char *payload)
{
    struct bytes frame = BYTES_EMPTY;

    masked_frame_add(&frame, first, payload, strlen(payload));
    assert_true(client_send(client, frame.data, frame.length));
    bytes_free(&frame);
}

/* What it has begun to say has to be whole in time, whatever it says in between. */
static void pings_give_an_unfinished_message_no_more_time(void **state)
{
    static const struct timespec a_moment = {.tv_nsec = 5000000};
    struct daemon daemon;
    struct client client;
    char connid[32];

    (void)state;
    daemon_start(&daemon, "");
    client_open(&client, &daemon);
    assert_true(client_send_text(&client,
                                 "GET /ws?ep=a HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                                 "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"));
    client_expect(&client, "\"connid\":");
    copy_newest(&client, "\"connid\":", connid, sizeof connid);
    struct stream *stream = streams_find(&daemon.server->streams, strtoull(connid, NULL, 10));
    assert_non_null(stream);
    send_frame(&client, WEBSOCKET_TEXT, "{\"pi");
    daemon_turn(&daemon);
    uint64_t due = stream->transport->input_due(&stream->connection);
    assert_int_not_equal(due, UINT64_MAX);
    for (int i = 0; i < 5; i++) {
        (void)nanosleep(&a_moment, NULL);
        client_forget(&client);
        send_frame(&client, FIN | WEBSOCKET_PING, "still-here");
        client_expect(&client, "still-here");
        assert_int_equal(stream->transport->input_due(&stream->connection), due);
    }
    client_close(&client);
    daemon_stop(&daemon);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(how_often_it_was_renewed_does_not_count_for_the_next),
        cmocka_unit_test(no_more_are_expected_back_than_there_is_room_for),
        cmocka_unit_test(a_name_that_changes_between_two_polls_is_another_one),
        cmocka_unit_test(a_poll_that_catches_up_is_told_who_is_there),
        cmocka_unit_test(pings_give_an_unfinished_message_no_more_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
