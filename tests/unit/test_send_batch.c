#include "net/send_batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PAIRS = SEND_BATCH_MOST, OURS = 0, THEIRS = 1 };

struct scene {
    struct send_batch *batch;
    int sockets[PAIRS][2];
};

static int open_scene(void **state)
{
    static struct scene scene;

    scene.batch = send_batch_open();
    if (scene.batch == NULL)
        fail_msg("no io_uring: %s (kernel.io_uring_disabled, or a container's rules)",
                 strerror(errno));
    for (int i = 0; i < PAIRS; i++)
        assert_int_equal(
            socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, scene.sockets[i]),
            0);
    *state = &scene;
    return 0;
}

static int close_scene(void **state)
{
    struct scene *scene = *state;

    send_batch_close(&scene->batch);
    assert_null(scene->batch);
    send_batch_close(&scene->batch);
    for (int i = 0; i < PAIRS; i++)
        for (int side = OURS; side <= THEIRS; side++)
            if (scene->sockets[i][side] >= 0)
                assert_int_equal(close(scene->sockets[i][side]), 0);
    return 0;
}

static void assert_received(const struct scene *scene, int pair, const char *text)
{
    char received[64];
    ssize_t length = recv(scene->sockets[pair][THEIRS], received, sizeof received, 0);

    assert_int_equal(length, (ssize_t)strlen(text));
    assert_memory_equal(received, text, (size_t)length);
}

static void sends_to_each_and_is_empty_then(void **state)
{
    struct scene *scene = *state;
    int results[SEND_BATCH_MOST];
    char texts[PAIRS][32];

    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < PAIRS; i++) {
            (void)snprintf(texts[i], sizeof texts[i], "%d of %d", i, round);
            assert_true(
                send_batch_add(scene->batch, scene->sockets[i][OURS], texts[i], strlen(texts[i])));
        }
        assert_false(send_batch_add(scene->batch, scene->sockets[0][OURS], "more", 4));
        assert_true(send_batch_run(scene->batch, results));
        for (int i = 0; i < PAIRS; i++) {
            assert_int_equal(results[i], (int)strlen(texts[i]));
            assert_received(scene, i, texts[i]);
        }
    }
    assert_true(send_batch_run(scene->batch, results));
    assert_int_equal(recv(scene->sockets[0][THEIRS], texts[0], sizeof texts[0], 0), -1);
}

/* Fills a socket until it takes no more. */
static void fill(int socket)
{
    char junk[4096] = {0};

    while (send(socket, junk, sizeof junk, 0) > 0)
        continue;
    assert_int_equal(errno, EAGAIN);
}

static void one_that_takes_nothing_holds_nobody_up(void **state)
{
    struct scene *scene = *state;
    int results[SEND_BATCH_MOST];
    int closed = scene->sockets[4][OURS];

    fill(scene->sockets[1][OURS]);
    assert_int_equal(close(scene->sockets[2][THEIRS]), 0);
    scene->sockets[2][THEIRS] = -1;
    assert_int_equal(close(closed), 0);
    scene->sockets[4][OURS] = -1;
    for (int i = 0; i < 6; i++)
        assert_true(
            send_batch_add(scene->batch, i == 4 ? closed : scene->sockets[i][OURS], "text", 4));
    assert_true(send_batch_run(scene->batch, results));
    assert_int_equal(results[0], 4);
    assert_int_equal(results[1], -EAGAIN);
    assert_int_equal(results[2], -EPIPE);
    assert_int_equal(results[3], 4);
    assert_int_equal(results[4], -EBADF);
    assert_int_equal(results[5], 4);
    assert_received(scene, 5, "text");
}

static void a_socket_takes_a_part(void **state)
{
    static char large[4 << 20];
    struct scene *scene = *state;
    int results[SEND_BATCH_MOST];

    assert_true(send_batch_add(scene->batch, scene->sockets[0][OURS], large, sizeof large));
    assert_true(send_batch_add(scene->batch, scene->sockets[1][OURS], "text", 4));
    assert_true(send_batch_run(scene->batch, results));
    assert_in_range(results[0], 1, (int)sizeof large - 1);
    assert_int_equal(results[1], 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sends_to_each_and_is_empty_then, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(one_that_takes_nothing_holds_nobody_up, open_scene,
                                        close_scene),
        cmocka_unit_test_setup_teardown(a_socket_takes_a_part, open_scene, close_scene),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
