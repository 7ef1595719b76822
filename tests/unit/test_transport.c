/* What each transport writes: frames, beginnings and ends, by way of the whole daemon. */
#include "daemon.h"
#include "transports/transports.h"

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
#include <time.h>

static void expect_encoded(enum frame_encoding encoding, const char *server_type,
                           const char *wanted)
{
    static const char json[] = "{\"id\":\"12-3\",\"a\":1}";
    const struct frame_text text = {json, sizeof json - 1, json + 7, 4, server_type};
    struct frame_pool pool = {0};
    struct frame frame;

    assert_true(transport_encode(&pool, FRAME_PRIVATE, transports[encoding], &text, &frame));
    assert_int_equal(frame.length, strlen(wanted));
    assert_memory_equal(frame_bytes(&frame), wanted, frame.length);
    frame_pool_close(&pool);
}

static void frames_are_encoded_for_their_stream(void **state)
{
    (void)state;
    expect_encoded(FRAME_CHUNKED, NULL, "19\r\n''19''{\"id\":\"12-3\",\"a\":1}\r\n");
    expect_encoded(FRAME_PLAIN, NULL, "''19''{\"id\":\"12-3\",\"a\":1}");
    expect_encoded(FRAME_SSE_CHUNKED, NULL,
                   "24\r\nid: 12-3\ndata: {\"id\":\"12-3\",\"a\":1}\n\n\r\n");
    expect_encoded(FRAME_SSE_PLAIN, "connected",
                   "id: 12-3\nevent: connected\ndata: {\"id\":\"12-3\",\"a\":1}\n\n");
    expect_encoded(FRAME_POLL, NULL, ",{\"id\":\"12-3\",\"a\":1}");
}

static void open_with(struct client *client, struct daemon *daemon, const char *request)
{
    client_open(client, daemon);
    assert_true(client_send_text(client, request));
}

static void post(struct client *client, const char *path, const char *json)
{
    char request[1024];

    snprintf(request, sizeof request,
             "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s", path, strlen(json),
             json);
    assert_true(client_send_text(client, request));
}

/* Copies what stands between two texts. */
static void take(const struct client *client, const char *before, const char *behind, char *out,
                 size_t size)
{
    const char *start = strstr(client->text, before), *end;

    assert_non_null(start);
    start += strlen(before);
    end = strstr(start, behind);
    assert_non_null(end);
    snprintf(out, size, "%.*s", (int)(end - start), start);
}

static void sse_streams(void **state)
{
    struct daemon daemon;
    struct client client;
    char id[64], request[256];

    (void)state;
    daemon_start(&daemon, "");
    open_with(&client, &daemon, "GET /sse?ep=a/+&clid=x HTTP/1.1\r\nHost: x\r\n\r\n");
    client_expect(&client, "\"connected\"");
    assert_true(client_has(&client, "Content-Type: text/event-stream;charset=utf-8\r\n"));
    assert_true(client_has(&client, "retry: "));
    assert_true(client_has(&client, "event: connected\ndata: {\"iat\":"));
    assert_int_equal(daemon_publish(&daemon, "a/b", "{\"type\":\"t\"}"), 1);
    client_expect(&client, "\"emitted\":\"a/b\"},\"e\":{\"type\":\"t\"}}\n\n\r\n");
    client_forget(&client);
    assert_int_equal(daemon_publish(&daemon, "a/c", "{\"type\":\"u\"}"), 1);
    client_expect(&client, "\"type\":\"u\"");
    assert_false(client_has(&client, "event:"));
    take(&client, "id: ", "\n", id, sizeof id);
    client_close(&client);

    /* It comes back with what it had, in the header that EventSource sends; the query is older. */
    (void)daemon_publish(&daemon, "a/d", "{\"type\":\"v\"}");
    snprintf(request, sizeof request,
             "GET /sse?ep=a/%%2B&last_id=1-1 HTTP/1.1\r\nHost: x\r\nLast-Event-ID: %s\r\n\r\n", id);
    open_with(&client, &daemon, request);
    client_expect(&client, "\"recovered\":true");
    client_expect(&client, "\"type\":\"v\"");
    assert_false(client_has(&client, "\"type\":\"u\""));
    client_close(&client);
    daemon_stop(&daemon);
}

