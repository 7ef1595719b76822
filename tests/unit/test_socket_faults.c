/* Every call on a socket fails once, in every way: what only delays is not noticed by anybody, what
 * ends a connection ends that one alone, and presence counts who is really there. */
#include "crowd.h"
#include "daemon.h"
#include "failing_sockets.h"
#include "net/connection.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NO_END = 5000, LARGE = 300000, PARTS = 8 }; /* LARGE: more than any socket takes at once */

static char large[LARGE]; /* the JSON of an event */

/* The readers are enough for one system call to write to all of them (send_batch.h). */
enum { WATCHER, RETURNING, ASKING, READER, READERS = 6, CLIENTS = READER + READERS };

/* What each of them gets, in this order and nothing of it twice. */
static const char *const parts[READER + 1][PARTS] = {
    [WATCHER] = {"\"connected\"", "\"clid_instances\":\"0\"", "\"clid_instances\":1",
                 "\"clid_instances\":2", "\"end\""},
    [READER] = {"\"connected\"", "\"small\"", large, "\"last\""},
    [RETURNING] = {"\"connected\"", "\"early\"", "\"early last\"", "\"small\"", large, "\"last\""},
    [ASKING] = {"{\"status\":\"ok\"}", "\"@TOTAL@\":"},
};

struct scene {
    struct daemon *daemon;
    struct client clients[CLIENTS];
    struct client *awaited;
    const char *text;
};

static void turn(const struct scene *scene)
{
    failing_sockets_work(true);
    daemon_turn(scene->daemon);
    failing_sockets_work(false);
}

static bool is_over(const struct scene *scene)
{
    client_receive(scene->awaited);
    return scene->awaited->ended || client_has(scene->awaited, scene->text);
}

/* Turns until one has this text, or was closed. */
static void turn_until_has(struct scene *scene, int who, const char *text)
{
    scene->awaited = &scene->clients[who];
    scene->text = text;
    while (!is_over(scene))
        turn(scene);
}

static void subscribe(struct scene *scene, int who, const char *json, const char *until)
{
    struct client *client = &scene->clients[who];
    char request[400];

    client_open(client, scene->daemon);
    (void)snprintf(
        request, sizeof request,
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n%s\r\n0\r\n\r\n",
        strlen(json), json);
    (void)client_send_text(client, request);
    turn_until_has(scene, who, until);
}

static void publish(const struct scene *scene, const char *topic, const char *json)
{
    failing_sockets_work(true);
    (void)daemon_publish(scene->daemon, topic, json);
    failing_sockets_work(false);
}

/* One watches who is there, one listens, one comes back to what it missed, one asks twice without
 * waiting and has its connection closed. */
static void play(struct scene *scene)
{
    const struct event_log *log = &scene->daemon->server->log;
    char returning[160];

    (void)snprintf(returning, sizeof returning,
                   "{\"clid\":\"c\",\"ep\":[\"a\"],\"last_id\":\"%llu-%llu\"}",
                   (unsigned long long)log->epoch, (unsigned long long)log->sequence);
    publish(scene, "a", "{\"type\":\"early\"}");
    publish(scene, "a", "{\"type\":\"early last\"}");
    subscribe(scene, WATCHER, "{\"ep\":[\"@CONNECTION@/c\",\"z\"]}", "\"available\"");
    subscribe(scene, READER, "{\"clid\":\"c\",\"ep\":[\"a\"]}", "\"connected\"");
    for (int who = READER + 1; who < CLIENTS; who++)
        subscribe(scene, who, "{\"ep\":[\"a\"]}", "\"connected\"");
    subscribe(scene, RETURNING, returning, "\"early last\"");
    client_open(&scene->clients[ASKING], scene->daemon);
    (void)client_send_text(
        &scene->clients[ASKING],
        "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"
        "GET /connections?token=admin HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    turn_until_has(scene, ASKING, "\"@TOTAL@\":");
    publish(scene, "a", "{\"type\":\"small\"}");
    publish(scene, "a", large);
    publish(scene, "a", "{\"type\":\"last\"}");
    turn_until_has(scene, RETURNING, "\"last\"");
    for (int who = READER; who < CLIENTS; who++)
        turn_until_has(scene, who, "\"last\"");
    publish(scene, "z", "{\"type\":\"end\"}");
    turn_until_has(scene, WATCHER, "\"end\"");
    for (int who = 0; who < CLIENTS; who++)
        client_receive(&scene->clients[who]);
}

/* Each once, in order. */
static bool has_all(const struct client *client, const char *const wanted[PARTS])
{
    const char *at = client->text, *end = client->text + client->length;

    for (int i = 0; i < PARTS && wanted[i] != NULL; i++) {
        size_t length = strlen(wanted[i]);
        const char *found = memmem(at, (size_t)(end - at), wanted[i], length);
        if (found == NULL)
            return false;
        at = found + length;
        if (memmem(at, (size_t)(end - at), wanted[i], length) != NULL)
            return false;
    }
    return true;
}

