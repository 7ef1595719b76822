/* Orders to end streams: all that were there, each once, in slices, and nobody who came later. */
#include "service_scene.h"

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

#include "net/connection.h"
#include "requests/dropping.h"
#include "requests/subscribe.h"
#include "subscription_body.h"

enum { CROWD = 300 };

struct house {
    struct service_scene scene;
    struct dropping dropping;
    int peers[CROWD];
    size_t count;
    unsigned orders_done;
    uint32_t dropped;
    uint64_t receipt;
};

static void note_done(void *context, const struct drop_receipt *receipt, uint32_t dropped)
{
    struct house *house = context;

    house->orders_done++;
    house->dropped = dropped;
    house->receipt = receipt->sequence;
}

static int set_up(void **state)
{
    struct house *house = calloc(1, sizeof *house);

    assert_non_null(house);
    service_scene_open(&house->scene);
    house->dropping = (struct dropping){.done = note_done, .context = house};
    dropping_open(&house->dropping, &house->scene.service);
    *state = house;
    return 0;
}

static int tear_down(void **state)
{
    struct house *house = *state;

    service_scene_close(&house->scene);
    dropping_close(&house->dropping);
    for (size_t i = 0; i < house->count; i++)
        (void)close(house->peers[i]);
    free(house);
    return 0;
}

/* A stream as this user and session (NULL: unbound); its number. */
static uint64_t come(struct house *house, const char *user, const char *session, const char *clid)
{
    struct connection *connection =
        service_scene_connect(&house->scene, &house->peers[house->count++]);
    struct subscription_body body = {.user = user, .sid = session, .clid = clid};

    assert_true(subscribe_begin(connection, NULL, &body, &scene_transport));
    return stream_of(connection)->connid;
}

static void order(struct house *house, enum drop_kind kind, const char *name, uint64_t connid)
{
    const struct drop drop = {.kind = kind,
                              .name = name,
                              .name_length = name != NULL ? strlen(name) : 0,
                              .connid = connid};
    const struct drop_receipt receipt = {.publisher = 1, .sequence = house->orders_done + 1};

    assert_true(dropping_begin(&house->dropping, &drop, &receipt));
}

static size_t held(const struct house *house)
{
    return house->scene.streams.by_connid.count;
}

/* Runs until nothing is left; returns how many turns that took. */
static unsigned run_all(struct house *house)
{
    for (unsigned turns = 1; turns < 10 * CROWD; turns++) {
        bool done = dropping_run(&house->dropping);
        service_scene_turn(&house->scene);
        if (done)
            return turns;
    }
    fail_msg("it never ends");
    return 0;
}

static void a_user_a_session_and_one_stream(void **state)
{
    struct house *house = *state;

    (void)come(house, "ana", "home", NULL);
    (void)come(house, "ana", "work", NULL);
    (void)come(house, "eva", "work", NULL);
    uint64_t alone = come(house, NULL, NULL, "page");
    order(house, DROP_SESSION, "work", 0);
    assert_int_equal(run_all(house), 1);
    assert_int_equal(house->dropped, 2);
    assert_int_equal(house->receipt, 1);
    order(house, DROP_USER, "ana", 0);
    order(house, DROP_USER, "ana", 0);
    (void)run_all(house);
    assert_int_equal(house->orders_done, 3);
    assert_int_equal(house->dropped, 0);
    assert_int_equal(held(house), 1);
    order(house, DROP_CONNECTION, NULL, alone);
    (void)run_all(house);
    assert_int_equal(house->dropped, 1);
    assert_int_equal(held(house), 0);
    assert_int_equal(house->scene.streams.dropped, 4);
    assert_int_equal(house->scene.streams.identities.by_text.count, 0);
    assert_non_null(strstr(service_scene_take(house->peers[3]), "\"type\":\"dropped\""));
}

