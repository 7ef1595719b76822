/* The sockets on which clients arrive: opened as the configuration says, or with the reason why
 * not. */
#include "net_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "messages.h"
#include "net/listener.h"

struct house {
    struct net_scene scene;
    struct listeners listeners;
    char folder[32], http[64], lines[64]; /* the latter two: addresses */
    char *listen[3], *listen_lines[3];
    char **default_listen, **default_lines;
    char error[LISTENER_ERROR_SIZE];
};

static int set_up(void **state)
{
    struct house *house = calloc(1, sizeof *house);

    assert_non_null(house);
    net_scene_open(&house->scene);
    message_configure("test", MESSAGE_LEVEL_ERROR, MESSAGE_TO_STDERR);
    (void)snprintf(house->folder, sizeof house->folder, "/tmp/esn-listener-XXXXXX");
    assert_non_null(mkdtemp(house->folder));
    (void)snprintf(house->http, sizeof house->http, "unix:%s/http", house->folder);
    (void)snprintf(house->lines, sizeof house->lines, "unix:%s/lines", house->folder);
    house->default_listen = house->scene.config.listen;
    house->default_lines = house->scene.config.listen_lines;
    house->scene.config.listen = house->listen;
    house->scene.config.listen_lines = house->listen_lines;
    *state = house;
    return 0;
}

static int tear_down(void **state)
{
    struct house *house = *state;

    listeners_stop(&house->listeners);
    listeners_stop(&house->listeners);
    house->scene.config.listen = house->default_listen;
    house->scene.config.listen_lines = house->default_lines;
    net_scene_close(&house->scene);
    listeners_free(&house->listeners);
    assert_int_equal(rmdir(house->folder), 0); /* the sockets are gone */
    free(house);
    return 0;
}

static bool open_all(struct house *house)
{
    return listeners_open(&house->listeners, &house->scene.net, house->error);
}

static int connect_to(const char *address)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(descriptor >= 0);
    memcpy(name.sun_path, address + 5, strlen(address + 5) + 1);
    assert_int_equal(connect(descriptor, (const struct sockaddr *)&name, sizeof name), 0);
    return descriptor;
}

