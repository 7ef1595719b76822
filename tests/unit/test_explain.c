/* GET /explain: it finds a stream among however many, a piece in each turn of the loop, while other
 * things happen. */
#include "daemon.h"
#include "held_streams.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "streams/decisions.h"
#include "streams/streams.h"

enum { MANY = 25000, PIECE = 5000 /* more than are looked at in a turn */ };

struct scene {
    struct daemon daemon;
    struct client client;
    struct held_streams held;
};

static void open_scene(struct scene *scene)
{
    *scene = (struct scene){.client = {.descriptor = -1}};
    daemon_start(&scene->daemon, "");
    scene->held.streams = &scene->daemon.server->streams;
    client_open(&scene->client, &scene->daemon);
    (void)daemon_publish(&scene->daemon, "a/topic", "{\"type\":\"x\"}");
}

static void close_scene(struct scene *scene)
{
    held_streams_free(&scene->held);
    client_close(&scene->client);
    daemon_stop(&scene->daemon);
}

/* About the newest event. */
static void ask(struct scene *scene, const char *more)
{
    const struct event_log *log = &scene->daemon.server->log;
    char request[256];

    (void)snprintf(request, sizeof request,
                   "GET /explain?id=%llu-%llu%s HTTP/1.1\r\nHost: h\r\n"
                   "Authorization: Bearer admin\r\n\r\n",
                   (unsigned long long)log->epoch, (unsigned long long)log->sequence, more);
    client_forget(&scene->client);
    assert_true(client_send_text(&scene->client, request));
}

/* Turns until the answer is whole; how many it took. */
static unsigned turns_of_answer(struct scene *scene)
{
    unsigned turns = 0;

    while (!client_has(&scene->client, "\r\n0\r\n\r\n")) {
        assert_in_range(turns, 0, 100000);
        daemon_turn(&scene->daemon);
        client_receive(&scene->client);
        turns++;
    }
    assert_true(client_has(&scene->client, "HTTP/1.1 200 OK"));
    return turns;
}

static void one_stream_is_found_among_many(void **state)
{
    struct scene scene;

    (void)state;
    open_scene(&scene);
    held_streams_add(&scene.held, MANY, "others");
    held_streams_add(&scene.held, 1, "this one");
    held_streams_add(&scene.held, MANY, "others");
    ask(&scene, "&clid=this%20one");
    assert_true(turns_of_answer(&scene) > 2 * MANY / PIECE);
    char connid[64];
    (void)snprintf(connid, sizeof connid, "\"streams\":[{\"connid\":%d,",
                   HELD_STREAMS_FIRST + MANY);
    assert_true(client_has(&scene.client, connid));
    assert_false(client_has(&scene.client, "others"));
    ask(&scene, "&clid=others");
    (void)turns_of_answer(&scene);
    assert_int_equal(client_count(&scene.client, "\"clid\":\"others\""), 20);
    assert_true(client_has(&scene.client, "\"more\":49980,"));
    close_scene(&scene);
}

/* Not even what is remembered of them. */
static void who_asks_of_one_is_told_of_no_others(void **state)
{
    struct scene scene;
    char query[64];

    (void)state;
    open_scene(&scene);
    held_streams_add(&scene.held, 3, "page");
    held_streams_note_ends(&scene.held);
    (void)snprintf(query, sizeof query, "&connid=%d", HELD_STREAMS_FIRST + 1);
    ask(&scene, query);
    (void)turns_of_answer(&scene);
    (void)snprintf(query, sizeof query, "\"streams\":[{\"connid\":%d,", HELD_STREAMS_FIRST + 1);
    assert_true(client_has(&scene.client, query));
    assert_int_equal(client_count(&scene.client, "\"connid\""), 1);
    ask(&scene, "&clid=page");
    (void)turns_of_answer(&scene);
    assert_int_equal(client_count(&scene.client, "\"connid\""), 3);
    ask(&scene, "&clid=page&user=ana");
    (void)turns_of_answer(&scene);
    assert_true(client_has(&scene.client, "\"streams\":[]"));
    close_scene(&scene);
}

/* Each kind of piece meets decisions that are forgotten, and streams that are gone. */
static void what_is_forgotten_meanwhile_is_not_missed(void **state)
{
    (void)state;
    for (unsigned before = 1; before < 40; before += 3) {
        struct scene scene;
        open_scene(&scene);
        scene.held.streams->decisions.max_bytes = 512 * 1024;
        held_streams_add(&scene.held, PIECE, "ended");
        held_streams_note_ends(&scene.held);
        ask(&scene, "&clid=ended");
        for (unsigned turn = 0; turn < before; turn++)
            daemon_turn(&scene.daemon);
        held_streams_note_ends(&scene.held);
        held_streams_note_ends(&scene.held);
        held_streams_free(&scene.held);
        (void)turns_of_answer(&scene);
        assert_true(client_has(&scene.client, "{\"event\":"));
        close_scene(&scene);
    }
}

static void who_leaves_meanwhile_is_forgotten(void **state)
{
    struct scene scene;

    (void)state;
    open_scene(&scene);
    held_streams_add(&scene.held, MANY, "others");
    ask(&scene, "&clid=others");
    for (int turn = 0; turn < 5; turn++)
        daemon_turn(&scene.daemon);
    client_close(&scene.client);
    for (int turn = 0; turn < 50; turn++)
        daemon_turn(&scene.daemon);
    assert_int_equal(scene.daemon.server->net.connections, 0);
    close_scene(&scene);
}

static void head_says_what_it_would_begin_with(void **state)
{
    struct scene scene;

    (void)state;
    open_scene(&scene);
    assert_true(client_send_text(&scene.client, "HEAD /explain?topic=a HTTP/1.1\r\nHost: h\r\n"
                                                "Authorization: Bearer admin\r\n\r\n"));
    client_expect(&scene.client, "\r\n\r\n");
    assert_true(client_has(&scene.client, "HTTP/1.1 200 OK"));
    close_scene(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_stream_is_found_among_many),
        cmocka_unit_test(who_asks_of_one_is_told_of_no_others),
        cmocka_unit_test(what_is_forgotten_meanwhile_is_not_missed),
        cmocka_unit_test(who_leaves_meanwhile_is_forgotten),
        cmocka_unit_test(head_says_what_it_would_begin_with),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
