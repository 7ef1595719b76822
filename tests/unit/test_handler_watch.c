/* What is watched for requests, what is kept, and that nothing is left open of what cannot be watched. */
#include "handler_request.h"
#include "handler_watch.h"

#include <errno.h>
#include <fastcgi.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* Whatever is open, one more file would have this number. */
static int next_descriptor(void)
{
    int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(file >= 0);
    assert_int_equal(close(file), 0);
    return file;
}

static int listening(void)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(file, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(file, 1), 0);
    return file;
}

static void all_sockets_are_watched_without_waiting_for_one(void **state)
{
    (void)state;
    struct listen_sockets sockets = {.descriptors = {listening(), listening()}, .count = 2};
    struct handler_watch *watch = handler_watch_open(&sockets, 1);
    assert_non_null(watch);
    for (size_t i = 0; i < sockets.count; i++) {
        assert_true((fcntl(sockets.descriptors[i], F_GETFL) & O_NONBLOCK) != 0);
        assert_int_equal(close(sockets.descriptors[i]), 0);
    }
    handler_watch_close(&watch);
    assert_null(watch);
}

static void what_cannot_be_watched_leaves_nothing_open(void **state)
{
    (void)state;
    int socket = listening(), file = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
    const struct listen_sockets no_socket = {.descriptors = {socket, file}, .count = 2};
    const struct listen_sockets not_open = {.descriptors = {socket, 1000000}, .count = 2};
    assert_true(file >= 0);
    int next = next_descriptor();
    assert_null(handler_watch_open(&no_socket, 1));
    assert_int_equal(errno, EPERM);
    assert_int_equal(next_descriptor(), next);
    assert_null(handler_watch_open(&not_open, 1));
    assert_int_equal(errno, EBADF);
    assert_int_equal(next_descriptor(), next);
    assert_int_equal(close(file), 0);
    assert_int_equal(close(socket), 0);
}

/* ---- keeping ---- */

enum { MOST_KEPT = 2, CLIENTS = 3 };

struct scene {
    struct listen_sockets sockets;
    struct handler_watch *watch;
    sigset_t waiting;
};

static void open_scene(struct scene *scene)
{
    scene->sockets = (struct listen_sockets){.descriptors = {listening()}, .count = 1};
    scene->watch = handler_watch_open(&scene->sockets, MOST_KEPT);
    assert_non_null(scene->watch);
    assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &scene->waiting), 0);
}

static void close_scene(struct scene *scene)
{
    handler_watch_close(&scene->watch);
    assert_int_equal(close(scene->sockets.descriptors[0]), 0);
}

static void say(int client)
{
    assert_int_equal(send(client, "x", 1, MSG_NOSIGNAL), 1);
}

static void hear(const struct handler_peer *peer)
{
    char byte;
    assert_int_equal(recv(peer->descriptor, &byte, 1, 0), 1);
}

/* Waits for what must come. */
static struct handler_peer next(struct scene *scene)
{
    struct handler_peer peer;
    int found;
    while ((found = handler_watch_next(scene->watch, &scene->waiting, &peer)) == 0)
        continue;
    assert_int_equal(found, 1);
    return peer;
}

static int connect_to(const struct scene *scene)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(getsockname(scene->sockets.descriptors[0], (struct sockaddr *)&address, &size),
                     0);
    assert_int_equal(connect(client, (struct sockaddr *)&address, size), 0);
    return client;
}

static struct handler_peer connect_one(struct scene *scene, int *client)
{
    *client = connect_to(scene);
    struct handler_peer peer = next(scene);
    assert_false(peer.kept);
    return peer;
}

static void assert_nothing(struct scene *scene)
{
    struct handler_peer peer;
    assert_int_equal(handler_watch_next(scene->watch, NULL, &peer), 0);
}

