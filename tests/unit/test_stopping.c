/* How the daemon ends: nobody and nothing new, and everybody who is there in their turn. */
#include "service_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bus/bus.h"
#include "events/bus_reader.h"
#include "events/drops.h"
#include "events/intake.h"
#include "events/rate_limits.h"
#include "events/seen_events.h"
#include "messages.h"
#include "net/connection.h"
#include "net/listener.h"
#include "requests/subscribe.h"
#include "stopping.h"
#include "subscription_body.h"

struct house {
    struct service_scene scene;
    struct listeners listeners;
    struct seen_events seen;
    struct rate_limits rates;
    struct drops drops;
    struct intake *intake;
    struct bus_reader *bus;
    char folder[32], http[64], events[64], acks[64];
    char *listen[2], *no_lines[1], *bus_events[2], *bus_acks[2];
    struct config defaults; /* owns the lists that are replaced */
};

static void open_bus(struct house *house)
{
    struct service_scene *scene = &house->scene;
    const struct intake_parts parts = {.config = &scene->config,
                                       .loop = &scene->net.loop,
                                       .delivery = &scene->delivery,
                                       .log = &scene->log,
                                       .seen = &house->seen,
                                       .rates = &house->rates,
                                       .drops = &house->drops};
    char error[512];

    seen_events_open(&house->seen, 1);
    rate_limits_open(&house->rates, 2);
    house->intake = intake_open(&parts, error);
    assert_non_null(house->intake);
    house->bus = bus_reader_open(&scene->net, house->intake, scene->log.epoch, NULL, error);
    if (house->bus == NULL || !listeners_open(&house->listeners, &scene->net, error))
        fail_msg("%s", error);
}

static int set_up(void **state)
{
    struct house *house = calloc(1, sizeof *house);

    assert_non_null(house);
    message_configure("test", MESSAGE_LEVEL_ERROR, MESSAGE_TO_STDERR);
    service_scene_open(&house->scene);
    house->defaults = house->scene.config;
    (void)snprintf(house->folder, sizeof house->folder, "/tmp/esn-stopping-XXXXXX");
    assert_non_null(mkdtemp(house->folder));
    (void)snprintf(house->http, sizeof house->http, "unix:%s/http", house->folder);
    (void)snprintf(house->events, sizeof house->events, "ipc://%s/events", house->folder);
    (void)snprintf(house->acks, sizeof house->acks, "ipc://%s/acks", house->folder);
    house->listen[0] = house->http;
    house->bus_events[0] = house->events;
    house->bus_acks[0] = house->acks;
    house->scene.config.listen = house->listen;
    house->scene.config.listen_lines = house->no_lines;
    house->scene.config.bus_events = house->bus_events;
    house->scene.config.bus_acks = house->bus_acks;
    open_bus(house);
    *state = house;
    return 0;
}

static int tear_down(void **state)
{
    struct house *house = *state;

    listeners_stop(&house->listeners);
    bus_reader_stop(house->bus);
    intake_stop(house->intake);
    house->scene.config.listen = house->defaults.listen;
    house->scene.config.listen_lines = house->defaults.listen_lines;
    house->scene.config.bus_events = house->defaults.bus_events;
    house->scene.config.bus_acks = house->defaults.bus_acks;
    service_scene_close(&house->scene);
    bus_reader_free(&house->bus);
    intake_free(&house->intake);
    listeners_free(&house->listeners);
    seen_events_free(&house->seen);
    rate_limits_free(&house->rates);
    (void)unlink(house->events + 6);
    (void)unlink(house->acks + 6);
    assert_int_equal(rmdir(house->folder), 0);
    free(house);
    return 0;
}

static struct stream *begin(struct house *house, int *peer)
{
    static const char json[] = "{\"ep\":[\"a\"]}";
    struct connection *connection = service_scene_connect(&house->scene, peer);
    struct subscription_body body;

    assert_null(subscription_body_read(&body, json, sizeof json - 1, 0, &house->scene.config));
    assert_true(subscribe_begin(connection, NULL, &body, &scene_transport));
    subscription_body_free(&body);
    service_scene_turn(&house->scene);
    (void)service_scene_take(*peer);
    return stream_of(connection);
}

static void nobody_new_is_let_in(void **state)
{
    struct house *house = *state;

    uint64_t now = loop_now(&house->scene.net.loop);
    uint64_t deadline = stopping_begin(&house->scene.service, &house->listeners, house->bus);
    assert_int_equal(deadline, now + house->scene.config.stop_time);
    assert_true(house->scene.net.stopping);
    assert_int_equal(access(house->http + 5, F_OK), -1);
    assert_true(stopping_is_over(&house->scene.service, deadline));
}

