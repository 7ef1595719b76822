/* The writing half of a connection: marks, one write or many in a batch, and those who do not read.
 */
#include "net_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/send_batch.h"

static void queue(struct scene_client *client, const char *text)
{
    assert_true(connection_queue_bytes(&client->connection, text, strlen(text)));
}

static void expect(int peer, const char *wanted)
{
    char text[256];

    (void)scene_client_take(peer, text, sizeof text, NULL);
    assert_string_equal(text, wanted);
}

static void what_is_queued_goes_out_in_order_and_the_user_hears_of_it(void **state)
{
    struct net_scene scene;

    (void)state;
    net_scene_open(&scene);
    struct scene_client *client = net_scene_connect(&scene, CONNECTION_STREAMING);
    int peer = client->peer;
    queue(client, "one ");
    queue(client, "two ");
    queue(client, "three");
    assert_int_equal(connection_marks(&scene.net), 1);
    assert_int_equal(client->drains, 0);
    assert_false(connection_flush_some(&scene.net));
    assert_int_equal(connection_marks(&scene.net), 0);
    expect(peer, "one two three");
    assert_int_equal(client->drains, 1);
    connection_mark(&client->connection);
    connection_mark(&client->connection);
    assert_int_equal(connection_marks(&scene.net), 1);
    net_scene_close(&scene);
    assert_int_equal(close(peer), 0);
}

/* As many as one system call takes, the oldest first; with batches and without. */
static void write_to_many(bool in_batches)
{
    enum { MANY = SEND_BATCH_MOST + 6 };
    struct net_scene scene;
    struct scene_client *clients[MANY];
    int peers[MANY];
    char text[16];

    net_scene_open(&scene);
    if (in_batches) {
        scene.net.writes.batch = send_batch_open();
        if (scene.net.writes.batch == NULL)
            fail_msg("no io_uring: %s (kernel.io_uring_disabled, or a container's rules)",
                     strerror(errno));
    }
    for (int i = 0; i < MANY; i++) {
        clients[i] = net_scene_connect(&scene, CONNECTION_STREAMING);
        peers[i] = clients[i]->peer;
    }
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(text, sizeof text, "to %d", i);
        queue(clients[i], text);
    }
    assert_int_equal(connection_marks(&scene.net), MANY);
    assert_true(connection_flush_some(&scene.net));
    assert_int_equal(connection_marks(&scene.net), MANY - SEND_BATCH_MOST);
    expect(peers[MANY - 1], "");
    assert_false(connection_flush_some(&scene.net));
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(text, sizeof text, "to %d", i);
        expect(peers[i], text);
        assert_int_equal(clients[i]->drains, 1);
    }
    net_scene_close(&scene);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(close(peers[i]), 0);
}

static void many_are_written_one_by_one(void **state)
{
    (void)state;
    write_to_many(false);
}

static void many_are_written_in_batches(void **state)
{
    (void)state;
    write_to_many(true);
}

/* What a turn has no time for is written in the next one; who is closed meanwhile is in nobody's
 * way, and its memory stays until its place in the queue has come. */
static void what_a_turn_has_no_time_for_is_written_in_the_next(void **state)
{
    enum { MANY = 6 * SEND_BATCH_MOST };
    const uint64_t long_ns = 1000000000;
    struct net_scene scene;
    struct scene_client *clients[MANY];
    int peers[MANY];

    (void)state;
    net_scene_open(&scene);
    struct loop_watch *watch = &scene.net.loop.watch;
    for (int i = 0; i < MANY; i++) {
        clients[i] = net_scene_connect(&scene, CONNECTION_STREAMING);
        peers[i] = clients[i]->peer;
        queue(clients[i], "on");
    }
    connection_close(&clients[MANY - 1]->connection, CLOSE_CLIENT);
    watch->written_ns = long_ns;
    assert_true(connection_flush(&scene.net));
    assert_int_equal(connection_marks(&scene.net), MANY - SEND_BATCH_MOST);
    watch->written_ns = long_ns;
    (void)uv_run(&scene.net.loop.uv,
                 UV_RUN_NOWAIT); /* writes once, and lets go of the closed one */
    assert_int_equal(connection_marks(&scene.net), MANY - 2 * SEND_BATCH_MOST);
    assert_int_equal(scene.net.connections, MANY);
    while (connection_flush(&scene.net))
        watch->written_ns = long_ns;
    assert_int_equal(scene.net.connections, MANY - 1);
    for (int i = 0; i < MANY; i++) {
        expect(peers[i], i < MANY - 1 ? "on" : "");
        assert_int_equal(close(peers[i]), 0);
    }
    net_scene_close(&scene);
}