static void what_is_kept_comes_again_with_its_next_request(void **state)
{
    (void)state;
    struct scene scene;
    int client;
    open_scene(&scene);
    struct handler_peer peer = connect_one(&scene, &client);
    for (int i = 0; i < 3; i++) {
        int descriptor = peer.descriptor;
        assert_true(handler_watch_may_keep(scene.watch, &peer));
        handler_watch_keep(scene.watch, &peer);
        assert_nothing(&scene);
        say(client);
        peer = next(&scene);
        assert_true(peer.kept);
        assert_int_equal(peer.descriptor, descriptor);
        assert_nothing(&scene); /* it is not told again before it is kept again */
        hear(&peer);
    }
    assert_int_equal(close(peer.descriptor), 0);
    handler_watch_let_go(scene.watch, &peer);
    assert_int_equal(close(client), 0);
    close_scene(&scene);
}

/* As systemd leaves it while it runs ExecReload=. */
static void a_socket_that_was_made_blocking_again_is_not_waited_for(void **state)
{
    (void)state;
    struct scene scene;
    int client, flags, none;
    open_scene(&scene);
    int listener = scene.sockets.descriptors[0];
    flags = fcntl(listener, F_GETFL);
    struct handler_peer peer = connect_one(&scene, &client);
    (void)alarm(20); /* ends who waits */
    assert_int_equal(fcntl(listener, F_SETFL, flags & ~O_NONBLOCK), 0);
    assert_nothing(&scene);
    assert_int_equal(handler_watch_accept(listener, &none), 0);
    (void)alarm(0);
    assert_int_equal(close(peer.descriptor), 0);
    assert_int_equal(close(client), 0);
    close_scene(&scene);
}

static void no_more_are_kept_than_may_be_and_those_that_end_make_room(void **state)
{
    (void)state;
    struct scene scene;
    int clients[CLIENTS];
    struct handler_peer peers[CLIENTS];
    open_scene(&scene);
    for (size_t i = 0; i < CLIENTS; i++) {
        peers[i] = connect_one(&scene, &clients[i]);
        assert_int_equal(handler_watch_may_keep(scene.watch, &peers[i]), i < MOST_KEPT);
        assert_int_equal(peers[i].kept, i < MOST_KEPT);
        if (peers[i].kept)
            handler_watch_keep(scene.watch, &peers[i]);
    }
    handler_watch_let_go(scene.watch, &peers[MOST_KEPT]); /* harmless: it was not kept */
    assert_false(handler_watch_may_keep(scene.watch, &peers[MOST_KEPT]));

    say(clients[1]); /* a request, and then it hangs up: that is served */
    assert_int_equal(close(clients[1]), 0);
    peers[1] = next(&scene);
    hear(&peers[1]);
    assert_int_equal(close(peers[1].descriptor), 0);
    handler_watch_let_go(scene.watch, &peers[1]);
    assert_true(handler_watch_may_keep(scene.watch, &peers[MOST_KEPT]));
    handler_watch_let_go(scene.watch, &peers[MOST_KEPT]);
    assert_int_equal(close(peers[MOST_KEPT].descriptor), 0);

    assert_int_equal(close(clients[0]), 0); /* without a request */
    int before = next_descriptor();
    struct handler_peer none;
    assert_int_equal(handler_watch_next(scene.watch, &scene.waiting, &none), 0);
    assert_true(next_descriptor() <= before); /* its end was closed too */
    assert_false(handler_watch_is_over(scene.watch));
    assert_int_equal(close(clients[2]), 0);
    close_scene(&scene);
}

static void an_end_waits_for_what_is_kept(void **state)
{
    (void)state;
    struct scene scene;
    int clients[2];
    open_scene(&scene);
    struct handler_peer kept = connect_one(&scene, &clients[0]);
    assert_true(handler_watch_may_keep(scene.watch, &kept));
    handler_watch_keep(scene.watch, &kept);
    handler_watch_end(scene.watch);
    struct handler_peer late = connect_one(&scene, &clients[1]);
    assert_false(handler_watch_may_keep(scene.watch, &late));
    say(clients[0]);
    kept = next(&scene);
    assert_false(handler_watch_may_keep(scene.watch, &kept));
    assert_int_equal(close(kept.descriptor), 0);
    handler_watch_let_go(scene.watch, &kept);
    assert_true(handler_watch_is_over(scene.watch));
    assert_int_equal(close(late.descriptor), 0);
    assert_int_equal(close(clients[0]), 0);
    assert_int_equal(close(clients[1]), 0);
    close_scene(&scene);
}