/* Without a spread at once: each with a hint when to come back, and its end. */
static void streams_are_told_and_ended(void **state)
{
    struct house *house = *state;
    int peer;
    struct stream *stream = begin(house, &peer);
    struct connection *connection = &stream->connection;

    house->scene.config.stop_spread = 0;
    uint64_t deadline = stopping_begin(&house->scene.service, &house->listeners, house->bus);
    assert_int_equal(connection->state, CONNECTION_ENDING);
    assert_int_equal(connection->close_reason, CLOSE_STOPPING);
    assert_false(stopping_is_over(&house->scene.service, deadline));
    service_scene_turn(&house->scene);
    const char *text = service_scene_take(peer);
    assert_non_null(strstr(text, "{\"type\":\"stopping\",\"detail\":{\"retry\":"));
    assert_non_null(strstr(text, "end\n"));
    assert_int_equal(close(peer), 0);
    service_scene_turn(&house->scene);
    service_scene_turn(&house->scene);
    assert_int_equal(house->scene.net.counters.closed[CLOSE_STOPPING], 1);
    assert_true(stopping_is_over(&house->scene.service, deadline));
}

/* Thousands do not end, and come back, in one moment. */
static void streams_end_one_after_the_other(void **state)
{
    enum { MANY = 20 };
    struct house *house = *state;
    struct stream *streams[MANY];
    int peers[MANY];
    uint64_t earliest = UINT64_MAX, latest = 0;

    for (int i = 0; i < MANY; i++)
        streams[i] = begin(house, &peers[i]);
    house->scene.config.stop_spread = 100000;
    house->scene.config.stop_time = 100000;
    uint64_t now = loop_now(&house->scene.net.loop);
    (void)stopping_begin(&house->scene.service, &house->listeners, house->bus);
    for (int i = 0; i < MANY; i++) {
        uint64_t ends_at = streams[i]->ends_at;
        assert_int_equal(streams[i]->connection.state, CONNECTION_STREAMING);
        /* Half of the time at most: the rest is for being read. */
        assert_in_range(ends_at, now, loop_now(&house->scene.net.loop) + 50000);
        earliest = ends_at < earliest ? ends_at : earliest;
        latest = ends_at > latest ? ends_at : latest;
    }
    assert_true(latest - earliest > 10000);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(close(peers[i]), 0);
}

/* One that is asking is answered first; one that is not goes at once. */
static void whoever_asks_for_nothing_is_closed(void **state)
{
    struct house *house = *state;
    int idle, asking;

    (void)service_scene_connect(&house->scene, &idle);
    struct connection *connection = service_scene_connect(&house->scene, &asking);
    assert_int_equal(write(asking, "GET /healthz HT", 15), 15);
    service_scene_turn(&house->scene);
    (void)stopping_begin(&house->scene.service, &house->listeners, house->bus);
    service_scene_turn(&house->scene);
    assert_int_equal(house->scene.net.connections, 1);
    assert_int_equal(connection->state, CONNECTION_READING);
    assert_int_equal(house->scene.net.counters.closed[CLOSE_STOPPING], 1);
    assert_int_equal(close(idle), 0);
    assert_int_equal(close(asking), 0);
}

/* Whoever has no stream is left alone: the next request on a connection that a proxy keeps
 * would be lost. */
static void a_release_is_for_streams_alone(void **state)
{
    struct house *house = *state;
    int idle, peer;

    struct connection *connection = service_scene_connect(&house->scene, &idle);
    struct stream *stream = begin(house, &peer);
    house->scene.config.stop_spread = 0;
    stopping_release_streams(&house->scene.service);
    service_scene_turn(&house->scene);
    assert_int_equal(connection->state, CONNECTION_READING);
    assert_int_equal(stream->connection.close_reason, CLOSE_STOPPING);
    assert_non_null(strstr(service_scene_take(peer), "\"type\":\"stopping\""));
    assert_int_equal(close(idle), 0);
    assert_int_equal(close(peer), 0);
}

/* An answer that was not taken yet is the last one of its connection. */
static void a_connection_that_is_being_answered_ends_behind_it(void **state)
{
    struct house *house = *state;
    int peer;

    struct connection *connection = service_scene_connect(&house->scene, &peer);
    connection->keep_alive = true;
    assert_true(connection_queue_bytes(connection, "answer", 6));
    (void)stopping_begin(&house->scene.service, &house->listeners, house->bus);
    assert_int_equal(connection->state, CONNECTION_ENDING);
    service_scene_turn(&house->scene);
    assert_string_equal(service_scene_take(peer), "answer");
    assert_int_equal(connection->state, CONNECTION_LINGERING);
    assert_int_equal(close(peer), 0);
}

static void when_its_time_is_over_everybody_is_closed(void **state)
{
    struct house *house = *state;
    int peer;

    (void)begin(house, &peer);
    house->scene.config.stop_spread = 60000;
    house->scene.config.stop_time = 120000;
    uint64_t deadline = stopping_begin(&house->scene.service, &house->listeners, house->bus);
    assert_false(stopping_is_over(&house->scene.service, deadline));
    assert_true(stopping_is_over(&house->scene.service, 0));
    service_scene_turn(&house->scene);
    assert_int_equal(house->scene.net.connections, 0);
    assert_int_equal(house->scene.net.counters.closed[CLOSE_STOPPING], 1);
    assert_int_equal(close(peer), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nobody_new_is_let_in, set_up, tear_down),
        cmocka_unit_test_setup_teardown(streams_are_told_and_ended, set_up, tear_down),
        cmocka_unit_test_setup_teardown(streams_end_one_after_the_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(whoever_asks_for_nothing_is_closed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_release_is_for_streams_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_connection_that_is_being_answered_ends_behind_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(when_its_time_is_over_everybody_is_closed, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
