#include "crowd.h"
#include "hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "masked_frames.h"
#include "net/connection.h"
#include "random.h"

const char crowd_config[] = "max_connections = 40\nmax_pending = 256k\nmax_pending_soft = 64k\n"
                            "soft_time = 1s\nmax_pending_total = 1M\nmax_ignored_input = 2k\n"
                            "header_time = 200ms\nbody_time = 200ms\nidle_time = 300ms\n"
                            "max_messages = 60\nmax_message = 600\n"
                            "keep_alive = 1s\nstream_time = 2s\nmax_alive = 2\nmax_body = 3k\n"
                            "max_headers = 1k\n";

static void tell(const struct crowd *crowd, bool begins)
{
    if (crowd->daemon_works != NULL)
        crowd->daemon_works(begins);
}

static unsigned below(struct crowd *crowd, unsigned limit)
{
    return random_below(&crowd->random, limit);
}

void crowd_open(struct crowd *crowd, struct daemon *daemon, uint64_t seed)
{
    *crowd = (struct crowd){.daemon = daemon, .random = seed};
    for (int i = 0; i < CROWD_SIZE; i++)
        crowd->members[i].descriptor = -1;
}

/* ---- what comes is a stream ---- */

/* One frame, ''LENGTH''JSON, that fills the chunk. */
static void check_frame(const char *frame, size_t length)
{
    char *end;

    assert_true(length >= 5 && memcmp(frame, "''", 2) == 0);
    size_t announced = strtoul(frame + 2, &end, 10);
    assert_memory_equal(end, "''", 2);
    end += 2;
    assert_int_equal(end + announced - frame, length);
    if (announced > 0) {
        assert_memory_equal(end, "{\"iat\":", 7);
        assert_memory_equal(end + announced - 2, "}}", 2);
    }
}

/* Checks all whole chunks. */
static void check_stream(struct crowd *crowd, struct crowd_member *member)
{
    const char *at = member->length ? strstr(member->text, "\r\n\r\n") : NULL;

    if (at == NULL || memcmp(member->text, "HTTP/1.1 200 OK\r\n", 17) != 0)
        return;
    const char *end = member->text + member->length;
    crowd->streams_checked++;
    for (at += 4; at < end;) {
        char *data;
        size_t length = strtoul(at, &data, 16);
        if (end - data < 2 || (size_t)(end - data - 2) < length + 2)
            return;
        assert_memory_equal(data, "\r\n", 2);
        assert_memory_equal(data + 2 + length, "\r\n", 2);
        if (length > 0)
            check_frame(data + 2, length);
        crowd->frames_checked++;
        at = data + 2 + length + 2;
    }
}

static void keep(struct crowd_member *member, const char *bytes, size_t length)
{
    member->text = realloc(member->text, member->length + length + 1);
    assert_non_null(member->text);
    memcpy(member->text + member->length, bytes, length);
    member->length += length;
    member->text[member->length] = '\0';
}

static void leave(struct crowd *crowd, struct crowd_member *member)
{
    if (member->is_pure)
        check_stream(crowd, member);
    assert_int_equal(close(member->descriptor), 0);
    free(member->text);
    *member = (struct crowd_member){.descriptor = -1};
}

/* ---- what they do ---- */

static void come(struct crowd *crowd, struct crowd_member *member)
{
    struct client client;
    bool speaks_lines = below(crowd, 6) == 0;

    if (speaks_lines)
        client_open_lines(&client, crowd->daemon);
    else if (below(crowd, 3) == 0)
        client_open_tcp(&client, crowd->daemon);
    else
        client_open(&client, crowd->daemon);
    free(client.text);
    *member = (struct crowd_member){.descriptor = client.descriptor, .speaks_lines = speaks_lines};
}

static void send_some(struct crowd_member *member, const char *bytes, size_t length)
{
    /* The daemon may have closed, or the socket be full: then it is a half-sent request. */
    (void)!send(member->descriptor, bytes, length, MSG_NOSIGNAL);
}

static void write_topic(struct crowd *crowd, struct bytes *json)
{
    static const char *const topics[] = {
        "a", "a/b",     "a/+",     "#", "+", "a/b/c", "@CONNECTION@/c1", "b/#", "@CONNECTION@/+",
        "",  "\\u0000", "@SERVER@"};

    bytes_append_format(json, "\"%s\"", topics[below(crowd, below(crowd, 20) == 0 ? 12 : 9)]);
}

/* Some stream's id and secret, as its client would know them. */
static void write_self(struct crowd *crowd, struct bytes *json)
{
    const struct hash_table *streams = &crowd->daemon->server->streams.by_connid;

    for (size_t i = 0; i < streams->bucket_count; i++) {
        char secret[2 * STREAM_SECRET_SIZE + 1];
        if (streams->buckets[i] == NULL || below(crowd, 4) > 0)
            continue;
        const struct stream *stream = stream_of_connid_node(streams->buckets[i]);
        hex_write(secret, stream->secret, sizeof stream->secret);
        bytes_append_format(json, "\"connid\":%llu,\"secret\":\"%s\"",
                            (unsigned long long)stream->connid, secret);
        return;
    }
    bytes_append_text(json, "\"connid\":1,\"secret\":\"x\"");
}

