#include "service_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/socket.h>

#include "net/connection.h"
#include "requests/presence_catch_up.h"
#include "requests/presence_events.h"
#include "requests/request_reader.h"
#include "requests/streaming.h"
#include "requests/subscribe.h"

enum { EPOCH = 7, FIRST_CONNID = 1000 };

static bool encode(struct frame_pool *pool, int kind, bool chunked, const struct frame_text *text,
                   struct frame *out)
{
    return transport_store(pool, kind, chunked, "", 0, text, "\n", out);
}

static bool encode_other(struct frame_pool *pool, int kind, bool chunked,
                         const struct frame_text *text, struct frame *out)
{
    return transport_store(pool, kind, chunked, "", 0, text, "!\n", out);
}

static bool open_stream(struct connection *connection, const struct http_request *request)
{
    (void)connection;
    (void)request;
    return true;
}

static bool keep_alive(struct connection *connection)
{
    return connection_queue_bytes(connection, "alive\n", 6);
}

static bool end(struct connection *connection, enum close_reason reason)
{
    (void)reason;
    return connection_queue_bytes(connection, "end\n", 4);
}

const struct transport scene_transport = {.name = "scene",
                                          .encoding = FRAME_LINES,
                                          .reusable = true,
                                          .encode = encode,
                                          .open = open_stream,
                                          .keep_alive = keep_alive,
                                          .end = end};

const struct transport scene_other_transport = {.name = "other",
                                                .encoding = FRAME_PLAIN,
                                                .encode = encode_other,
                                                .open = open_stream,
                                                .keep_alive = keep_alive,
                                                .end = end};

const struct transport scene_poll = {.name = "poll",
                                     .encoding = FRAME_POLL,
                                     .reusable = true,
                                     .answers_once = true,
                                     .encode = encode,
                                     .open = open_stream,
                                     .keep_alive = keep_alive,
                                     .end = end};

static void greet(struct connection *connection, struct arrival arrival)
{
    (void)arrival;
    connection->user = &request_reader_user;
}

static void flush(uv_check_t *check)
{
    struct service_scene *scene = check->data;

    assert_true(presence_events_flush(&scene->service, true));
    while (connection_flush(&scene->net))
        continue;
}

void service_scene_open(struct service_scene *scene)
{
    static const unsigned char key[STREAM_SECRETS_KEY_SIZE] = "fifteen letters";

    memset(scene, 0, sizeof *scene);
    assert_true(config_set_defaults(&scene->config));
    assert_int_equal(net_open(&scene->net, &scene->config), 0);
    scene->net.max_connections = 1000;
    scene->net.client =
        (struct net_client){sizeof(struct stream), offsetof(struct stream, connection), greet};
    scene->net.service = &scene->service;
    assert_true(event_log_open(&scene->log, EPOCH, 1));
    scene->log.max_bytes = 1 << 20;
    scene->log.max_age_ms = 60000;
    assert_true(streams_open(&scene->streams, &(struct streams_seeds){2, 3, 7, 8, 9}));
    scene->streams.revocations.most = 100;
    scene->streams.next_connid = FIRST_CONNID;
    scene->streams.departed.max_count = 100;
    scene->streams.polls.most = 100;
    scene->streams.presence.past.most = 100;
    scene->streams.departed.max_age_ms = 60000;
    assert_true(stream_secrets_open(&scene->streams.secrets, key, FIRST_CONNID,
                                    loop_now(&scene->net.loop)));
    delivery_open(&scene->delivery, &scene->net, &scene->streams, &scene->log);
    replay_open(&scene->replays, &scene->delivery, presence_catch_up_tell, 4);
    scene->service = (struct service){.config = &scene->config,
                                      .net = &scene->net,
                                      .streams = &scene->streams,
                                      .log = &scene->log,
                                      .delivery = &scene->delivery,
                                      .replays = &scene->replays,
                                      .leaving = &scene->leaving,
                                      .retry_seed = 5,
                                      .stop_seed = 6};
    leaving_open(&scene->leaving);
    assert_int_equal(uv_check_init(&scene->net.loop.uv, &scene->after_sleep), 0);
    scene->after_sleep.data = scene;
    assert_int_equal(uv_check_start(&scene->after_sleep, flush), 0);
}

static void close_one(uv_handle_t *handle, void *context)
{
    struct connection *connection = connection_of_handle(handle);

    (void)context;
    if (connection != NULL && !uv_is_closing(handle))
        connection_close(connection, CLOSE_STOPPING);
}

void service_scene_close(struct service_scene *scene)
{
    scene->net.stopping = true;
    streaming_expire_polls(&scene->service);
    uv_walk(&scene->net.loop.uv, close_one, NULL);
    uv_close((uv_handle_t *)&scene->after_sleep, NULL);
    while (connection_flush(&scene->net))
        continue;
    assert_int_equal(uv_run(&scene->net.loop.uv, UV_RUN_DEFAULT), 0);
    assert_true(presence_events_flush(&scene->service, true));
    leaving_finish_all(&scene->service);
    assert_int_equal(scene->net.connections, 0);
    assert_int_equal(scene->streams.by_connid.count, 0);
    assert_int_equal(scene->streams.presence.by_clid.count, 0);
    assert_int_equal(scene->replays.catching_up, 0);
    for (int kind = 0; kind < SUBSCRIPTION_KINDS; kind++)
        assert_int_equal(scene->streams.topics[kind].subscriptions, 0);
    delivery_close(&scene->delivery);
    replay_close(&scene->replays);
    streams_close(&scene->streams);
    event_log_close(&scene->log);
    net_close(&scene->net);
    config_free(&scene->config);
}

void service_scene_turn(struct service_scene *scene)
{
    while (connection_flush(&scene->net))
        continue;
    bool again;
    do {
        (void)uv_run(&scene->net.loop.uv, UV_RUN_NOWAIT);
        loop_watch_end_turn(&scene->net.loop.watch, loop_now(&scene->net.loop));
        again = scene->net.put_off.count > 0;
        if (again)
            (void)connection_resume_put_off(&scene->net);
    } while (again);
    replay_run(&scene->replays);
    while (connection_flush(&scene->net))
        continue;
}

struct search {
    int descriptor;
    struct connection *found;
};

static void look_at(uv_handle_t *handle, void *context)
{
    struct search *search = context;
    struct connection *connection = connection_of_handle(handle);

    if (connection != NULL && !uv_is_closing(handle) &&
        connection->descriptor == search->descriptor)
        search->found = connection;
}

struct connection *service_scene_connect(struct service_scene *scene, int *peer)
{
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    assert_non_null(connection_open(&scene->net, ends[0], (struct arrival){.is_tcp = false}, NULL));
    struct search search = {.descriptor = ends[0]};
    uv_walk(&scene->net.loop.uv, look_at, &search);
    assert_non_null(search.found);
    *peer = ends[1];
    return search.found;
}

const char *service_scene_take(int peer)
{
    static char text[1 << 16];
    size_t length = 0;
    ssize_t got;

    while (length < sizeof text - 1 &&
           (got = recv(peer, text + length, sizeof text - 1 - length, MSG_DONTWAIT)) > 0)
        length += (size_t)got;
    text[length] = '\0';
    return text;
}

uint32_t service_scene_publish(struct service_scene *scene, const char *topic, const char *json)
{
    struct event event = {
        .topic = topic, .topic_length = strlen(topic), .json = json, .json_length = strlen(json)};
    uint32_t receivers;

    assert_true(delivery_publish(&scene->delivery, &event, &receivers));
    return receivers;
}
