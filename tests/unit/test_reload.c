/* SIGHUP: each limit that may change while the daemon runs reaches the part that it is for. */
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
#include <sys/stat.h>
#include <unistd.h>

#include "bytes.h"
#include "clock.h"
#include "net/connection.h"
#include "ticket.h"

#define OLD "0123456789abcdef0123456789abcdef"
#define NEW "fedcba9876543210fedcba9876543210"

static void append_to_config(const struct daemon *daemon, const char *text)
{
    char path[96];

    (void)snprintf(path, sizeof path, "%s/conf", daemon->folder);
    FILE *file = fopen(path, "a");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static bool is_reloaded(void *context)
{
    const struct daemon *daemon = context;

    return daemon->server->config.max_topics == 77;
}

static void reload(struct daemon *daemon)
{
    daemon->server->config.max_topics = 1;
    assert_int_equal(raise(SIGHUP), 0);
    daemon_turn_until(daemon, is_reloaded, daemon);
}

static void limits_reach_their_parts(void **state)
{
    struct daemon daemon;

    (void)state;
    daemon_start(&daemon, "");
    append_to_config(&daemon, "[fanout]\nmax_topics = 77\nmax_connections = 33\n"
                              "max_body_total = 2M\nmax_polls_between = 44\n"
                              "[bus]\nremember_time = 55s\n"
                              "[log]\nmax_bytes = 3M\nmax_age = 66s\nmax_departed = 88\n");
    reload(&daemon);
    const struct server *server = daemon.server;
    assert_int_equal(server->net.max_connections, 33);
    assert_int_equal(server->service.bodies.most, 2 * 1024 * 1024);
    assert_int_equal(server->streams.polls.most, 44);
    assert_int_equal(server->seen.max_age_ms, 55000);
    assert_int_equal(server->log.max_bytes, 3 * 1024 * 1024);
    assert_int_equal(server->log.max_age_ms, 66000);
    assert_int_equal(server->streams.departed.max_count, 88);
    assert_int_equal(server->streams.departed.max_age_ms, 66000);
    assert_int_equal(server->streams.secrets.max_age_ms, 66000);
    daemon_stop(&daemon);
}

/* What is in the log beyond the new limit goes with the next event. */
static void a_smaller_log_forgets(void **state)
{
    struct daemon daemon;
    char json[2100];

    (void)state;
    daemon_start(&daemon, "");
    (void)snprintf(json, sizeof json, "{\"type\":\"%02000d\"}", 0);
    for (int i = 0; i < 1000; i++)
        (void)daemon_publish(&daemon, "a", json);
    assert_int_equal(daemon.server->log.events, 1000);
    append_to_config(&daemon, "[fanout]\nmax_topics = 77\n[log]\nmax_bytes = 100k\n");
    reload(&daemon);
    (void)daemon_publish(&daemon, "a", json);
    assert_true(daemon.server->log.events < 60);
    daemon_stop(&daemon);
}

static void add_send_buffer(uv_handle_t *handle, void *context)
{
    int *sum = context, value = 0, listens = 0;
    socklen_t size = sizeof value;
    uv_os_fd_t descriptor;

    if (handle->type != UV_POLL || uv_fileno(handle, &descriptor) != 0 ||
        getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || !listens)
        return;
    assert_int_equal(getsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &value, &size), 0);
    *sum += value;
}

/* Of all that listen: connections inherit it. */
static int send_buffers(const struct daemon *daemon)
{
    int sum = 0;

    uv_walk(&daemon->server->net.loop.uv, add_send_buffer, &sum);
    return sum;
}

static void sockets_have_the_new_buffers(void **state)
{
    struct daemon daemon;

    (void)state;
    daemon_start(&daemon, "send_buffer = 64k\n");
    int before = send_buffers(&daemon);
    append_to_config(&daemon, "[fanout]\nmax_topics = 77\n");
    char command[256];
    (void)snprintf(command, sizeof command,
                   "sed -i 's/^send_buffer = 64k/send_buffer = 32k/' %s/conf", daemon.folder);
    assert_int_equal(system(command), 0);
    reload(&daemon);
    assert_true(send_buffers(&daemon) < before);
    daemon_stop(&daemon);
}

static void write_secrets(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fchmod(fileno(file), 0600), 0);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* How a subscription with a ticket signed with this secret is answered. */
static void expect_ticket(struct daemon *daemon, char *secret, const char *answer)
{
    const struct secret_list secrets = {.values = &secret, .count = 1};
    const struct ticket_rules rules = {.secrets = &secrets, .life_s = 10, .life_max_s = 60};
    const struct requested_topic topic = {.text = "t", .length = 1};
    const struct ticket ticket = {.topics = &topic, .topic_count = 1, .issued_ms = clock_wall_ms()};
    struct bytes request = BYTES_EMPTY;
    struct client client;

    bytes_append_text(&request, "GET /?ticket=");
    assert_int_equal(ticket_sign(&request, &rules, &ticket, ticket.issued_ms / 1000), TICKET_OK);
    bytes_append_text(&request, " HTTP/1.1\r\nHost: h\r\n\r\n");
    client_open(&client, daemon);
    assert_true(client_send(&client, request.data, request.length));
    client_expect(&client, answer);
    client_close(&client);
    bytes_free(&request);
}

static void secrets_of_tickets_are_read_again(void **state)
{
    char path[] = "/tmp/esn-reload-XXXXXX", lines[160], old[] = OLD, fresh[] = NEW;
    int descriptor = mkstemp(path);
    struct daemon daemon;

    (void)state;
    assert_true(descriptor >= 0);
    assert_int_equal(close(descriptor), 0);
    write_secrets(path, OLD "\n");
    (void)snprintf(lines, sizeof lines, "[ticket]\nsecret_file = %s\n", path);
    daemon_start(&daemon, lines);
    expect_ticket(&daemon, old, "\"connected\"");
    expect_ticket(&daemon, fresh, "400 Invalid ticket");
    write_secrets(path, NEW "\n");
    append_to_config(&daemon, "[fanout]\nmax_topics = 77\n");
    reload(&daemon);
    expect_ticket(&daemon, fresh, "\"connected\"");
    expect_ticket(&daemon, old, "400 Invalid ticket");
    daemon_stop(&daemon);
    assert_int_equal(unlink(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_reach_their_parts),
        cmocka_unit_test(a_smaller_log_forgets),
        cmocka_unit_test(sockets_have_the_new_buffers),
        cmocka_unit_test(secrets_of_tickets_are_read_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