static unsigned there(const struct scene *scene, int who)
{
    return !scene->clients[who].ended;
}

/* The number that the watcher heard last. */
static unsigned last_instances(const struct client *watcher)
{
    static const char name[] = "\"clid_instances\":";
    const char *last = NULL;

    for (const char *at = watcher->text; (at = strstr(at, name)) != NULL; at += sizeof name - 1)
        last = at + sizeof name - 1;
    assert_non_null(last);
    return (unsigned)strtoul(last + (*last == '"'), NULL, 10);
}

/* Presence, and who watches it, know who is there. */
static void check_presence(const struct scene *scene)
{
    const struct server *server = scene->daemon->server;
    unsigned instances = there(scene, READER) + there(scene, RETURNING);
    unsigned streams = there(scene, WATCHER) + there(scene, RETURNING);

    for (int who = READER; who < CLIENTS; who++)
        streams += there(scene, who);
    assert_int_equal(presence_count(&server->streams.presence, "c", 1), instances);
    assert_int_equal(server->streams.by_connid.count, streams);
    if (there(scene, WATCHER))
        assert_int_equal(last_instances(&scene->clients[WATCHER]), instances);
}

static void play_with_fault(struct daemon *daemon, enum socket_fault fault, uint64_t n,
                            unsigned may_be_lost)
{
    struct scene scene = {.daemon = daemon};
    unsigned lost = 0;

    failing_sockets_at(fault, n);
    play(&scene);
    for (int who = 0; who < CLIENTS; who++) {
        bool all = has_all(&scene.clients[who], parts[who < READER ? who : READER]);
        bool ended = who == ASKING ? !all : scene.clients[who].ended;
        lost += ended;
        /* The watcher hears less of those who were lost. */
        if (!ended && !all && (who != WATCHER || may_be_lost == 0))
            fail_msg("fault %d, call %llu: client %d has not got everything once: %.500s",
                     (int)fault, (unsigned long long)n, who, scene.clients[who].text);
    }
    if (lost > may_be_lost)
        fail_msg("fault %d, call %llu: %u were lost", (int)fault, (unsigned long long)n, lost);
    check_presence(&scene);
    for (int who = 0; who < CLIENTS; who++)
        client_close(&scene.clients[who]);
    while (daemon->server->net.connections > 0)
        turn(&scene);
}

static void try_each_call(enum socket_fault fault, unsigned may_be_lost, unsigned least)
{
    struct daemon daemon;
    uint64_t n = 0;

    daemon_start(&daemon, "");
    do {
        assert_true(++n < NO_END);
        play_with_fault(&daemon, fault, n, may_be_lost);
    } while (failing_sockets_stop());
    print_message("fault %d: %llu calls\n", (int)fault, (unsigned long long)n - 1);
    assert_true(n > least);
    daemon_stop(&daemon);
}

static void what_only_delays_is_not_noticed(void **state)
{
    (void)state;
    try_each_call(SOCKET_AGAIN, 0, 20);
    try_each_call(SOCKET_INTERRUPTED, 0, 20);
    try_each_call(SOCKET_SHORT, 0, 15);
}

static void what_ends_a_connection_ends_that_one_alone(void **state)
{
    (void)state;
    try_each_call(SOCKET_RESET, 1, 20);
    try_each_call(SOCKET_NO_BUFFERS, 1, 12);
}

static void a_crowd_on_bad_sockets_leaves_nothing_behind(void **state)
{
    enum { STEPS = 20000 };
    struct daemon daemon;
    struct crowd crowd;

    (void)state;
    daemon_start(&daemon, crowd_config);
    crowd_open(&crowd, &daemon, 55);
    crowd.daemon_works = failing_sockets_work;
    failing_sockets_randomly(56, 10);
    for (int i = 0; i < STEPS; i++)
        crowd_step(&crowd);
    assert_true(failing_sockets_stop());
    crowd_close(&crowd);
    assert_true(crowd.frames_checked > 1000);
    daemon_stop(&daemon);
}

static int make_large(void **state)
{
    int begins = snprintf(large, sizeof large, "{\"type\":\"large\",\"detail\":\"");

    (void)state;
    memset(large + begins, 'x', sizeof large - (size_t)begins);
    memcpy(large + sizeof large - 3, "\"}", 3);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_only_delays_is_not_noticed),
        cmocka_unit_test(what_ends_a_connection_ends_that_one_alone),
        cmocka_unit_test(a_crowd_on_bad_sockets_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, make_large, NULL);
}