/* None at once, not all in one moment. */
/* What is queued by itself is short; longer it would not fit into its chunk. */
static void what_is_too_long_for_a_chunk_is_not_queued(void **state)
{
    static const char text[1000] = "";
    struct daemon daemon;
    struct client client;
    char connid[32];

    (void)state;
    daemon_start(&daemon, "");
    open_with(&client, &daemon, "GET /sse?ep=a HTTP/1.1\r\nHost: x\r\n\r\n");
    client_expect(&client, "\"connected\"");
    take(&client, "\"connid\":", ",", connid, sizeof connid);
    struct stream *stream = streams_find(&daemon.server->streams, strtoull(connid, NULL, 10));
    assert_non_null(stream);
    uint64_t queued = stream->connection.output.length;
    assert_false(transport_queue(&stream->connection, text, sizeof text));
    assert_int_equal(stream->connection.output.length, queued);
    assert_true(transport_queue(&stream->connection, ":\n\n", 3));
    client_expect(&client, "3\r\n:\n\n\r\n");
    client_close(&client);
    daemon_stop(&daemon);
}

static void event_sources_come_back_spread_over_a_time_that_has_a_floor(void **state)
{
    enum { MANY = 20, MOST = 4000 };
    struct daemon daemon;
    unsigned long least = MOST, most = 0;

    (void)state;
    daemon_start(&daemon, "[fanout]\nretry_time = 4s\n");
    for (int i = 0; i < MANY; i++) {
        struct client client;
        char text[16];
        open_with(&client, &daemon, "GET /sse?ep=a HTTP/1.1\r\nHost: x\r\n\r\n");
        client_expect(&client, "\"connected\"");
        take(&client, "retry: ", "\n", text, sizeof text);
        unsigned long retry = strtoul(text, NULL, 10);
        least = retry < least ? retry : least;
        most = retry > most ? retry : most;
        client_close(&client);
    }
    assert_in_range(least, MOST / 4, MOST);
    assert_in_range(most, least + 1, MOST);
    daemon_stop(&daemon);
}

static void post_with_accept_is_sse(void **state)
{
    struct daemon daemon;
    struct client client;

    (void)state;
    daemon_start(&daemon, "");
    open_with(
        &client, &daemon,
        "POST / HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nContent-Length: 12\r\n\r\n"
        "{\"ep\":[\"a\"]}");
    client_expect(&client, "event: connected\n");
    client_close(&client);
    daemon_stop(&daemon);
}

static void queries_are_refused_with_a_reason(void **state)
{
    static const char *const pairs[][2] = {
        {"GET /sse HTTP/1.1", "400 Topic missing"},
        {"GET /sse?ep= HTTP/1.1", "400 Topic is empty"},
        {"GET /sse?ep=%ff HTTP/1.1", "400 The query is not UTF-8"},
        {"GET /sse?binded=a HTTP/1.1", "400 Bound topics need a bind key"},
        {"GET /sse?ep=a&bind_key=k HTTP/1.1", "400 Bind keys are not accepted here"},
        {"GET /sse?ep=a&ticket=t HTTP/1.1", "400 Invalid ticket"},
        {"HEAD /sse?ep=a HTTP/1.1", "405 Method not allowed"},
        {"GET / HTTP/1.1", "400 Subscribe with POST or with a ticket"},
        {"HEAD / HTTP/1.1", "400 Subscribe with POST or with a ticket"},
        {"GET /poll?ep=a&wait=x HTTP/1.1", "400 wait should be a number of milliseconds"},
    };
    struct daemon daemon;

    (void)state;
    daemon_start(&daemon, "");
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct client client;
        char request[128];
        snprintf(request, sizeof request, "%s\r\nHost: x\r\n\r\n", pairs[i][0]);
        open_with(&client, &daemon, request);
        client_expect(&client, pairs[i][1]);
        client_close(&client);
    }
    daemon_stop(&daemon);
}

