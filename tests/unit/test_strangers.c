/* What strangers choose has a price that is bounded, and is refused in words. */
#include "daemon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "net/connection.h"

static void send_subscription(struct client *client, const char *json)
{
    char head[128];

    (void)snprintf(head, sizeof head, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n",
                   strlen(json));
    assert_true(client_send_text(client, head) && client_send_text(client, json));
}

/* Pages that watch each other's name: each hears the newest count, not every step to it. */
static void a_crowd_that_comes_at_once_is_told_once(void **state)
{
    enum { CROWD = 60 };
    struct daemon daemon;
    struct client crowd[CROWD], watcher;

    (void)state;
    daemon_start(&daemon, "");
    client_open(&watcher, &daemon);
    (void)client_subscribe(&watcher, "{\"ep\":[\"@CONNECTION@/x\"]}");
    for (int i = 0; i < CROWD; i++)
        client_open(&crowd[i], &daemon);
    daemon_turn(&daemon);
    for (int i = 0; i < CROWD; i++)
        send_subscription(&crowd[i], "{\"clid\":\"x\",\"ep\":[\"@CONNECTION@/x\"]}");
    for (int i = 0; i < CROWD; i++)
        client_expect(&crowd[i], "\"available\"");
    client_expect(&watcher, "\"connect\",\"detail\":{\"clid_instances\":60}");
    assert_in_range(client_count(&watcher, "\"connect\""), 1, 10);
    for (int i = 0; i < CROWD; i++)
        client_close(&crowd[i]);
    client_expect(&watcher, "\"disconnect\",\"detail\":{\"clid_instances\":0}");
    client_close(&watcher);
    daemon_stop(&daemon);
}

static void one_that_comes_does_not_hear_itself(void **state)
{
    struct daemon daemon;
    struct client first, second;

    (void)state;
    daemon_start(&daemon, "");
    client_open(&first, &daemon);
    (void)client_subscribe(&first, "{\"clid\":\"x\",\"ep\":[\"@CONNECTION@/+\",\"a\"]}");
    client_open(&second, &daemon);
    (void)client_subscribe(&second, "{\"clid\":\"x\",\"ep\":[\"@CONNECTION@/+\",\"a\"]}");
    client_expect(&first, "\"connect\",\"detail\":{\"clid_instances\":2}");
    (void)daemon_publish(&daemon, "a", "{\"type\":\"end\"}");
    client_expect(&first, "\"end\"");
    client_expect(&second, "\"end\"");
    assert_int_equal(client_count(&first, "\"connect\""), 1);
    assert_int_equal(client_count(&second, "\"connect\""), 0);
    client_close(&first);
    client_close(&second);
    daemon_stop(&daemon);
}

/* So many topics of so many levels that share nothing. */
static char *large_subscription(unsigned topics, unsigned levels, const char *salt)
{
    char *json = malloc((size_t)topics * levels * 12 + 64), *at = json;

    assert_non_null(json);
    at += sprintf(at, "{\"ep\":[");
    for (unsigned i = 0; i < topics; i++) {
        at += sprintf(at, "%s\"", i > 0 ? "," : "");
        for (unsigned level = 0; level < levels; level++)
            at += sprintf(at, "%s%s%x", level > 0 ? "/" : "", salt, i);
        *at++ = '"';
    }
    (void)strcpy(at, "]}");
    return json;
}

static void topics_that_take_too_much_are_refused_in_words(void **state)
{
    enum { HOLDERS = 40 };
    struct daemon daemon;
    struct client clients[HOLDERS], client;
    unsigned held = 0;

    (void)state;
    daemon_start(&daemon, "max_topics_total = 1M\nmax_topics_size = 64k\nmax_body = 1M\n");
    char *large = large_subscription(100, 64, "");
    client_open(&client, &daemon);
    send_subscription(&client, large);
    client_expect(&client, "HTTP/1.1 400 Topics are too large together");
    client_close(&client);
    free(large);
    for (; held < HOLDERS; held++) {
        char salt[8];
        (void)snprintf(salt, sizeof salt, "%u_", held);
        large = large_subscription(8, 56, salt);
        client_open(&clients[held], &daemon);
        send_subscription(&clients[held], large);
        client_expect(&clients[held], "\r\n\r\n");
        free(large);
        if (client_has(&clients[held], "HTTP/1.1 503 Too many topics are held at present"))
            break;
    }
    assert_in_range(held, 4, HOLDERS - 1);
    /* Those with few topics come in all the same. */
    client_open(&client, &daemon);
    (void)client_subscribe(&client, "{\"ep\":[\"mine/a\",\"mine/b\"]}");
    client_close(&client);
    for (unsigned i = 0; i <= held; i++)
        client_close(&clients[i]);
    daemon_stop(&daemon);
}

