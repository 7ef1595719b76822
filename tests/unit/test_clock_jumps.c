/* The wall clock jumps, by seconds and by years, either way: nobody who is connected notices. */
#include "daemon.h"
#include "wall_clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOUR = 3600, YEAR = 365 * 24 * HOUR };

static const int64_t jumps[] = {1, -1, HOUR, -HOUR, 5 * YEAR, -20 * (int64_t)YEAR, 2 * HOUR, 0};

enum { JUMPS = sizeof jumps / sizeof *jumps };

static void jump_and_publish(struct daemon *daemon, struct client *client, size_t jump)
{
    char json[32];

    wall_clock_set(jumps[jump]);
    for (int turn = 0; turn < 20; turn++) /* timers would go off in these */
        daemon_turn(daemon);
    (void)snprintf(json, sizeof json, "{\"type\":\"n%zu\"}", jump);
    assert_int_equal(daemon_publish(daemon, "a", json), 1);
    (void)snprintf(json, sizeof json, "\"type\":\"n%zu\"", jump);
    client_expect(client, json);
}

/* Of each frame, in the order in which they came. */
static void check_times(const struct client *client, size_t least)
{
    static const char name[] = "{\"iat\":";
    unsigned long long last = 0;
    size_t frames = 0;

    for (const char *at = client->text; (at = strstr(at, name)) != NULL; frames++) {
        unsigned long long iat;
        at += sizeof name - 1;
        iat = strtoull(at, NULL, 10);
        assert_true(iat >= last);
        last = iat;
    }
    assert_true(frames >= least);
}

static void check_uptime(struct daemon *daemon)
{
    static const char name[] = "\"uptime_ms\":";
    struct client client;

    client_open(&client, daemon);
    assert_true(client_send_text(&client, "GET /state?token=admin HTTP/1.1\r\nHost: h\r\n\r\n"));
    client_expect(&client, "\"closed\":");
    assert_true(strtoull(strstr(client.text, name) + sizeof name - 1, NULL, 10) < HOUR * 1000);
    client_close(&client);
}

static void streams_go_on_and_nothing_is_forgotten(void **state)
{
    struct daemon daemon;
    struct client client, late, returning;

    (void)state;
    daemon_start(&daemon, "idle_time = 1h\n");
    client_open(&client, &daemon);
    (void)client_subscribe(&client, "{\"ep\":[\"a\"]}");
    client_open(&late, &daemon); /* in the middle of its request, for all of the jumps */
    assert_true(
        client_send_text(&late, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\n\r\n{\"ep\""));
    for (size_t jump = 0; jump < JUMPS; jump++) {
        jump_and_publish(&daemon, &client, jump);
        check_uptime(&daemon);
    }
    check_times(&client, JUMPS + 1);
    assert_true(client_send_text(&late, ":[\"a\"]}"));
    client_expect(&late, "\"connected\"");
    client_open(&returning, &daemon);
    (void)client_subscribe(&returning, "{\"ep\":[\"a\"],\"last_id\":\"1-0\"}");
    client_expect(&returning, "\"n7\"");
    assert_true(client_has(&returning, "\"n0\""));
    check_times(&returning, JUMPS + 1);
    assert_int_equal(daemon.server->streams.by_connid.count, 3);
    client_close(&client);
    client_close(&late);
    client_close(&returning);
    daemon_stop(&daemon);
}

static int set_right(void **state)
{
    (void)state;
    wall_clock_set(0);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(streams_go_on_and_nothing_is_forgotten, set_right),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
