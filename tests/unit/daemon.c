#include "daemon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "messages.h"
#include "net/connection.h"

enum { LIMIT_SECONDS = 120, RECEIVE_SIZE = 256 * 1024 };

static void write_config(struct daemon *daemon, const char *path, const char *fanout_lines)
{
    FILE *file = fopen(path, "w");

    (void)snprintf(daemon->socket, sizeof daemon->socket, "%s/http", daemon->folder);
    (void)snprintf(daemon->lines, sizeof daemon->lines, "%s/lines", daemon->folder);
    (void)snprintf(daemon->events, sizeof daemon->events, "ipc://%s/events", daemon->folder);
    (void)snprintf(daemon->acks, sizeof daemon->acks, "ipc://%s/acks", daemon->folder);
    assert_non_null(file);
    assert_true(fprintf(file,
                        "[fanout]\nlisten = unix:%s 127.0.0.1:0\nlisten_lines = unix:%s\n"
                        "linger_time = 100ms\n%s\n"
                        "[bus]\nevents = %s\nacks = %s\n"
                        "[admin]\ntoken_file = token\n[messages]\nlevel = error\n",
                        daemon->socket, daemon->lines, fanout_lines, daemon->events,
                        daemon->acks) > 0);
    assert_int_equal(fclose(file), 0);
}

static void write_token(const char *folder)
{
    char path[96];

    (void)snprintf(path, sizeof path, "%s/token", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fchmod(fileno(file), 0600), 0);
    assert_true(fputs("admin\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void find_port(uv_handle_t *handle, void *context)
{
    struct daemon *daemon = context;
    struct sockaddr_in address = {0};
    socklen_t size = sizeof address;
    uv_os_fd_t descriptor;

    if (handle->type == UV_POLL && uv_fileno(handle, &descriptor) == 0 &&
        getsockname(descriptor, (struct sockaddr *)&address, &size) == 0 &&
        address.sin_family == AF_INET)
        daemon->port = ntohs(address.sin_port);
}

/* A ticket that was signed in the very millisecond of the start may count as one from before. */
static void let_the_start_pass(void)
{
    uint64_t started = clock_wall_ms();

    while (clock_wall_ms() < started + 2)
        (void)usleep(500);
}

void daemon_start(struct daemon *daemon, const char *fanout_lines)
{
    char path[96], config_error[CONFIG_ERROR_SIZE], error[SERVER_ERROR_SIZE];
    struct config config;

    *daemon = (struct daemon){.server = malloc(sizeof *daemon->server)};
    assert_non_null(daemon->server);
    assert_ptr_not_equal(signal(SIGPIPE, SIG_IGN), SIG_ERR);
    (void)snprintf(daemon->folder, sizeof daemon->folder, "/tmp/esn-daemon-XXXXXX");
    assert_non_null(mkdtemp(daemon->folder));
    (void)snprintf(path, sizeof path, "%s/conf", daemon->folder);
    write_config(daemon, path, fanout_lines);
    write_token(daemon->folder);
    if (!config_load(&config, path, config_error))
        fail_msg("%s", config_error);
    if (!server_open(daemon->server, &config, error))
        fail_msg("%s", error);
    uv_walk(&daemon->server->net.loop.uv, find_port, daemon);
    assert_true(daemon->port > 0);
    message_configure("test", MESSAGE_LEVEL_ERROR, MESSAGE_TO_STDERR);
    let_the_start_pass();
}

void daemon_turn(struct daemon *daemon)
{
    (void)uv_run(&daemon->server->net.loop.uv, UV_RUN_NOWAIT);
}

static void assert_nothing_held(const struct server *server)
{
    assert_int_equal(server->net.connections, 0);
    assert_int_equal(server->streams.by_connid.count, 0);
    assert_int_equal(server->net.backlogs, 0);
    assert_true(TAILQ_EMPTY(&server->net.by_backlog));
    assert_int_equal(server->streams.presence.by_clid.count, 0);
    assert_int_equal(server->streams.presence.bytes, 0);
    assert_int_equal(server->replays.catching_up, 0);
    assert_int_equal(server->service.bodies.used, 0);
    assert_null(server->replays.first);
    for (int kind = 0; kind < SUBSCRIPTION_KINDS; kind++) {
        assert_int_equal(server->streams.topics[kind].topics, 0);
        assert_int_equal(server->streams.topics[kind].subscriptions, 0);
        assert_int_equal(server->streams.topics[kind].bytes, 0);
    }
    /* The pool keeps one open segment of each kind, and nobody else any. */
    assert_true(server->net.frames.segments_held <= FRAME_PRIVATE + 1);
}

static void remove_folder(const struct daemon *daemon)
{
    static const char *const names[] = {"conf", "token", "http", "lines", "events", "acks"};
    char path[96];

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", daemon->folder, names[i]);
        if (unlink(path) != 0)
            assert_int_equal(errno, ENOENT);
    }
    assert_int_equal(rmdir(daemon->folder), 0);
}

void daemon_stop(struct daemon *daemon)
{
    time_t limit = time(NULL) + LIMIT_SECONDS;

    assert_int_equal(raise(SIGTERM), 0);
    while (uv_run(&daemon->server->net.loop.uv, UV_RUN_ONCE) != 0)
        if (time(NULL) > limit)
            fail_msg("the daemon does not end");
    assert_nothing_held(daemon->server);
    server_close(daemon->server);
    free(daemon->server);
    daemon->server = NULL;
    remove_folder(daemon);
}

uint32_t daemon_publish(struct daemon *daemon, const char *topic, const char *json)
{
    struct event event = {
        .topic = topic, .topic_length = strlen(topic), .json = json, .json_length = strlen(json)};
    uint32_t receivers;

    assert_true(delivery_publish(&daemon->server->delivery, &event, &receivers));
    return receivers;
}

void daemon_turn_until(struct daemon *daemon, bool (*is_true)(void *), void *context)
{
    time_t limit = time(NULL) + LIMIT_SECONDS;

    while (!is_true(context)) {
        daemon_turn(daemon);
        if (time(NULL) > limit)
            fail_msg("it did not become true in %d s", LIMIT_SECONDS);
    }
}

static void open_socket(struct client *client, struct daemon *daemon, const void *address,
                        socklen_t size)
{
    const struct sockaddr *to = address;

    *client = (struct client){.daemon = daemon, .text = calloc(1, 1)};
    assert_non_null(client->text);
    client->descriptor = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(client->descriptor >= 0);
    assert_int_equal(connect(client->descriptor, to, size), 0);
    assert_int_equal(fcntl(client->descriptor, F_SETFL, O_NONBLOCK), 0);
}

static void open_path(struct client *client, struct daemon *daemon, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    memcpy(address.sun_path, path, strlen(path) + 1);
    open_socket(client, daemon, &address, sizeof address);
}

void client_open(struct client *client, struct daemon *daemon)
{
    open_path(client, daemon, daemon->socket);
}

void client_open_lines(struct client *client, struct daemon *daemon)
{
    open_path(client, daemon, daemon->lines);
}

void client_open_tcp(struct client *client, struct daemon *daemon)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)daemon->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    open_socket(client, daemon, &address, sizeof address);
}