static void few_patterns_may_watch_client_ids(void **state)
{
    struct daemon daemon;
    struct client client, line;

    (void)state;
    daemon_start(&daemon, "max_presence_patterns = 2\n");
    client_open(&client, &daemon);
    send_subscription(&client,
                      "{\"ep\":[\"@CONNECTION@/+\",\"@CONNECTION@/a/#\",\"@CONNECTION@/b\","
                      "\"+/#\",\"@CONNECTION@/#\"]}");
    client_expect(&client, "HTTP/1.1 400 Too many patterns of client ids");
    client_open_lines(&line, &daemon);
    assert_true(client_send_text(&line, "{\"ep\":[\"@CONNECTION@/+\",\"@CONNECTION@/a/#\"]}\n"));
    client_expect(&line, "\"connected\"");
    assert_true(client_send_text(&line, "{\"subscribe\":[\"@CONNECTION@/c/+\"]}\n"));
    client_expect(&line, "Too many patterns of client ids");
    assert_true(client_send_text(&line, "{\"subscribe\":[\"@CONNECTION@/c\"]}\n"));
    client_expect(&line, "\"subscribed\"");
    client_close(&client);
    client_close(&line);
    daemon_stop(&daemon);
}

static bool nothing_is_held(void *context)
{
    const struct daemon *daemon = context;

    return daemon->server->streams.topics[SUBSCRIPTION_OPEN].subscriptions == 0 &&
           daemon->server->leaving.count == 0;
}

static bool one_is_left(void *context)
{
    const struct daemon *daemon = context;

    return daemon->server->streams.by_connid.count == 1 && daemon->server->leaving.count == 0;
}

static const char *many_topics(const char *more)
{
    static struct bytes json;

    bytes_clear(&json);
    bytes_append_text(&json, "{\"ep\":[\"a\"");
    for (int i = 0; i < 900; i++)
        bytes_append_format(&json, ",\"b/%d/c\"", i);
    bytes_append_format(&json, "]%s}", more);
    return bytes_terminate(&json);
}

/* A stream that ends with many topics is no receiver any more, though they leave the index in
 * slices; and what its connection asks next does not meet them. */
static void who_leaves_with_many_topics_is_gone_at_once(void **state)
{
    enum { CROWD = 40 };
    struct daemon daemon;
    struct client crowd[CROWD], other;

    (void)state;
    daemon_start(&daemon, "");
    client_open(&other, &daemon);
    (void)client_subscribe(&other, "{\"ep\":[\"a\"]}");
    for (int i = 0; i < CROWD; i++) {
        client_open(&crowd[i], &daemon);
        (void)client_subscribe(&crowd[i], many_topics(""));
    }
    for (int i = 0; i < CROWD; i++)
        client_close(&crowd[i]);
    bool met_some = false;
    do {
        daemon_turn(&daemon);
        uint64_t there = daemon.server->streams.by_connid.count;
        met_some = met_some || daemon.server->leaving.count > 0;
        assert_int_equal(daemon_publish(&daemon, "a", "{\"type\":\"x\"}"), there);
    } while (daemon.server->streams.by_connid.count > 1);
    assert_true(met_some);
    client_expect(&other, "\"x\"");
    daemon_turn_until(&daemon, one_is_left, &daemon);
    (void)daemon_publish(&daemon, "b/7/c", "{\"type\":\"y\"}");
    client_close(&other);
    daemon_turn_until(&daemon, nothing_is_held, &daemon);
    daemon_stop(&daemon);
}

struct answers {
    struct client *client;
    size_t count;
};

static bool has_answers(void *context)
{
    struct answers *answers = context;

    client_receive(answers->client);
    return client_count(answers->client, "HTTP/1.1 200") == answers->count;
}

static void a_poll_of_many_topics_is_followed_by_another_one(void **state)
{
    enum { POLLS = 12 };
    struct daemon daemon;
    struct client client;
    char head[128];

    (void)state;
    daemon_start(&daemon, "");
    client_open(&client, &daemon);
    for (int i = 0; i < POLLS; i++) {
        const char *json = many_topics(",\"wait\":0");
        (void)snprintf(head, sizeof head,
                       "POST /poll HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n",
                       strlen(json));
        assert_true(client_send_text(&client, head) && client_send_text(&client, json));
    }
    struct answers answers = {&client, POLLS};
    daemon_turn_until(&daemon, has_answers, &answers);
    client_close(&client);
    daemon_turn_until(&daemon, nothing_is_held, &daemon);
    daemon_stop(&daemon);
}

enum { READY = 1500 };

static bool all_are_accepted(void *context)
{
    const struct daemon *daemon = context;

    return daemon->server->net.connections == READY;
}

/* libuv names those that are ready again and again in one turn, when they are more than a thousand.
 */
