/* The doorbell of esn-outbox: files, UDP, and who has it. */
#include "doorbell.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* No wait that a ring ends is longer, however slow the machine. */
enum { GENEROUS_MS = 60000 };

struct scene {
    char folder[64], path[96], address[128];
};

static int set_up(void **state)
{
    static struct scene scene;
    (void)snprintf(scene.folder, sizeof scene.folder, "/tmp/esn-doorbell-XXXXXX");
    assert_non_null(mkdtemp(scene.folder));
    (void)snprintf(scene.path, sizeof scene.path, "%s/bell", scene.folder);
    (void)snprintf(scene.address, sizeof scene.address, "unix:%s", scene.path);
    *state = &scene;
    return 0;
}

static int tear_down(void **state)
{
    const struct scene *scene = *state;
    (void)unlink(scene->path);
    return rmdir(scene->folder);
}

static void open_well(struct doorbell *doorbell, const char *address)
{
    char error[DOORBELL_ERROR_SIZE] = "";
    if (!doorbell_open(doorbell, address, 0660, error))
        fail_msg("%s", error);
}

static void ring_file(const char *path)
{
    struct sockaddr_un place = {.sun_family = AF_UNIX};
    (void)snprintf(place.sun_path, sizeof place.sun_path, "%s", path);
    int from = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(from >= 0);
    assert_int_equal(sendto(from, "\n", 1, 0, (struct sockaddr *)&place, sizeof place), 1);
    (void)close(from);
}

static bool is_rung(struct doorbell *doorbell, uint64_t wait_ms, bool deaf)
{
    sigset_t none;
    assert_int_equal(sigemptyset(&none), 0);
    return doorbell_wait(doorbell, wait_ms, deaf, &none);
}

static void a_ring_ends_the_wait_and_is_taken(void **state)
{
    const struct scene *scene = *state;
    struct doorbell doorbell;
    struct stat found;
    open_well(&doorbell, scene->address);
    assert_int_equal(stat(scene->path, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0660);
    assert_false(is_rung(&doorbell, 0, false));
    ring_file(scene->path);
    ring_file(scene->path);
    assert_true(is_rung(&doorbell, GENEROUS_MS, false));
    assert_false(is_rung(&doorbell, 0, false));
    doorbell_close(&doorbell);
    assert_int_equal(stat(scene->path, &found), -1);
}

static void a_deaf_wait_leaves_the_ring_for_later(void **state)
{
    const struct scene *scene = *state;
    struct doorbell doorbell;
    open_well(&doorbell, scene->address);
    ring_file(scene->path);
    assert_false(is_rung(&doorbell, 1, true));
    assert_true(is_rung(&doorbell, GENEROUS_MS, false));
    doorbell_close(&doorbell);
}

static void one_that_another_has_is_left_to_it(void **state)
{
    const struct scene *scene = *state;
    struct doorbell first, second;
    open_well(&first, scene->address);
    open_well(&second, scene->address);
    assert_int_equal(second.descriptor, -1);
    ring_file(scene->path);
    assert_false(is_rung(&second, 0, false));
    assert_true(is_rung(&first, GENEROUS_MS, false));
    /* As one that was killed: its file is there, and nobody behind it. */
    (void)close(first.descriptor);
    free(first.path);
    open_well(&second, scene->address);
    assert_true(second.descriptor >= 0);
    ring_file(scene->path);
    assert_true(is_rung(&second, GENEROUS_MS, false));
    doorbell_close(&second);
}

static void it_rings_by_udp(void **state)
{
    struct doorbell doorbell;
    struct sockaddr_in place;
    socklen_t size = sizeof place;
    (void)state;
    open_well(&doorbell, "127.0.0.1:0");
    assert_int_equal(getsockname(doorbell.descriptor, (struct sockaddr *)&place, &size), 0);
    int from = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(sendto(from, "", 0, 0, (struct sockaddr *)&place, size), 0);
    assert_true(is_rung(&doorbell, GENEROUS_MS, false));
    (void)close(from);
    doorbell_close(&doorbell);
}

/* As systemd hands one over: it is taken whatever the configuration says, and stays open. */
static void one_at_standard_input_is_taken(void **state)
{
    const struct scene *scene = *state;
    struct doorbell doorbell;
    int kept = dup(STDIN_FILENO), pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(dup2(pair[0], STDIN_FILENO), STDIN_FILENO);
    (void)close(pair[0]);
    open_well(&doorbell, scene->address);
    assert_int_equal(doorbell.descriptor, STDIN_FILENO);
    assert_null(doorbell.path);
    assert_int_equal(access(scene->path, F_OK), -1);
    assert_int_equal(send(pair[1], "\n", 1, 0), 1);
    assert_true(is_rung(&doorbell, GENEROUS_MS, false));
    doorbell_close(&doorbell);
    assert_int_equal(send(pair[1], "\n", 1, 0), 1);
    (void)close(pair[1]);
    if (kept >= 0) {
        assert_int_equal(dup2(kept, STDIN_FILENO), STDIN_FILENO);
        (void)close(kept);
    } else {
        (void)close(STDIN_FILENO);
    }
}

static void without_an_address_there_is_none(void **state)
{
    struct doorbell doorbell;
    (void)state;
    open_well(&doorbell, NULL);
    assert_int_equal(doorbell.descriptor, -1);
    assert_false(is_rung(&doorbell, 1, false));
    doorbell_close(&doorbell);
}

static void what_is_wrong_is_said(void **state)
{
    static const char *const wrong[] = {"nonsense", ":8012", "127.0.0.1:", "unix:/nowhere/bell",
                                        "127.0.0.1:nonsense"};
    char error[DOORBELL_ERROR_SIZE];
    struct doorbell doorbell;
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        error[0] = '\0';
        assert_false(doorbell_open(&doorbell, wrong[i], 0660, error));
        assert_non_null(strstr(error, "[outbox] doorbell: "));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_ring_ends_the_wait_and_is_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_deaf_wait_leaves_the_ring_for_later, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_another_has_is_left_to_it, set_up, tear_down),
        cmocka_unit_test(it_rings_by_udp),
        cmocka_unit_test_setup_teardown(one_at_standard_input_is_taken, set_up, tear_down),
        cmocka_unit_test(without_an_address_there_is_none),
        cmocka_unit_test(what_is_wrong_is_said),
    };
    return cmocka_run_group_tests_name("doorbell", tests, NULL, NULL);
}