static void those_of_a_client_id_among_many(void **state)
{
    struct house *house = *state;
    char clid[16];

    for (int i = 0; i < CROWD; i++) {
        (void)snprintf(clid, sizeof clid, "c%d", i % 3);
        (void)come(house, NULL, NULL, clid);
    }
    assert_int_equal(held(house), CROWD);
    order(house, DROP_CLIENT, "c1", 0);
    (void)run_all(house);
    assert_int_equal(house->dropped, CROWD / 3);
    assert_int_equal(held(house), CROWD - CROWD / 3);
    assert_int_equal(presence_count(&house->scene.streams.presence, "c1", 2), 0);
    assert_int_equal(presence_count(&house->scene.streams.presence, "c2", 2), CROWD / 3);
}

/* When a turn has no time left, the others wait for the next: 16 in each at least. */
static void many_take_several_turns_and_newcomers_stay(void **state)
{
    struct house *house = *state;
    struct loop_watch *watch = &house->scene.net.loop.watch;

    for (int i = 0; i < CROWD - 1; i++)
        (void)come(house, "ana", "s", NULL);
    order(house, DROP_USER, "ana", 0);
    (void)loop_watch_has_time(watch);
    watch->read_since_ns = 1; /* a turn that has read for very long */
    assert_false(dropping_run(&house->dropping));
    assert_int_equal(held(house), CROWD - 1 - 16);
    assert_int_equal(house->orders_done, 0);
    (void)come(house, "ana", "s", NULL);
    (void)run_all(house);
    assert_int_equal(house->dropped, CROWD - 1);
    assert_int_equal(held(house), 1);
}

static void one_that_leaves_meanwhile_is_no_trouble(void **state)
{
    struct house *house = *state;

    for (int i = 0; i < 40; i++)
        (void)come(house, "ana", "s", NULL);
    order(house, DROP_SESSION, "s", 0);
    for (size_t i = 0; i < house->count; i += 2)
        (void)shutdown(house->peers[i], SHUT_RDWR);
    service_scene_turn(&house->scene);
    (void)run_all(house);
    assert_int_equal(held(house), 0);
    assert_int_equal(house->scene.streams.departed.by_connid.count, 0);
    assert_int_equal(house->scene.streams.identities.by_text.count, 0);
}

/* Neither the one that ended nor one of before comes back. */
static void nobody_comes_back_as_one_of_them(void **state)
{
    struct house *house = *state;
    struct streams *streams = &house->scene.streams;

    uint64_t connid = come(house, "ana", "s", NULL);
    struct stream *stream = streams_find(streams, connid);
    unsigned char secret[STREAM_SECRET_SIZE];
    memcpy(secret, stream->secret, sizeof secret);
    connection_close(&stream->connection, CLOSE_CLIENT);
    assert_int_equal(streams->departed.by_connid.count, 1);
    order(house, DROP_USER, "ana", 0);
    (void)run_all(house);
    assert_int_equal(house->dropped, 0);
    assert_false(departed_take(&streams->departed, &streams->secrets, connid, secret,
                               loop_now(&house->scene.net.loop)));
    order(house, DROP_CONNECTION, NULL, 1); /* of an earlier daemon's */
    (void)run_all(house);
    assert_true(stream_secrets_make(&streams->secrets, 1, NULL, secret));
    streams->secrets.max_age_ms = UINT64_MAX;
    assert_false(
        stream_secrets_take_back(&streams->secrets, 1, secret, loop_now(&house->scene.net.loop)));
    assert_true(stream_secrets_make(&streams->secrets, 2, NULL, secret));
    assert_true(
        stream_secrets_take_back(&streams->secrets, 2, secret, loop_now(&house->scene.net.loop)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_user_a_session_and_one_stream, set_up, tear_down),
        cmocka_unit_test_setup_teardown(those_of_a_client_id_among_many, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_take_several_turns_and_newcomers_stay, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(one_that_leaves_meanwhile_is_no_trouble, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_comes_back_as_one_of_them, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
