/* Who may stay, and what becomes of those who may not. */
#include "net_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "captured_messages.h"
#include "messages.h"
#include "net/acceptor.h"

enum { COMERS = 8 };

/* Accepting fails when a test says so: it stands before the C library's. */
static struct {
    int error; /* 0: it does not */
    unsigned calls;
} accepting;

int accept4(int descriptor, struct sockaddr *address, socklen_t *size, int flags)
{
    accepting.calls++;
    if (accepting.error != 0) {
        errno = accepting.error;
        return -1;
    }
    return (int)syscall(SYS_accept4, descriptor, address, size, flags);
}

struct door {
    struct net_scene scene;
    struct acceptor acceptor;
    int listening;
    struct sockaddr_in address;
    unsigned pauses, resumes;
};

static void pause_door(void *context)
{
    ((struct door *)context)->pauses++;
}

static void resume_door(void *context)
{
    struct door *door = context;

    door->resumes++;
    /* As a listening socket that is readable still does. */
    acceptor_take(&door->acceptor, door->listening, (struct arrival){.is_tcp = true});
}

static void open_door(struct door *door)
{
    socklen_t size = sizeof door->address;

    memset(door, 0, sizeof *door);
    net_scene_open(&door->scene);
    message_configure("test", MESSAGE_LEVEL_ERROR, MESSAGE_TO_STDERR);
    acceptor_open(&door->acceptor, &door->scene.net,
                  (struct acceptor_sockets){pause_door, resume_door, door});
    door->address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    door->listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(door->listening >= 0);
    assert_int_equal(bind(door->listening, (const struct sockaddr *)&door->address, size), 0);
    assert_int_equal(listen(door->listening, COMERS), 0);
    assert_int_equal(getsockname(door->listening, (struct sockaddr *)&door->address, &size), 0);
}

static void close_door(struct door *door)
{
    acceptor_stop(&door->acceptor);
    acceptor_stop(&door->acceptor);
    net_scene_close(&door->scene);
    assert_int_equal(close(door->listening), 0);
}

static int come(const struct door *door)
{
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(descriptor >= 0);
    assert_int_equal(
        connect(descriptor, (const struct sockaddr *)&door->address, sizeof door->address), 0);
    return descriptor;
}

static void take(struct door *door, bool speaks_lines)
{
    acceptor_take(&door->acceptor, door->listening,
                  (struct arrival){.is_tcp = true, .speaks_lines = speaks_lines});
}

/* What a comer is told before it is sent away. */
static void expect_refusal(int descriptor, const char *beginning, const char *words)
{
    char text[1024];
    size_t length = 0;
    ssize_t got;

    while ((got = recv(descriptor, text + length, sizeof text - 1 - length, 0)) > 0)
        length += (size_t)got;
    assert_int_equal(got, 0);
    text[length] = '\0';
    assert_memory_equal(text, beginning, strlen(beginning));
    assert_non_null(strstr(text, words));
    assert_int_equal(close(descriptor), 0);
}

static void all_that_wait_are_taken(void **state)
{
    struct door door;
    int comers[COMERS];

    (void)state;
    open_door(&door);
    for (int i = 0; i < COMERS; i++)
        comers[i] = come(&door);
    take(&door, false);
    assert_int_equal(door.scene.net.connections, COMERS);
    assert_int_equal(door.scene.net.counters.accepted, COMERS);
    assert_int_equal(door.pauses, 0);
    take(&door, false);
    assert_int_equal(door.scene.net.counters.accepted, COMERS);
    close_door(&door);
    for (int i = 0; i < COMERS; i++)
        assert_int_equal(close(comers[i]), 0);
}

static void past_the_limit_each_is_told_in_its_words(void **state)
{
    struct door door;
    int kept[NET_KEPT_PLACES];

    (void)state;
    open_door(&door);
    door.scene.net.max_connections = 1;
    int first = come(&door);
    for (int i = 0; i < NET_KEPT_PLACES; i++) {
        kept[i] = come(&door);
        take(&door, false);
    }
    int second = come(&door);
    take(&door, false);
    assert_int_equal(door.scene.net.connections, 1 + NET_KEPT_PLACES);
    int device = come(&door);
    take(&door, true);
    assert_int_equal(door.scene.net.counters.accepted, 3 + NET_KEPT_PLACES);
    assert_int_equal(door.scene.net.counters.refused_full, 2);
    assert_int_equal(door.scene.net.counters.closed[CLOSE_FULL], 2);
    expect_refusal(second, "HTTP/1.1 503 Too many connections\r\n",
                   "\r\n\r\n{\"error\":\"Too many connections\"}");
    expect_refusal(device, "{\"error\":\"Too many connections\"}\n", "\n");
    close_door(&door);
    assert_int_equal(close(first), 0);
    for (int i = 0; i < NET_KEPT_PLACES; i++)
        assert_int_equal(close(kept[i]), 0);
}

static void one_address_may_have_so_many(void **state)
{
    struct door door;

    (void)state;
    open_door(&door);
    door.scene.config.max_connections_per_address = 2;
    int first = come(&door), second = come(&door), third = come(&door);
    take(&door, false);
    assert_int_equal(door.scene.net.connections, 2);
    assert_int_equal(door.scene.net.counters.closed[CLOSE_ADDRESS], 1);
    assert_int_equal(door.scene.net.counters.refused_full, 0);
    expect_refusal(third, "HTTP/1.1 503 Too many connections from this address\r\n", "error");
    assert_int_equal(close(first), 0);
    net_scene_turn(&door.scene);
    int fourth = come(&door);
    take(&door, false);
    net_scene_turn(&door.scene);
    assert_int_equal(door.scene.net.connections, 2);
    close_door(&door);
    assert_int_equal(close(second), 0);
    assert_int_equal(close(fourth), 0);
}

