/* Reading that a turn of the loop has no time for. */
#include "failing_memory.h"
#include "net_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/socket.h>
#include <unistd.h>

static bool resume(struct net_scene *scene)
{
    return connection_resume_put_off(&scene->net);
}

enum { CROWD = 300 };

struct crowd {
    struct net_scene *scene;
    int count;
    struct scene_client *clients[CROWD];
};

static bool all_were_read(void *context)
{
    const struct crowd *crowd = context;

    (void)resume(crowd->scene); /* a turn can be late by itself */
    for (int i = 0; i < crowd->count; i++)
        if (crowd->clients[i]->inputs == 0)
            return false;
    return true;
}

/* A turn whose time is over when the sockets are reported. */
static void late_turn(struct net_scene *scene)
{
    scene->net.loop.watch.read_since_ns = 1;
    net_scene_turn(scene);
    scene->net.loop.watch.read_since_ns = 0;
}

static void what_a_turn_has_no_time_for_is_read_in_one_of_the_next(void **state)
{
    struct net_scene scene;

    (void)state;
    net_scene_open(&scene);
    scene.leaves_put_off = true;
    struct crowd both = {&scene,
                         2,
                         {net_scene_connect(&scene, CONNECTION_READING),
                          net_scene_connect(&scene, CONNECTION_STREAMING)}};
    struct scene_client **clients = both.clients;
    int peers[] = {clients[0]->peer, clients[1]->peer};
    for (int i = 0; i < 2; i++)
        scene_client_send(clients[i], "late");
    late_turn(&scene);
    assert_int_equal(scene.net.put_off.count, 2);
    uint64_t asked = scene.net.loop.watch.put_off;
    net_scene_turn(&scene);
    assert_int_equal(clients[0]->inputs + clients[1]->inputs, 0);
    assert_int_equal(scene.net.loop.watch.put_off, asked); /* nobody looked */
    assert_false(resume(&scene));
    net_scene_turn_until(&scene, all_were_read, &both);
    for (int i = 0; i < 2; i++)
        assert_string_equal(clients[i]->text, "late");
    net_scene_close(&scene);
    for (int i = 0; i < 2; i++)
        assert_int_equal(close(peers[i]), 0);
}

static void where_memory_runs_out_nobody_is_put_off(void **state)
{
    struct net_scene scene;

    (void)state;
    net_scene_open(&scene);
    scene.leaves_put_off = true;
    struct scene_client *client = net_scene_connect(&scene, CONNECTION_READING);
    int peer = client->peer;
    scene_client_send(client, "late");
    failing_memory_at(1);
    late_turn(&scene);
    assert_true(failing_memory_stop());
    assert_int_equal(scene.net.put_off.count, 0);
    net_scene_turn(&scene);
    assert_string_equal(client->text, "late");
    net_scene_close(&scene);
    assert_int_equal(close(peer), 0);
}

static void one_that_is_closed_meanwhile_is_forgotten(void **state)
{
    struct net_scene scene;

    (void)state;
    net_scene_open(&scene);
    scene.leaves_put_off = true;
    struct scene_client *clients[] = {net_scene_connect(&scene, CONNECTION_READING),
                                      net_scene_connect(&scene, CONNECTION_READING)};
    int peers[] = {clients[0]->peer, clients[1]->peer};
    for (int i = 0; i < 2; i++)
        scene_client_send(clients[i], "late");
    late_turn(&scene);
    connection_close(&clients[0]->connection, CLOSE_IDLE);
    assert_int_equal(scene.net.put_off.count, 1);
    net_scene_turn(&scene);
    assert_false(resume(&scene));
    net_scene_turn(&scene);
    assert_string_equal(clients[1]->text, "late");
    net_scene_close(&scene);
    for (int i = 0; i < 2; i++)
        assert_int_equal(close(peers[i]), 0);
}

static struct scene_client *put_one_off(struct net_scene *scene)
{
    net_scene_open(scene);
    scene->leaves_put_off = true;
    struct scene_client *client = net_scene_connect(scene, CONNECTION_READING);
    scene_client_send(client, "late");
    late_turn(scene);
    assert_int_equal(scene->net.put_off.count, 1);
    return client;
}

