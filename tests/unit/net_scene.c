#include "net_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { LIMIT_SECONDS = 120 };

struct scene_totals scene_totals;

struct scene_client *scene_client_of(struct connection *connection)
{
    return (struct scene_client *)(void *)((char *)connection -
                                           offsetof(struct scene_client, connection));
}

static void input(struct connection *connection, const char *bytes, size_t length)
{
    struct scene_client *client = scene_client_of(connection);

    for (size_t i = 0; i < length; i++, client->length++)
        if (client->length < sizeof client->text - 1)
            client->text[client->length] = bytes[i];
    client->inputs++;
}

static uint64_t deadline(const struct connection *connection)
{
    return scene_client_of((struct connection *)(uintptr_t)connection)->deadline;
}

static void due(struct connection *connection)
{
    scene_client_of(connection)->dues++;
    scene_totals.dues++;
    if (scene_client_of(connection)->goes_silent)
        connection_close(connection, CLOSE_IDLE);
}

static void drained(struct connection *connection)
{
    scene_client_of(connection)->drains++;
    scene_totals.drains++;
}

static bool before_write(struct connection *connection)
{
    return !scene_client_of(connection)->holds_back;
}

static void stop(struct connection *connection)
{
    scene_client_of(connection)->stops++;
    scene_totals.stops++;
}

static void left(struct connection *connection)
{
    scene_client_of(connection)->lefts++;
    scene_totals.lefts++;
}

static const struct connection_user user = {.input = input,
                                            .deadline = deadline,
                                            .due = due,
                                            .drained = drained,
                                            .before_write = before_write,
                                            .stop = stop,
                                            .left = left};

static void greet(struct connection *connection, struct arrival arrival)
{
    (void)arrival;
    connection->user = &user;
    scene_client_of(connection)->deadline = UINT64_MAX - DEADLINES_TICK_MS;
}

/* However long it takes. */
static void flush_all(struct net *net)
{
    while (connection_flush(net))
        continue;
}

static void flush(uv_check_t *check)
{
    struct net_scene *scene = check->data;

    (void)connection_flush(&scene->net);
}

void net_scene_open(struct net_scene *scene)
{
    memset(scene, 0, sizeof *scene);
    scene_totals = (struct scene_totals){0};
    assert_true(config_set_defaults(&scene->config));
    assert_int_equal(net_open(&scene->net, &scene->config), 0);
    scene->net.max_connections = 1000;
    scene->net.client = (struct net_client){sizeof(struct scene_client),
                                            offsetof(struct scene_client, connection), greet};
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

void net_scene_close(struct net_scene *scene)
{
    uv_walk(&scene->net.loop.uv, close_one, NULL);
    uv_close((uv_handle_t *)&scene->after_sleep, NULL);
    flush_all(&scene->net);
    assert_int_equal(uv_run(&scene->net.loop.uv, UV_RUN_DEFAULT), 0);
    assert_int_equal(scene->net.connections, 0);
    assert_int_equal(scene->net.backlogs, 0);
    assert_true(TAILQ_EMPTY(&scene->net.by_backlog));
    assert_true(scene->net.frames.segments_held <= FRAME_PRIVATE + 1);
    net_close(&scene->net);
    config_free(&scene->config);
}

void net_scene_turn(struct net_scene *scene)
{
    flush_all(&scene->net);
    bool again;
    do {
        (void)uv_run(&scene->net.loop.uv, UV_RUN_NOWAIT);
        loop_watch_end_turn(&scene->net.loop.watch, loop_now(&scene->net.loop));
        again = !scene->leaves_put_off && scene->net.put_off.count > 0;
        if (again)
            (void)connection_resume_put_off(&scene->net);
    } while (again);
    flush_all(&scene->net);
}

void net_scene_turn_until(struct net_scene *scene, bool (*is_true)(void *), void *context)
{
    time_t limit = time(NULL) + LIMIT_SECONDS;

    while (!is_true(context)) {
        net_scene_turn(scene);
        if (time(NULL) > limit)
            fail_msg("it did not become true in %d s", LIMIT_SECONDS);
    }
}

/* The newest connection is at the head of the ring's slot or not: it is found by its descriptor. */
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

struct scene_client *net_scene_connect(struct net_scene *scene, enum connection_state state)
{
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    assert_non_null(connection_open(&scene->net, ends[0], (struct arrival){.is_tcp = false}, NULL));
    struct search search = {.descriptor = ends[0]};
    uv_walk(&scene->net.loop.uv, look_at, &search);
    assert_non_null(search.found);
    search.found->state = (uint8_t)state;
    struct scene_client *client = scene_client_of(search.found);
    client->peer = ends[1];
    return client;
}

void scene_client_send(const struct scene_client *client, const char *text)
{
    assert_int_equal(send(client->peer, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

size_t scene_client_take(int peer, char *text, size_t size, bool *ended)
{
    size_t length = 0;
    ssize_t got = 1;

    while (got > 0 && length < size - 1) {
        got = recv(peer, text + length, size - 1 - length, MSG_DONTWAIT);
        if (got > 0)
            length += (size_t)got;
    }
    text[length] = '\0';
    if (ended != NULL)
        *ended = got == 0 || (got < 0 && errno != EAGAIN);
    return length;
}