bool client_send(struct client *client, const char *bytes, size_t length)
{
    time_t limit = time(NULL) + LIMIT_SECONDS;

    while (length > 0) {
        ssize_t sent = send(client->descriptor, bytes, length, MSG_NOSIGNAL);
        if (sent > 0) {
            bytes += sent;
            length -= (size_t)sent;
        } else if (errno != EAGAIN) {
            return false;
        } else {
            daemon_turn(client->daemon);
        }
        if (time(NULL) > limit)
            fail_msg("the daemon does not read");
    }
    return true;
}

bool client_send_text(struct client *client, const char *text)
{
    return client_send(client, text, strlen(text));
}

void client_receive(struct client *client)
{
    for (;;) {
        if (client->room < client->length + RECEIVE_SIZE + 1) {
            client->room = 2 * (client->length + RECEIVE_SIZE + 1);
            client->text = realloc(client->text, client->room);
            assert_non_null(client->text);
        }
        ssize_t got = recv(client->descriptor, client->text + client->length, RECEIVE_SIZE, 0);
        if (got > 0)
            client->length += (size_t)got;
        else if (got == 0 || errno != EAGAIN)
            client->ended = true;
        client->text[client->length] = '\0';
        if (got <= 0)
            return;
    }
}

const char *client_find(const struct client *client, const char *from, const char *text)
{
    enum { PIECE = 4096 };
    const char *end = client->text + client->length;
    size_t length = strlen(text), left;

    for (; (left = (size_t)(end - from)) >= length; from += PIECE) {
        size_t piece = left < PIECE + length ? left : PIECE + length;
        const char *found = memmem(from, piece, text, length);
        if (found != NULL || left <= PIECE)
            return found;
    }
    return NULL;
}

bool client_has(const struct client *client, const char *text)
{
    return client_find(client, client->text, text) != NULL;
}

size_t client_count(const struct client *client, const char *text)
{
    const char *at = client->text;
    size_t found = 0, length = strlen(text);

    for (; (at = client_find(client, at, text)) != NULL; at += length)
        found++;
    return found;
}

struct expectation {
    struct client *client;
    const char *text;
};

static bool has_come(void *context)
{
    const struct expectation *expectation = context;

    client_receive(expectation->client);
    if (expectation->client->ended && !client_has(expectation->client, expectation->text))
        fail_msg("closed without %s: %.500s", expectation->text, expectation->client->text);
    return client_has(expectation->client, expectation->text);
}

void client_expect(struct client *client, const char *text)
{
    struct expectation expectation = {client, text};

    daemon_turn_until(client->daemon, has_come, &expectation);
}

static bool has_ended(void *context)
{
    struct client *client = context;

    client_receive(client);
    return client->ended;
}

void client_expect_end(struct client *client)
{
    daemon_turn_until(client->daemon, has_ended, client);
}

uint64_t client_subscribe(struct client *client, const char *json)
{
    static const char before[] = "\"connid\":";
    char head[128];

    (void)snprintf(head, sizeof head, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n",
                   strlen(json));
    assert_true(client_send_text(client, head) && client_send_text(client, json));
    client_expect(client, before);
    const char *connid = strstr(client->text, before);
    assert_non_null(connid);
    return strtoull(connid + sizeof before - 1, NULL, 10);
}

void client_forget(struct client *client)
{
    client->length = 0;
    client->text[0] = '\0';
}

void client_close(struct client *client)
{
    free(client->text);
    client->text = NULL;
    client->room = 0;
    if (client->descriptor >= 0)
        assert_int_equal(close(client->descriptor), 0);
    client->descriptor = -1;
}