/* Those that are closed by the loop, with a place in the queue, go with it. */
static void who_is_closed_in_the_queue_is_not_left_behind(void **state)
{
    struct net_scene scene;

    (void)state;
    net_scene_open(&scene);
    struct scene_client *client = net_scene_connect(&scene, CONNECTION_STREAMING);
    int peer = client->peer;
    (void)uv_check_stop(&scene.after_sleep);
    queue(client, "late");
    connection_close(&client->connection, CLOSE_CLIENT);
    (void)uv_run(&scene.net.loop.uv, UV_RUN_NOWAIT);
    assert_int_equal(scene.net.connections, 1);
    connection_drop_marks(&scene.net);
    assert_int_equal(scene.net.connections, 0);
    net_scene_close(&scene);
    assert_int_equal(close(peer), 0);
}

static void a_user_may_hold_back(void **state)
{
    struct net_scene scene;

    (void)state;
    net_scene_open(&scene);
    struct scene_client *client = net_scene_connect(&scene, CONNECTION_STREAMING);
    int peer = client->peer;
    client->holds_back = true;
    queue(client, "wait");
    net_scene_turn(&scene);
    expect(peer, "");
    assert_int_equal(client->connection.output.length, 4);
    client->holds_back = false;
    queue(client, " for me");
    net_scene_turn(&scene);
    expect(peer, "wait for me");
    net_scene_close(&scene);
    assert_int_equal(close(peer), 0);
}

static void one_that_is_doomed_is_closed_before_the_loop_sleeps(void **state)
{
    struct net_scene scene;

    (void)state;
    net_scene_open(&scene);
    struct scene_client *client = net_scene_connect(&scene, CONNECTION_STREAMING);
    struct scene_client *other = net_scene_connect(&scene, CONNECTION_STREAMING);
    int peers[] = {client->peer, other->peer};
    client->connection.doomed = true;
    connection_mark(&client->connection);
    queue(other, "on");
    connection_flush(&scene.net);
    assert_int_equal(scene_totals.lefts, 1);
    assert_int_equal(scene.net.counters.closed[CLOSE_MEMORY], 1);
    expect(peers[1], "on");
    net_scene_close(&scene);
    assert_int_equal(close(peers[0]), 0);
    assert_int_equal(close(peers[1]), 0);
}

/* ---- those who do not read ---- */

/* More than a socket pair takes. */
static size_t fill(struct scene_client *client)
{
    enum { PIECE = 64 * 1024, PIECES = 16 };
    char *piece = malloc(PIECE);
    size_t sent = 0;

    assert_non_null(piece);
    memset(piece, 'x', PIECE);
    for (int i = 0; i < PIECES; i++, sent += PIECE)
        assert_true(connection_queue_bytes(&client->connection, piece, PIECE));
    free(piece);
    return sent;
}

struct reading {
    int peer;
    size_t length, wanted;
};

static bool has_read_all(void *context)
{
    struct reading *reading = context;
    static char text[1 << 16];

    reading->length += scene_client_take(reading->peer, text, sizeof text, NULL);
    return reading->length >= reading->wanted;
}

static void the_rest_waits_for_one_that_is_slow(void **state)
{
    struct net_scene scene;

    (void)state;
    net_scene_open(&scene);
    scene.config.max_pending = scene.config.max_pending_soft = 1 << 24;
    struct scene_client *client = net_scene_connect(&scene, CONNECTION_STREAMING);
    struct reading reading = {.peer = client->peer, .wanted = fill(client)};
    net_scene_turn(&scene);
    assert_non_null(client->connection.backlog);
    assert_int_equal(scene.net.backlogs, 1);
    assert_int_equal(client->drains, 0);
    assert_int_equal(connection_slow_deadline(&client->connection), UINT64_MAX);
    net_scene_turn_until(&scene, has_read_all, &reading);
    assert_int_equal(reading.length, reading.wanted);
    net_scene_turn(&scene);
    assert_null(client->connection.backlog);
    assert_int_equal(client->drains, 1);
    net_scene_close(&scene);
    assert_int_equal(close(reading.peer), 0);
}

static void past_the_hard_limit_it_is_closed(void **state)
{
    struct net_scene scene;

    (void)state;
    net_scene_open(&scene);
    scene.config.max_pending = scene.config.max_pending_soft = 100 * 1024;
    struct scene_client *client = net_scene_connect(&scene, CONNECTION_STREAMING);
    int peer = client->peer;
    (void)fill(client);
    net_scene_turn(&scene);
    assert_int_equal(scene.net.counters.closed[CLOSE_SLOW], 1);
    assert_int_equal(scene_totals.lefts, 1);
    net_scene_close(&scene);
    assert_int_equal(close(peer), 0);
}

static void past_the_soft_limit_its_time_runs(void **state)
{
    struct net_scene scene;

    (void)state;
    net_scene_open(&scene);
    scene.config.max_pending = 1 << 24;
    scene.config.max_pending_soft = 1024;
    scene.config.soft_time = 5000;
    struct scene_client *client = net_scene_connect(&scene, CONNECTION_STREAMING);
    int peer = client->peer;
    (void)fill(client);
    uint64_t before = loop_now(&scene.net.loop);
    net_scene_turn(&scene);
    uint64_t due = connection_slow_deadline(&client->connection);
    assert_in_range(due, before + 5000, loop_now(&scene.net.loop) + 5000);
    net_scene_close(&scene);
    assert_int_equal(close(peer), 0);
}