static void whoever_comes_is_accepted(void **state)
{
    struct house *house = *state;
    struct stat status;

    house->listen[0] = house->http;
    house->listen_lines[0] = house->lines;
    house->scene.config.bus_mode = 0640;
    assert_true(open_all(house));
    assert_int_equal(stat(house->http + 5, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0640);
    int peers[] = {connect_to(house->http), connect_to(house->lines), connect_to(house->http)};
    net_scene_turn(&house->scene);
    assert_int_equal(house->scene.net.connections, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(close(peers[i]), 0);
}

static void without_an_address_there_is_no_daemon(void **state)
{
    struct house *house = *state;

    house->listen_lines[0] = house->lines;
    assert_false(open_all(house));
    assert_string_equal(house->error, "[fanout] listen names no address");
}

/* The first is open already when the second turns out to be nonsense. */
static void what_is_wrong_is_named(void **state)
{
    struct house *house = *state;

    house->listen[0] = house->http;
    static char nonsense[] = "nonsense";
    house->listen[1] = nonsense;
    assert_false(open_all(house));
    assert_non_null(strstr(house->error, "cannot listen on nonsense: "));
}

static void a_file_that_is_no_socket_stays(void **state)
{
    struct house *house = *state;
    FILE *file = fopen(house->http + 5, "w");

    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    house->listen[0] = house->http;
    assert_false(open_all(house));
    assert_non_null(strstr(house->error, "no socket"));
    assert_int_equal(unlink(house->http + 5), 0);
}

static void two_do_not_share_a_socket(void **state)
{
    struct house *house = *state;
    struct listeners second = {0};
    char error[LISTENER_ERROR_SIZE];

    house->listen[0] = house->http;
    assert_true(open_all(house));
    assert_false(listeners_open(&second, &house->scene.net, error));
    assert_non_null(strstr(error, "another process answers"));
    listeners_stop(&second);
    net_scene_turn(&house->scene);
    listeners_free(&second);
    assert_int_equal(close(connect_to(house->http)), 0);
}

/* A daemon that was killed left it. */
static void a_socket_that_nobody_answers_on_is_replaced(void **state)
{
    struct house *house = *state;
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int dead = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(dead >= 0);
    memcpy(name.sun_path, house->http + 5, strlen(house->http + 5) + 1);
    assert_int_equal(bind(dead, (const struct sockaddr *)&name, sizeof name), 0);
    assert_int_equal(close(dead), 0);
    house->listen[0] = house->http;
    assert_true(open_all(house));
    assert_int_equal(close(connect_to(house->http)), 0);
}

struct finding {
    int descriptor;
};

static void find_tcp(uv_handle_t *handle, void *context)
{
    struct finding *finding = context;
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    uv_os_fd_t descriptor;

    if (handle->type == UV_POLL && uv_fileno(handle, &descriptor) == 0 &&
        getsockname(descriptor, (struct sockaddr *)&address, &size) == 0 &&
        address.ss_family == AF_INET)
        finding->descriptor = descriptor;
}

static int option_of(int descriptor, int level, int option)
{
    int value = -1;
    socklen_t size = sizeof value;

    assert_int_equal(getsockopt(descriptor, level, option, &value, &size), 0);
    return value;
}

/* Accepted sockets have what their listening socket has (tcp(7)); a reload changes it. */
static void what_is_accepted_inherits_the_settings(void **state)
{
    struct house *house = *state;
    struct finding finding = {.descriptor = -1};

    static char loopback[] = "127.0.0.1:0";
    house->listen[0] = loopback;
    house->scene.config.vanish_time = 12000;
    assert_true(open_all(house));
    uv_walk(&house->scene.net.loop.uv, find_tcp, &finding);
    assert_true(finding.descriptor >= 0);
    assert_int_equal(option_of(finding.descriptor, IPPROTO_TCP, TCP_NODELAY), 1);
    assert_int_equal(option_of(finding.descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT), 12000);
    assert_int_equal(option_of(finding.descriptor, IPPROTO_TCP, TCP_KEEPIDLE), 6);
    assert_int_equal(option_of(finding.descriptor, IPPROTO_TCP, TCP_KEEPINTVL), 2);
    house->scene.config.vanish_time = 30000;
    house->scene.config.send_buffer = 20000;
    listeners_apply_config(&house->listeners);
    assert_int_equal(option_of(finding.descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT), 30000);
    assert_int_equal(option_of(finding.descriptor, SOL_SOCKET, SO_SNDBUF), 40000); /* socket(7) */
}

/* The acceptor has no memory for the first: the second waits in the kernel's queue meanwhile. */
static void while_it_is_paused_nobody_is_taken(void **state)
{
    struct house *house = *state;
    struct acceptor *acceptor = &house->listeners.acceptor;

    house->listen[0] = house->http;
    assert_true(open_all(house));
    acceptor->paused = true;
    acceptor->sockets.pause(acceptor->sockets.context);
    int peer = connect_to(house->http);
    net_scene_turn(&house->scene);
    assert_int_equal(house->scene.net.connections, 0);
    acceptor->paused = false;
    acceptor->sockets.resume(acceptor->sockets.context);
    net_scene_turn(&house->scene);
    assert_int_equal(house->scene.net.connections, 1);
    assert_int_equal(close(peer), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whoever_comes_is_accepted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_an_address_there_is_no_daemon, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_is_no_socket_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_do_not_share_a_socket, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_socket_that_nobody_answers_on_is_replaced, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_accepted_inherits_the_settings, set_up, tear_down),
        cmocka_unit_test_setup_teardown(while_it_is_paused_nobody_is_taken, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