static bool is_resumed(void *context)
{
    return ((struct door *)context)->resumes > 0;
}

/* What waits stays in the kernel's queue, and who was accepted already is held. */
static void without_memory_it_waits(void **state)
{
    struct door door;

    (void)state;
    open_door(&door);
    size_t size = door.scene.net.client.size;
    door.scene.net.client.size = SIZE_MAX / 2;
    int first = come(&door), second = come(&door);
    take(&door, false);
    assert_int_equal(door.pauses, 1);
    assert_true(door.acceptor.held >= 0);
    assert_int_equal(door.scene.net.connections, 0);
    assert_int_equal(door.scene.net.counters.accepted, 1);
    take(&door, false);
    assert_int_equal(door.scene.net.counters.accepted, 1);
    door.scene.net.client.size = size;
    net_scene_turn_until(&door.scene, is_resumed, &door);
    assert_int_equal(door.acceptor.held, -1);
    assert_int_equal(door.scene.net.connections, 2);
    assert_int_equal(door.scene.net.counters.accepted, 2);
    close_door(&door);
    assert_int_equal(close(first), 0);
    assert_int_equal(close(second), 0);
}

/* The kernel has none: it is not asked at once again, and those who wait are taken later. */
static void without_memory_of_the_kernel_it_waits(void **state)
{
    static const int errors[] = {ENOBUFS, ENOMEM};

    (void)state;
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        struct door door;
        open_door(&door);
        int comer = come(&door);
        accepting.error = errors[i];
        accepting.calls = 0;
        take(&door, false);
        accepting.error = 0;
        assert_int_equal(accepting.calls, 1);
        assert_int_equal(door.pauses, 1);
        assert_int_equal(door.scene.net.connections, 0);
        net_scene_turn_until(&door.scene, is_resumed, &door);
        assert_int_equal(door.scene.net.connections, 1);
        close_door(&door);
        assert_int_equal(close(comer), 0);
    }
}

/* The log says from where who was sent away came. */
static void who_is_refused_is_named_in_the_log(void **state)
{
    struct door door;

    (void)state;
    open_door(&door);
    door.scene.config.max_connections_per_address = 1;
    int first = come(&door), second = come(&door);
    captured_messages_begin();
    take(&door, false);
    unsigned said = captured_messages_count("connection refused reason=address "
                                            "address=127.0.0.1\n");
    captured_messages_end();
    assert_int_equal(said, 1);
    close_door(&door);
    assert_int_equal(close(first), 0);
    assert_int_equal(close(second), 0);
}

/* One who is held when the daemon ends is closed as well. */
static void one_who_is_held_goes_with_the_door(void **state)
{
    struct door door;
    char byte;

    (void)state;
    open_door(&door);
    size_t size = door.scene.net.client.size;
    door.scene.net.client.size = SIZE_MAX / 2;
    int comer = come(&door);
    take(&door, false);
    assert_true(door.acceptor.held >= 0);
    door.scene.net.client.size = size;
    close_door(&door);
    assert_int_equal(recv(comer, &byte, 1, 0), 0);
    assert_int_equal(close(comer), 0);
}

static struct rlimit allow_no_more_descriptors(void)
{
    struct rlimit before, now;
    int next = dup(0);

    assert_true(next >= 0);
    assert_int_equal(close(next), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    now = (struct rlimit){.rlim_cur = (rlim_t)next, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
    return before;
}

/* The spare descriptor lets them be told; then nobody is accepted for a while. */
static void without_descriptors_those_who_wait_are_told(void **state)
{
    struct door door;

    (void)state;
    open_door(&door);
    int first = come(&door), second = come(&door);
    struct rlimit before = allow_no_more_descriptors();
    take(&door, false);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(door.pauses, 1);
    assert_true(trouble_is_on(&door.acceptor.full));
    assert_true(door.acceptor.spare >= 0);
    assert_int_equal(door.acceptor.turned_away, 2);
    assert_int_equal(door.scene.net.connections, 0);
    expect_refusal(first, "HTTP/1.1 503 Too many connections\r\n", "Retry-After: 5\r\n");
    expect_refusal(second, "HTTP/1.1 503 Too many connections\r\n", "Retry-After: 5\r\n");
    int third = come(&door);
    take(&door, false);
    assert_int_equal(door.scene.net.connections, 0);
    net_scene_turn_until(&door.scene, is_resumed, &door);
    assert_int_equal(door.scene.net.connections, 1);
    close_door(&door);
    assert_int_equal(close(third), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_wait_are_taken),
        cmocka_unit_test(past_the_limit_each_is_told_in_its_words),
        cmocka_unit_test(one_address_may_have_so_many),
        cmocka_unit_test(without_memory_it_waits),
        cmocka_unit_test(without_memory_of_the_kernel_it_waits),
        cmocka_unit_test(who_is_refused_is_named_in_the_log),
        cmocka_unit_test(one_who_is_held_goes_with_the_door),
        cmocka_unit_test(without_descriptors_those_who_wait_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