/* Together they may not hold more than so much: who is slow for longest goes first. */
static void memory_is_relieved_of_the_slowest(void **state)
{
    struct net_scene scene;

    (void)state;
    net_scene_open(&scene);
    scene.config.max_pending = scene.config.max_pending_soft = 1 << 24;
    struct scene_client *first = net_scene_connect(&scene, CONNECTION_STREAMING);
    struct scene_client *second = net_scene_connect(&scene, CONNECTION_STREAMING);
    int peers[] = {first->peer, second->peer};
    (void)fill(first);
    net_scene_turn(&scene);
    (void)fill(second);
    net_scene_turn(&scene);
    assert_int_equal(scene.net.backlogs, 2);
    scene.config.max_pending_total = scene.net.frames.bytes_held - 1;
    connection_relieve_memory(&scene.net);
    assert_int_equal(first->connection.state, CONNECTION_CLOSED);
    assert_int_equal(second->connection.state, CONNECTION_STREAMING);
    assert_int_equal(scene.net.counters.closed[CLOSE_SLOW], 1);
    net_scene_close(&scene);
    assert_int_equal(close(peers[0]), 0);
    assert_int_equal(close(peers[1]), 0);
}

/* A client that does not read its answers gets no more of them. */
static void one_that_asks_is_not_read_while_it_does_not_read(void **state)
{
    struct net_scene scene;

    (void)state;
    net_scene_open(&scene);
    scene.config.max_pending = scene.config.max_pending_soft = 1 << 24;
    struct scene_client *client = net_scene_connect(&scene, CONNECTION_READING);
    struct reading reading = {.peer = client->peer, .wanted = fill(client)};
    net_scene_turn(&scene);
    assert_non_null(client->connection.backlog);
    scene_client_send(client, "and this?");
    net_scene_turn(&scene);
    assert_int_equal(client->inputs, 0);
    net_scene_turn_until(&scene, has_read_all, &reading);
    net_scene_turn(&scene);
    net_scene_turn(&scene);
    assert_string_equal(client->text, "and this?");
    net_scene_close(&scene);
    assert_int_equal(close(reading.peer), 0);
}

/* What was queued before the end is written; then the socket is shut down and read to its end. */
static void the_last_bytes_are_written_before_it_lingers(void **state)
{
    struct net_scene scene;
    char text[16];
    bool ended;

    (void)state;
    net_scene_open(&scene);
    struct scene_client *client = net_scene_connect(&scene, CONNECTION_STREAMING);
    int peer = client->peer;
    queue(client, "bye");
    connection_end_writing(&client->connection, CLOSE_STREAM_TIME);
    net_scene_turn(&scene);
    assert_int_equal(client->connection.state, CONNECTION_LINGERING);
    assert_int_equal(scene_client_take(peer, text, sizeof text, &ended), 3);
    assert_true(ended);
    assert_int_equal(close(peer), 0);
    net_scene_turn(&scene);
    assert_int_equal(scene.net.counters.closed[CLOSE_STREAM_TIME], 1);
    net_scene_close(&scene);
}

static void one_that_is_kept_alive_is_read_again(void **state)
{
    struct net_scene scene;

    (void)state;
    net_scene_open(&scene);
    struct scene_client *client = net_scene_connect(&scene, CONNECTION_STREAMING);
    int peer = client->peer;
    client->connection.keep_alive = true;
    queue(client, "bye");
    connection_end_writing(&client->connection, CLOSE_DONE);
    net_scene_turn(&scene);
    assert_int_equal(client->connection.state, CONNECTION_READING);
    assert_int_equal(client->connection.close_reason, CLOSE_CLIENT);
    scene_client_send(client, "next");
    net_scene_turn(&scene);
    assert_string_equal(client->text, "next");
    net_scene_close(&scene);
    assert_int_equal(close(peer), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_queued_goes_out_in_order_and_the_user_hears_of_it),
        cmocka_unit_test(many_are_written_one_by_one),
        cmocka_unit_test(many_are_written_in_batches),
        cmocka_unit_test(what_a_turn_has_no_time_for_is_written_in_the_next),
        cmocka_unit_test(who_is_closed_in_the_queue_is_not_left_behind),
        cmocka_unit_test(a_user_may_hold_back),
        cmocka_unit_test(one_that_is_doomed_is_closed_before_the_loop_sleeps),
        cmocka_unit_test(the_rest_waits_for_one_that_is_slow),
        cmocka_unit_test(past_the_hard_limit_it_is_closed),
        cmocka_unit_test(past_the_soft_limit_its_time_runs),
        cmocka_unit_test(memory_is_relieved_of_the_slowest),
        cmocka_unit_test(one_that_asks_is_not_read_while_it_does_not_read),
        cmocka_unit_test(the_last_bytes_are_written_before_it_lingers),
        cmocka_unit_test(one_that_is_kept_alive_is_read_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