static void write_subscription(struct crowd *crowd, struct bytes *json)
{
    unsigned topics = below(crowd, 6);
    const struct event_log *log = &crowd->daemon->server->log;

    bytes_append_format(json, "{\"clid\":\"c%u\",\"ep\":[", below(crowd, 5));
    for (unsigned i = 0; i < topics; i++) {
        write_topic(crowd, json);
        bytes_append_text(json, i + 1 < topics ? "," : "");
    }
    bytes_append_text(json, "]");
    if (below(crowd, 3) == 0)
        bytes_append_format(json, ",\"last_id\":\"%llu-%u\"", (unsigned long long)log->epoch,
                            below(crowd, (unsigned)log->sequence + 2));
    if (below(crowd, 4) == 0) {
        bytes_append_text(json, ",");
        write_self(crowd, json);
    }
    bytes_append_text(json, "}");
}

/* One of those that stand on a stream that goes both ways. */
static void write_message(struct crowd *crowd, struct bytes *json)
{
    unsigned what = below(crowd, 10);

    if (what == 0) {
        bytes_append_text(json, "{\"ping\":[]}");
    } else if (what == 1) {
        bytes_append_text(json, "{\"alive\":\"00112233445566778899aabbccddeeff\"}");
    } else if (what == 2) {
        write_subscription(crowd, json); /* no message at all */
    } else {
        bytes_append_text(json, what < 6 ? "{\"unsubscribe\":[" : "{\"subscribe\":[");
        write_topic(crowd, json);
        bytes_append_text(json, ",");
        write_topic(crowd, json);
        bytes_append_text(json, "]");
        if (below(crowd, 4) == 0)
            bytes_append_format(json, ",\"last_id\":\"%llu-1\"",
                                (unsigned long long)crowd->daemon->server->log.epoch);
        bytes_append_text(json, "}");
    }
}

static void write_lines(struct crowd *crowd, struct bytes *out)
{
    if (below(crowd, 3) == 0)
        write_subscription(crowd, out);
    else
        write_message(crowd, out);
    bytes_append_text(out, below(crowd, 9) > 0 ? "\n" : "");
}