static void one_that_is_no_longer_to_be_read_is_not(void **state)
{
    struct net_scene scene;
    struct scene_client *client = put_one_off(&scene);
    int peer = client->peer;

    (void)state;
    assert_int_equal(connection_start_reading(&client->connection), 0); /* in its turn */
    net_scene_turn(&scene);
    assert_int_equal(client->inputs, 0);
    connection_stop_reading(&client->connection);
    assert_false(resume(&scene));
    net_scene_turn(&scene);
    assert_int_equal(client->inputs, 0);
    assert_int_equal(connection_start_reading(&client->connection), 0);
    net_scene_turn(&scene);
    assert_string_equal(client->text, "late");
    net_scene_close(&scene);
    assert_int_equal(close(peer), 0);
}

/* Closed at once, with bytes of the client that nobody has read, it would be reset, and its answer
 * lost. */
static void one_that_is_answered_meanwhile_can_read_the_answer(void **state)
{
    struct net_scene scene;
    struct scene_client *client = put_one_off(&scene);
    int peer = client->peer;
    char answer[16];

    (void)state;
    connection_end_answer(&client->connection, false);
    assert_true(connection_queue_bytes(&client->connection, "answer", 6));
    assert_false(connection_flush(&scene.net));
    assert_int_equal(client->connection.state, CONNECTION_LINGERING);
    assert_int_equal(recv(peer, answer, sizeof answer, 0), 6);
    assert_int_equal(recv(peer, answer, sizeof answer, 0), 0);
    assert_false(resume(&scene));
    net_scene_turn(&scene);
    assert_int_equal(client->inputs, 0); /* thrown away */
    net_scene_close(&scene);
    assert_int_equal(close(peer), 0);
}

/* The oldest first, and not more than a turn may have time for. */
static void a_crowd_comes_in_the_order_in_which_it_was_put_off(void **state)
{
    struct net_scene scene;
    struct crowd all = {.scene = &scene, .count = CROWD};
    struct scene_client **crowd = all.clients;
    int peers[CROWD];

    (void)state;
    net_scene_open(&scene);
    scene.leaves_put_off = true;
    for (int i = 0; i < CROWD; i++) {
        crowd[i] = net_scene_connect(&scene, CONNECTION_READING);
        peers[i] = crowd[i]->peer;
        scene_client_send(crowd[i], "late");
        late_turn(&scene);
    }
    unsigned turns = 0;
    for (bool others = true; others; turns++) {
        others = resume(&scene);
        assert_int_equal(scene.net.put_off.count > 0, others);
        for (int i = 0; i < CROWD; i++)
            assert_true(i == 0 || !crowd[i - 1]->connection.put_off ||
                        crowd[i]->connection.put_off);
    }
    assert_true(turns > 1);
    net_scene_turn_until(&scene, all_were_read, &all);
    net_scene_close(&scene);
    for (int i = 0; i < CROWD; i++)
        assert_int_equal(close(peers[i]), 0);
}

static void who_has_used_its_share_waits_behind_those_who_have_not(void **state)
{
    struct net_scene scene;
    const struct ip_address addresses[] = {{.bytes = {1}}, {.bytes = {2}}};
    struct counted_address *counted[2];
    struct scene_client *clients[2];
    int peers[2];

    (void)state;
    net_scene_open(&scene);
    scene.leaves_put_off = true;
    for (int i = 0; i < 2; i++) {
        clients[i] = net_scene_connect(&scene, CONNECTION_READING);
        peers[i] = clients[i]->peer;
        assert_int_equal(
            address_limits_enter(&scene.net.addresses, &addresses[i], 0, 0, &counted[i]),
            ADDRESS_ADMITTED);
        connection_set_address(&clients[i]->connection, counted[i]);
        scene_client_send(clients[i], "late");
        late_turn(&scene);
    }
    turn_shares_charge(&scene.net.loop.watch.shares, &counted[0]->share, UINT32_MAX);
    assert_true(resume(&scene));
    assert_true(clients[0]->connection.put_off);
    assert_false(clients[1]->connection.put_off);
    net_scene_close(&scene);
    for (int i = 0; i < 2; i++)
        assert_int_equal(close(peers[i]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_turn_has_no_time_for_is_read_in_one_of_the_next),
        cmocka_unit_test(where_memory_runs_out_nobody_is_put_off),
        cmocka_unit_test(one_that_is_closed_meanwhile_is_forgotten),
        cmocka_unit_test(one_that_is_no_longer_to_be_read_is_not),
        cmocka_unit_test(one_that_is_answered_meanwhile_can_read_the_answer),
        cmocka_unit_test(a_crowd_comes_in_the_order_in_which_it_was_put_off),
        cmocka_unit_test(who_has_used_its_share_waits_behind_those_who_have_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