static void who_is_put_off_is_asked_once_in_a_turn(void **state)
{
    struct daemon daemon;
    struct client *clients = calloc(READY, sizeof *clients);

    (void)state;
    assert_non_null(clients);
    daemon_start(&daemon, "");
    for (int i = 0; i < READY; i++) {
        client_open(&clients[i], &daemon);
        daemon_turn(&daemon);
    }
    daemon_turn_until(&daemon, all_are_accepted, &daemon);
    for (int i = 0; i < READY; i++)
        assert_int_equal(send(clients[i].descriptor, "GET /", 5, 0), 5);
    struct loop_watch *watch = &daemon.server->net.loop.watch;
    uint64_t before = watch->put_off;
    uv_prepare_t *before_sleep = &daemon.server->before_sleep;
    (void)uv_prepare_stop(before_sleep);
    watch->read_since_ns = 1; /* so long ago that this turn has no time left */
    daemon_turn(&daemon);
    assert_in_range(watch->put_off - before, 1024, 3 * READY);
    (void)uv_prepare_start(before_sleep, before_sleep->prepare_cb);
    for (int i = 0; i < READY; i++) {
        assert_true(client_send_text(&clients[i], "healthz HTTP/1.1\r\nHost: x\r\n\r\n"));
        client_expect(&clients[i], "HTTP/1.1 200");
        client_close(&clients[i]);
    }
    daemon_stop(&daemon);
    free(clients);
}

/* As if all addresses had had their share of this turn, and somebody waited. */
static bool one_waits(void *context)
{
    struct server *server = ((struct daemon *)context)->server;
    struct turn_shares *shares = &server->net.loop.watch.shares;

    shares->now_ns = shares->quantum_ns = 0;
    shares->put_off_now = 1;
    return server->waiting.count == 1;
}

static void hold_a_request(struct daemon *daemon, struct client *client)
{
    client_open(client, daemon);
    assert_true(client_send_text(client, "POST / HTTP/1.1\r\nHost: h\r\n"
                                         "X-Forwarded-For: 192.0.2.7\r\n"
                                         "Content-Length: 12\r\n\r\n{\"ep\":[\"a\"]}"));
    daemon_turn_until(daemon, one_waits, daemon);
    assert_true(daemon->server->service.bodies.used > 0);
}

static void a_request_that_waits_too_long_is_refused_and_given_up(void **state)
{
    struct daemon daemon;
    struct client client;

    (void)state;
    daemon_start(&daemon, "trusted_proxies = unix\nheader_time = 1s\n");
    hold_a_request(&daemon, &client);
    client_expect(&client, "HTTP/1.1 503 Too much is asked for from this address\r\n");
    client_expect_end(&client);
    assert_true(client_has(&client, "Retry-After: 1\r\n"));
    assert_int_equal(daemon.server->waiting.count, 0);
    assert_int_equal(daemon.server->waiting.refused, 1);
    assert_int_equal(daemon.server->service.bodies.used, 0);
    client_close(&client);
    daemon_stop(&daemon);
}

/* As that of one that speaks meanwhile. */
static void close_connection(uv_handle_t *handle, void *context)
{
    struct connection *connection = connection_of_handle(handle);

    (void)context;
    if (connection != NULL && !uv_is_closing(handle))
        connection_close(connection, CLOSE_TALKATIVE);
}

static void a_request_that_waits_is_given_up_with_its_connection(void **state)
{
    struct daemon daemon;
    struct client client;

    (void)state;
    daemon_start(&daemon, "trusted_proxies = unix\n");
    hold_a_request(&daemon, &client);
    uv_walk(&daemon.server->net.loop.uv, close_connection, NULL);
    assert_int_equal(daemon.server->waiting.count, 0);
    assert_int_equal(daemon.server->service.bodies.used, 0);
    client_close(&client);
    daemon_stop(&daemon);
}

static void a_request_that_waits_at_the_end_is_refused_and_given_up(void **state)
{
    struct daemon daemon;
    struct client client;

    (void)state;
    daemon_start(&daemon, "trusted_proxies = unix\n");
    hold_a_request(&daemon, &client);
    daemon_stop(&daemon);
    client_receive(&client);
    assert_true(client_has(&client, "HTTP/1.1 503 Stopping\r\n"));
    client_close(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crowd_that_comes_at_once_is_told_once),
        cmocka_unit_test(one_that_comes_does_not_hear_itself),
        cmocka_unit_test(topics_that_take_too_much_are_refused_in_words),
        cmocka_unit_test(few_patterns_may_watch_client_ids),
        cmocka_unit_test(who_leaves_with_many_topics_is_gone_at_once),
        cmocka_unit_test(a_poll_of_many_topics_is_followed_by_another_one),
        cmocka_unit_test(who_is_put_off_is_asked_once_in_a_turn),
        cmocka_unit_test(a_request_that_waits_too_long_is_refused_and_given_up),
        cmocka_unit_test(a_request_that_waits_is_given_up_with_its_connection),
        cmocka_unit_test(a_request_that_waits_at_the_end_is_refused_and_given_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