/* A handshake and some frames behind it, now and then in fragments or wrong. */
static void write_websocket(struct crowd *crowd, struct bytes *out)
{
    bytes_append_format(out,
                        "GET /ws?clid=c%u%s HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                        below(crowd, 5), below(crowd, 2) ? "&ep=a/%2B" : "");
    for (unsigned left = below(crowd, 8); left > 0; left--) {
        struct bytes json = BYTES_EMPTY;
        unsigned what = below(crowd, 30);
        write_message(crowd, &json);
        if (what == 0) {
            masked_frame_add(out, below(crowd, 256), "wrong", 5);
        } else if (what < 5) {
            masked_frame_add(out, WEBSOCKET_TEXT, json.data, json.length / 2);
            masked_frame_add(out, FIN | WEBSOCKET_PING, "p", 1);
            masked_frame_add(out, FIN | WEBSOCKET_CONTINUATION, json.data + json.length / 2,
                             json.length - json.length / 2);
        } else {
            masked_frame_add(out, FIN | WEBSOCKET_TEXT, json.data, json.length);
        }
        bytes_free(&json);
    }
    if (below(crowd, 4) == 0)
        masked_frame_add(out, FIN | WEBSOCKET_CLOSE, "\x03\xe8", 2);
}

static void write_post(struct crowd *crowd, struct bytes *request, const char *path,
                       const struct bytes *json)
{
    bytes_append_format(request, "POST %s HTTP/1.%u\r\nA: b\r\n", path, below(crowd, 8) > 0);
    if (below(crowd, 3) == 0)
        bytes_append_format(request, "Transfer-Encoding: chunked\r\n\r\n%zx\r\n%.*s\r\n0\r\n\r\n",
                            json->length, (int)json->length, json->data);
    else
        bytes_append_format(request, "Content-Length: %zu\r\n\r\n%.*s", json->length,
                            (int)json->length, json->data);
}

static void write_request(struct crowd *crowd, struct bytes *request)
{
    static const char *const others[] = {
        "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /state?token=admin HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /memory HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer admin\r\n\r\n",
        "GET /connections?token=admin HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /connections?token=admin&clid=c1 HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /connections?token=admin&details=true HTTP/1.1\r\nHost: h\r\n\r\n",
        "HEAD /connections?token=admin&details=true&clid=c2 HTTP/1.1\r\nHost: h\r\n\r\n",
        "OPTIONS / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
        "\x16\x03\x01 nonsense\r\n\r\n",
        "\r\n\r\n\r\n",
    };
    struct bytes json = BYTES_EMPTY;
    unsigned what = below(crowd, 23);

    if (what > 19) {
        write_websocket(crowd, request);
    } else if (what < 8) {
        write_subscription(crowd, &json);
        write_post(crowd, request, "/", &json);
    } else if (what < 10) {
        bytes_append_text(&json, "{");
        write_self(crowd, &json);
        bytes_append_text(&json, "}");
        write_post(crowd, request, "/alive", &json);
    } else {
        bytes_append_text(request, others[below(crowd, sizeof others / sizeof *others)]);
    }
    bytes_free(&json);
}

/* Whole, cut short, or several at once. */
static void ask(struct crowd *crowd, struct crowd_member *member)
{
    struct bytes requests = BYTES_EMPTY;
    unsigned count = below(crowd, 12) == 0 ? below(crowd, 200) : 1;

    for (unsigned i = 0; i < count; i++) {
        if (member->speaks_lines)
            write_lines(crowd, &requests);
        else
            write_request(crowd, &requests);
    }
    if (below(crowd, 8) == 0 && requests.length > 0)
        requests.length = below(crowd, (unsigned)requests.length);
    member->is_pure = false;
    send_some(member, requests.data, requests.length);
    bytes_free(&requests);
}

static void subscribe_purely(struct crowd *crowd, struct crowd_member *member)
{
    struct bytes json = BYTES_EMPTY, request = BYTES_EMPTY;

    write_subscription(crowd, &json);
    bytes_append_format(&request, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n%.*s",
                        json.length, (int)json.length, json.data);
    send_some(member, request.data, request.length);
    member->is_pure = true;
    bytes_free(&json);
    bytes_free(&request);
}

static void take(struct crowd *crowd, struct crowd_member *member)
{
    char bytes[16384];
    ssize_t got = recv(member->descriptor, bytes, 1 + below(crowd, sizeof bytes - 1), MSG_DONTWAIT);

    if (got > 0 && member->is_pure)
        keep(member, bytes, (size_t)got);
    if (got == 0)
        leave(crowd, member);
}

static void take_all(struct crowd *crowd, struct crowd_member *member)
{
    for (size_t before = (size_t)-1; member->descriptor >= 0 && before != member->length;) {
        before = member->length;
        take(crowd, member);
    }
}

static void abort_connection(struct crowd *crowd, struct crowd_member *member)
{
    const struct linger now = {.l_onoff = 1};

    (void)setsockopt(member->descriptor, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    leave(crowd, member);
}

static void chatter(struct crowd *crowd, struct crowd_member *member)
{
    char noise[300];

    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (char)random_next(&crowd->random);
    member->is_pure = false;
    send_some(member, noise, below(crowd, sizeof noise));
}

static void act(struct crowd *crowd, struct crowd_member *member)
{
    unsigned what = below(crowd, 100);

    if (member->descriptor < 0) {
        come(crowd, member);
        if (what < 60 && !member->speaks_lines)
            subscribe_purely(crowd, member);
    } else if (what < 35) {
        take_all(crowd, member);
    } else if (what < 60) {
        take(crowd, member);
    } else if (what < 80) {
        if (!member->is_pure)
            ask(crowd, member);
    } else if (what < 85) {
        leave(crowd, member);
    } else if (what < 89) {
        abort_connection(crowd, member);
    } else if (what < 92) {
        (void)shutdown(member->descriptor, SHUT_WR);
    } else if (what < 95) {
        chatter(crowd, member);
    }
}

static void publish(struct crowd *crowd)
{
    static const char *const topics[] = {"a", "a/b", "a/b/c", "b", "#", "a/+", "+/b"};
    size_t size = below(crowd, 50) == 0 ? below(crowd, 200000) : below(crowd, 3000);
    char *event = malloc(size + 32);
    uint32_t receivers;
    struct event to_publish = {.topic = topics[below(crowd, 7)], .json = event};

    assert_non_null(event);
    memset(event, 'x', size + 32);
    memcpy(event, "{\"type\":\"", 9);
    memcpy(event + 9 + size, "\"}", 2);
    to_publish.topic_length = strlen(to_publish.topic);
    to_publish.json_length = 9 + size + 2;
    /* Without memory it says no: then nobody has it. */
    tell(crowd, true);
    (void)delivery_publish(&crowd->daemon->server->delivery, &to_publish, &receivers);
    tell(crowd, false);
    free(event);
}

void crowd_step(struct crowd *crowd)
{
    act(crowd, &crowd->members[below(crowd, CROWD_SIZE)]);
    if (below(crowd, 3) == 0)
        publish(crowd);
    if (below(crowd, 2) == 0) {
        tell(crowd, true);
        daemon_turn(crowd->daemon);
        tell(crowd, false);
    }
}

static bool nobody_is_left(void *context)
{
    const struct daemon *daemon = context;

    return daemon->server->net.connections == 0;
}

void crowd_close(struct crowd *crowd)
{
    for (int i = 0; i < CROWD_SIZE; i++)
        if (crowd->members[i].descriptor >= 0)
            leave(crowd, &crowd->members[i]);
    daemon_turn_until(crowd->daemon, nobody_is_left, crowd->daemon);
}