/* Nobody closes it here. */
static void an_end_does_not_wait_for_ever(void **state)
{
    (void)state;
    struct scene scene;
    int client;
    open_scene(&scene);
    struct handler_peer peer = connect_one(&scene, &client);
    assert_true(handler_watch_may_keep(scene.watch, &peer));
    handler_watch_keep(scene.watch, &peer);
    handler_watch_end(scene.watch);
    while (!handler_watch_is_over(scene.watch))
        assert_int_equal(handler_watch_next(scene.watch, &scene.waiting, &peer), 0);
    assert_int_equal(close(client), 0);
    close_scene(&scene);
}

static void half_of_the_files_are_left_for_what_is_served(void **state)
{
    (void)state;
    struct rlimit before, few;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){.rlim_cur = 64, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    struct listen_sockets sockets = {.descriptors = {listening()}, .count = 1};
    struct handler_watch *watch = handler_watch_open(&sockets, 4096);
    assert_non_null(watch);
    for (int i = 0; i < 32; i++) {
        struct handler_peer peer = {.descriptor = -1};
        assert_true(handler_watch_may_keep(watch, &peer));
    }
    struct handler_peer beyond = {.descriptor = -1};
    assert_false(handler_watch_may_keep(watch, &beyond));
    handler_watch_close(&watch);
    assert_int_equal(close(sockets.descriptors[0]), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

/* ---- requests ---- */

static void send_request(int client)
{
    static const unsigned char request[] = {1, FCGI_BEGIN_REQUEST, 0, 1, 0, 8, 0, 0,
                                            0, FCGI_RESPONDER,     0, 0, 0, 0, 0, 0, /**/
                                            1, FCGI_PARAMS,        0, 1, 0, 0, 0, 0, /**/
                                            1, FCGI_STDIN,         0, 1, 0, 0, 0, 0};
    assert_int_equal(send(client, request, sizeof request, MSG_NOSIGNAL), sizeof request);
}

static void each_connection_has_to_keep_time(void **state)
{
    (void)state;
    struct scene scene;
    struct timeval limit;
    open_scene(&scene);
    struct handler_request *request =
        handler_request_open_among_others(scene.sockets.descriptors[0], scene.watch);
    assert_non_null(request);
    for (int i = 0; i < 2; i++) {
        int client = connect_to(&scene), peer = next_descriptor(), found;
        socklen_t size = sizeof limit;
        send_request(client);
        while ((found = handler_request_accept(request, &scene.waiting)) == 0)
            continue;
        assert_int_equal(found, 1);
        assert_true(handler_request_begin(request));
        assert_int_equal(getsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &limit, &size), 0);
        assert_true(limit.tv_sec > 0);
        handler_request_finish(request);
        assert_int_equal(close(client), 0);
    }
    handler_request_close(&request);
    close_scene(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_sockets_are_watched_without_waiting_for_one),
        cmocka_unit_test(what_cannot_be_watched_leaves_nothing_open),
        cmocka_unit_test(what_is_kept_comes_again_with_its_next_request),
        cmocka_unit_test(a_socket_that_was_made_blocking_again_is_not_waited_for),
        cmocka_unit_test(no_more_are_kept_than_may_be_and_those_that_end_make_room),
        cmocka_unit_test(half_of_the_files_are_left_for_what_is_served),
        cmocka_unit_test(an_end_waits_for_what_is_kept),
        cmocka_unit_test(an_end_does_not_wait_for_ever),
        cmocka_unit_test(each_connection_has_to_keep_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