static void a_poll_waits_for_an_event(void **state)
{
    struct daemon daemon;
    struct client client;
    char length[16];

    (void)state;
    daemon_start(&daemon, "");
    client_open(&client, &daemon);
    post(&client, "/poll", "{\"ep\":[\"a\",\"@CONNECTION@/w\"]}");
    while (daemon.server->streams.by_connid.count == 0)
        daemon_turn(&daemon);
    daemon_turn(&daemon);
    client_receive(&client);
    assert_int_equal(client.length, 0); /* not a byte before there is an event */
    assert_int_equal(daemon_publish(&daemon, "a", "{\"type\":\"t\"}"), 1);
    client_expect(&client, "],\"id\":\"");
    client_expect(&client, "\"}");
    assert_true(client_has(&client, "Content-Type: application/json;charset=utf-8\r\n"));
    assert_true(client_has(&client, "\r\n\r\n{\"events\":[{\"iat\":"));
    assert_true(client_has(&client, "\"available\""));
    assert_true(client_has(&client, "},{\"iat\":"));
    take(&client, "Content-Length: ", "\r\n", length, sizeof length);
    assert_int_equal(strlen(strstr(client.text, "\r\n\r\n") + 4), strtol(length, NULL, 10));
    assert_int_equal(daemon.server->streams.by_connid.count, 0);

    /* On the same connection; this one does not want to wait. */
    client_forget(&client);
    post(&client, "/poll", "{\"ep\":[\"a\"],\"wait\":0}");
    client_expect(&client, "\"connected\"");
    client_expect(&client, "],\"id\":\"");
    client_close(&client);
    daemon_stop(&daemon);
}

static void nothing_falls_between_two_polls(void **state)
{
    struct daemon daemon;
    struct client client;
    char id[64], connid[32], secret[64], body[256];

    (void)state;
    daemon_start(&daemon, "");
    client_open(&client, &daemon);
    post(&client, "/poll", "{\"ep\":[\"a\"],\"clid\":\"p\",\"wait\":0}");
    client_expect(&client, "],\"id\":\"");
    for (int round = 0; round < 3; round++) {
        char type[16];
        take(&client, "],\"id\":\"", "\"", id, sizeof id);
        take(&client, "\"connid\":", ",", connid, sizeof connid);
        take(&client, "\"secret\":\"", "\"", secret, sizeof secret);
        client_forget(&client);
        snprintf(type, sizeof type, "t%d", round);
        snprintf(body, sizeof body, "{\"type\":\"%s\"}", type);
        (void)daemon_publish(&daemon, "a", body);
        snprintf(
            body, sizeof body,
            "{\"ep\":[\"a\"],\"clid\":\"p\",\"last_id\":\"%s\",\"connid\":%s,\"secret\":\"%s\"}",
            id, connid, secret);
        post(&client, "/poll", body);
        client_expect(&client, type);
        client_expect(&client, "],\"id\":\"");
        assert_true(client_has(&client, "\"recovered\":true"));
        assert_true(client_has(&client, connid)); /* it is still the same one */
        assert_int_equal(daemon.server->streams.by_connid.count, 0);
        assert_int_equal(presence_count(&daemon.server->streams.presence, "p", 1), 1);
    }
    client_close(&client);
    daemon_stop(&daemon);
}

static void who_polls_is_present_between_two_polls(void **state)
{
    struct daemon daemon;
    struct client watcher, client;
    char id[64], connid[32], secret[64], body[256];

    (void)state;
    daemon_start(&daemon, "poll_gap = 1s\n");
    client_open(&watcher, &daemon);
    (void)client_subscribe(&watcher, "{\"ep\":[\"@CONNECTION@/p\"]}");
    client_open(&client, &daemon);
    post(&client, "/poll", "{\"ep\":[\"a\"],\"clid\":\"p\",\"wait\":0}");
    client_expect(&client, "],\"id\":\"");
    /* It came and went in one turn, and nobody knows yet whether it comes back. */
    assert_false(client_has(&watcher, "\"connect\""));
    for (int round = 0; round < 3; round++) {
        take(&client, "],\"id\":\"", "\"", id, sizeof id);
        take(&client, "\"connid\":", ",", connid, sizeof connid);
        take(&client, "\"secret\":\"", "\"", secret, sizeof secret);
        client_forget(&client);
        snprintf(
            body, sizeof body,
            "{\"ep\":[\"a\"],\"clid\":\"p\",\"last_id\":\"%s\",\"connid\":%s,\"secret\":\"%s\","
            "\"wait\":0}",
            id, connid, secret);
        post(&client, "/poll", body);
        client_expect(&client, "],\"id\":\"");
    }
    client_expect(&watcher, "\"connect\"");
    client_expect(&watcher,
                  "\"disconnect\",\"detail\":{\"clid_instances\":0}"); /* a second later */
    assert_null(strstr(strstr(watcher.text, "\"connect\"") + 1, "\"connect\""));
    assert_int_equal(presence_count(&daemon.server->streams.presence, "p", 1), 0);
    client_close(&client);
    client_close(&watcher);
    daemon_stop(&daemon);
}

