/* The reading half of a connection, with a user of the test's own. */
#include "net_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void what_comes_is_its_users(void **state)
{
    struct net_scene scene;

    (void)state;
    net_scene_open(&scene);
    struct scene_client *reading = net_scene_connect(&scene, CONNECTION_READING);
    struct scene_client *streaming = net_scene_connect(&scene, CONNECTION_STREAMING);
    int peers[] = {reading->peer, streaming->peer};
    net_scene_turn(&scene);
    assert_int_equal(reading->inputs + streaming->inputs, 0);
    scene_client_send(reading, "first ");
    net_scene_turn(&scene);
    scene_client_send(reading, "second");
    scene_client_send(streaming, "other");
    net_scene_turn(&scene);
    assert_string_equal(reading->text, "first second");
    assert_int_equal(reading->inputs, 2);
    assert_string_equal(streaming->text, "other");
    net_scene_close(&scene);
    assert_int_equal(close(peers[0]), 0);
    assert_int_equal(close(peers[1]), 0);
}

/* What is thrown away may have been a request, so the connection takes no other. */
static void while_it_ends_nothing_is_read_and_it_is_not_used_again(void **state)
{
    struct net_scene scene;

    (void)state;
    net_scene_open(&scene);
    struct scene_client *client = net_scene_connect(&scene, CONNECTION_ENDING);
    int peer = client->peer;
    client->connection.keep_alive = true;
    scene_client_send(client, "too late");
    net_scene_turn(&scene);
    assert_int_equal(client->inputs, 0);
    assert_true(client->connection.dirty_input);
    assert_false(client->connection.keep_alive);
    net_scene_close(&scene);
    assert_int_equal(close(peer), 0);
}

static void an_end_closes_and_tells_the_user_once(void **state)
{
    struct net_scene scene;

    (void)state;
    net_scene_open(&scene);
    int peers[] = {net_scene_connect(&scene, CONNECTION_READING)->peer,
                   net_scene_connect(&scene, CONNECTION_STREAMING)->peer};
    assert_int_equal(close(peers[0]), 0);
    assert_int_equal(close(peers[1]), 0);
    net_scene_turn(&scene);
    net_scene_turn(&scene);
    assert_int_equal(scene.net.connections, 0);
    assert_int_equal(scene_totals.lefts, 2);
    assert_int_equal(scene.net.counters.closed[CLOSE_CLIENT], 2);
    net_scene_close(&scene);
}

/* One that has said all it wants to say may still read its answer. */
static void an_end_after_a_request_leaves_the_answer_to_be_read(void **state)
{
    struct net_scene scene;
    char text[64];
    bool ended;

    (void)state;
    net_scene_open(&scene);
    struct scene_client *client = net_scene_connect(&scene, CONNECTION_READING);
    int peer = client->peer;
    client->holds_back = true; /* not written yet when the end comes */
    assert_true(connection_queue_bytes(&client->connection, "answer", 6));
    assert_int_equal(shutdown(peer, SHUT_WR), 0);
    net_scene_turn(&scene);
    assert_int_equal(client->connection.state, CONNECTION_ENDING);
    assert_false(client->connection.keep_alive);
    client->holds_back = false;
    connection_mark(&client->connection);
    net_scene_turn(&scene);
    net_scene_turn(&scene);
    assert_int_equal(scene_client_take(peer, text, sizeof text, &ended), 6);
    assert_string_equal(text, "answer");
    assert_true(ended);
    assert_int_equal(scene.net.counters.closed[CLOSE_CLIENT], 1);
    net_scene_close(&scene);
    assert_int_equal(close(peer), 0);
}

static void one_that_lingers_is_read_until_its_end(void **state)
{
    struct net_scene scene;

    (void)state;
    net_scene_open(&scene);
    struct scene_client *client = net_scene_connect(&scene, CONNECTION_LINGERING);
    int peer = client->peer;
    client->connection.close_reason = CLOSE_REFUSED;
    scene_client_send(client, "more of what was refused");
    net_scene_turn(&scene);
    assert_int_equal(client->inputs, 0);
    assert_int_equal(client->connection.state, CONNECTION_LINGERING);
    assert_int_equal(close(peer), 0);
    net_scene_turn(&scene);
    assert_int_equal(scene.net.counters.closed[CLOSE_REFUSED], 1);
    net_scene_close(&scene);
}

static void count_call(void *context)
{
    ++*(unsigned *)context;
}

/* A busy machine may need several turns for a crowd. */
struct told {
    const struct loop *loop;
    unsigned calls, clients;
    const unsigned *called;
};

static bool is_told(void *context)
{
    const struct told *told = context;

    return *told->called == told->calls && told->loop->clients == told->clients;
}

static void turn_until_told(struct net_scene *scene, const unsigned *called, unsigned calls,
                            unsigned clients)
{
    struct told told = {&scene->net.loop, calls, clients, called};

    net_scene_turn_until(scene, is_told, &told);
}

/* In a crowd something else has its turn between batches of clients. */
static void the_loop_is_told_of_each_client(void **state)
{
    struct net_scene scene;
    unsigned calls = 0;
    int peers[LOOP_BATCH + 10];

    (void)state;
    net_scene_open(&scene);
    loop_set_between(&scene.net.loop, count_call, &calls);
    for (int i = 0; i < LOOP_BATCH + 10; i++) {
        struct scene_client *client = net_scene_connect(&scene, CONNECTION_STREAMING);
        peers[i] = client->peer;
        scene_client_send(client, "x");
    }
    turn_until_told(&scene, &calls, 1, 10);
    loop_begin_batch(&scene.net.loop);
    for (int i = 0; i < LOOP_BATCH - 1; i++)
        assert_int_equal(send(peers[i], "x", 1, 0), 1);
    turn_until_told(&scene, &calls, 1, LOOP_BATCH - 1);
    assert_int_equal(send(peers[0], "x", 1, 0), 1);
    turn_until_told(&scene, &calls, 2, 0);
    loop_set_between(&scene.net.loop, NULL, NULL);
    net_scene_close(&scene);
    for (int i = 0; i < LOOP_BATCH + 10; i++)
        assert_int_equal(close(peers[i]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_is_its_users),
        cmocka_unit_test(while_it_ends_nothing_is_read_and_it_is_not_used_again),
        cmocka_unit_test(an_end_closes_and_tells_the_user_once),
        cmocka_unit_test(an_end_after_a_request_leaves_the_answer_to_be_read),
        cmocka_unit_test(one_that_lingers_is_read_until_its_end),
        cmocka_unit_test(the_loop_is_told_of_each_client),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