/* It takes several times soft_time, but it never stands still. */
static void an_answer_that_is_read_slowly_but_steadily_is_not_cut(void **state)
{
    enum { EVENTS = 300, SIZE = 8000, PIECE = 16384 };
    const struct timespec pause = {.tv_nsec = 20000000};
    static char json[SIZE + 64], piece[PIECE];
    struct daemon daemon;
    struct client client;
    size_t got = 0;

    (void)state;
    daemon_start(&daemon, "soft_time = 1s\n");
    (void)snprintf(json, sizeof json, "{\"type\":\"big\",\"detail\":\"%0*d\"}", SIZE, 0);
    client_open(&client, &daemon);
    post(&client, "/poll", "{\"ep\":[\"a\"],\"wait\":5000}");
    for (int i = 0; i < 5; i++)
        daemon_turn(&daemon);
    for (int i = 0; i < EVENTS; i++)
        (void)daemon_publish(&daemon, "a", json);
    while (got < (size_t)EVENTS * SIZE) {
        ssize_t now = recv(client.descriptor, piece, sizeof piece, 0);
        assert_int_not_equal(now, 0);
        got += now > 0 ? (size_t)now : 0;
        (void)nanosleep(&pause, NULL);
        daemon_turn(&daemon);
    }
    client_expect(&client, "],\"id\":\"");
    assert_int_equal(daemon.server->net.counters.closed[CLOSE_SLOW], 0);
    client_close(&client);
    daemon_stop(&daemon);
}

static void a_poll_that_ends_early_is_gone_at_once(void **state)
{
    struct daemon daemon;
    struct client watcher, client;

    (void)state;
    daemon_start(&daemon, "");
    client_open(&watcher, &daemon);
    (void)client_subscribe(&watcher, "{\"ep\":[\"@CONNECTION@/p\"]}");
    client_open(&client, &daemon);
    post(&client, "/poll", "{\"ep\":[\"a\"],\"clid\":\"p\"}");
    client_expect(&watcher, "\"connect\"");
    client_close(&client);
    client_expect(&watcher, "\"disconnect\"");
    client_close(&watcher);
    daemon_stop(&daemon);
}

static void a_poll_ends_when_its_time_is_over(void **state)
{
    struct daemon daemon;
    struct client client;

    (void)state;
    daemon_start(&daemon, "poll_time = 200ms\n");
    client_open(&client, &daemon);
    post(&client, "/poll", "{\"ep\":[\"a\"],\"wait\":3600000}");
    client_expect(&client, "\"connected\"");
    client_expect(&client, "}}}],\"id\":\"");
    client_close(&client);
    daemon_stop(&daemon);
}

static void a_poll_hears_that_the_daemon_stops(void **state)
{
    struct daemon daemon;
    struct client client;

    (void)state;
    daemon_start(&daemon, "stop_spread = 0s\n");
    client_open(&client, &daemon);
    post(&client, "/poll", "{\"ep\":[\"a\"]}");
    while (daemon.server->streams.by_connid.count == 0)
        daemon_turn(&daemon);
    raise(SIGTERM);
    client_expect(&client, "\"stopping\"");
    client_expect(&client, "],\"id\":\"");
    assert_true(client_has(&client, "Connection: close\r\n"));
    client_close(&client);
    daemon_stop(&daemon);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_encoded_for_their_stream),
        cmocka_unit_test(sse_streams),
        cmocka_unit_test(what_is_too_long_for_a_chunk_is_not_queued),
        cmocka_unit_test(event_sources_come_back_spread_over_a_time_that_has_a_floor),
        cmocka_unit_test(post_with_accept_is_sse),
        cmocka_unit_test(queries_are_refused_with_a_reason),
        cmocka_unit_test(a_poll_waits_for_an_event),
        cmocka_unit_test(nothing_falls_between_two_polls),
        cmocka_unit_test(who_polls_is_present_between_two_polls),
        cmocka_unit_test(an_answer_that_is_read_slowly_but_steadily_is_not_cut),
        cmocka_unit_test(a_poll_that_ends_early_is_gone_at_once),
        cmocka_unit_test(a_poll_ends_when_its_time_is_over),
        cmocka_unit_test(a_poll_hears_that_the_daemon_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
