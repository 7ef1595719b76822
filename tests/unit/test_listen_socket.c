#include "listen_socket.h"

#include "net_address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct scene {
    char folder[64], address[100], error[LISTEN_ERROR_SIZE];
    struct listen_sockets sockets;
};

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    (void)snprintf(scene->folder, sizeof scene->folder, "/tmp/esn-listen-XXXXXX");
    assert_non_null(mkdtemp(scene->folder));
    (void)snprintf(scene->address, sizeof scene->address, "unix:%s/s", scene->folder);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    listen_socket_close(&scene->sockets);
    listen_socket_remove(scene->address);
    assert_int_equal(rmdir(scene->folder), 0);
    free(scene);
    return 0;
}

static bool open_address(struct scene *scene, const char *address)
{
    const struct listen_options options = {.mode = 0620, .backlog = 10};
    return listen_socket_open(&scene->sockets, address, options, scene->error);
}

static void texts_are_split(void **state)
{
    static const struct {
        const char *text, *host, *port;
    } good[] = {{"127.0.0.1:8010", "127.0.0.1", "8010"},
                {"localhost:0", "localhost", "0"},
                {"[::1]:65535", "::1", "65535"},
                {"[fe80::1%eth0]:80", "fe80::1%eth0", "80"}};
    static const char *const bad[] = {
        "",         "8010",   "127.0.0.1", ":80",   "a:",      "a:b",     "a:65536", "a:+1",
        "a:000080", "::1:80", "[]:80",     "[::1]", "[::1:80", "::1]:80", "[a]:80",  "[[::1]]:80"};
    struct net_address address;
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(net_address_read(&address, good[i].text));
        assert_string_equal(address.host, good[i].host);
        assert_string_equal(address.port, good[i].port);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (net_address_read(&address, bad[i]))
            fail_msg("taken: %s", bad[i]);
    }
}

static void loopback_is_an_address_not_a_beginning(void **state)
{
    (void)state;
    assert_true(net_address_is_loopback("127.0.0.1") && net_address_is_loopback("127.9.9.9"));
    assert_true(net_address_is_loopback("::1") && net_address_is_loopback("localhost"));
    assert_false(net_address_is_loopback("127.evil.example"));
    assert_false(net_address_is_loopback("127.0.0.1.nip.io"));
    assert_false(net_address_is_loopback("127.1"));
    assert_false(net_address_is_loopback("localhost.evil.example"));
    assert_false(net_address_is_loopback("128.0.0.1") || net_address_is_loopback("::"));
}

static void a_port_is_bound_and_named(void **state)
{
    struct scene *scene = *state;
    char name[LISTEN_NAME_SIZE];
    assert_true(open_address(scene, "127.0.0.1:0"));
    assert_int_equal(scene->sockets.count, 1);
    listen_socket_name(scene->sockets.descriptors[0], name);
    assert_memory_equal(name, "127.0.0.1:", 10);
    assert_string_not_equal(name, "127.0.0.1:0");
    assert_int_not_equal(fcntl(scene->sockets.descriptors[0], F_GETFL) & O_NONBLOCK, 0);
    struct listen_sockets second;
    assert_false(
        listen_socket_open(&second, name, (struct listen_options){.backlog = 10}, scene->error));
    assert_non_null(strstr(scene->error, "Address already in use"));
    assert_int_equal(second.count, 0);
}

static void ipv4_of_the_same_port_is_left_to_the_address_beside(void **state)
{
    static char any[] = "0.0.0.0:8443", six[] = "[::]:8443", loopback[] = "127.0.0.1:8443";
    static char other_port[] = "0.0.0.0:8444", other_six[] = "[::1]:8443",
                name[] = "localhost:8443";
    char *const beside[][3] = {{any, six, NULL}, {six, any, NULL}, {six, loopback, NULL}};
    char *const alone[][4] = {{six, NULL}, {six, other_port, other_six, NULL}, {six, name, NULL}};
    (void)state;
    for (size_t i = 0; i < sizeof beside / sizeof *beside; i++) {
        assert_true(net_address_has_ipv4_beside(beside[i], six));
        assert_false(net_address_has_ipv4_beside(beside[i], any));
    }
    for (size_t i = 0; i < sizeof alone / sizeof *alone; i++)
        assert_false(net_address_has_ipv4_beside(alone[i], six));
}

static void what_cannot_be_bound_is_named(void **state)
{
    struct scene *scene = *state;
    assert_false(open_address(scene, "nonsense"));
    assert_string_equal(scene->error, "cannot listen on nonsense: it is none of unix:PATH, "
                                      "host:port and [ipv6]:port");
    assert_false(open_address(scene, "192.0.2.1:80"));
    assert_non_null(strstr(scene->error, "cannot listen on 192.0.2.1:80: "));
    assert_false(open_address(scene, "unix:"));
    assert_non_null(strstr(scene->error, "empty or too long"));
    assert_false(open_address(scene, "unix:/nowhere/at/all"));
    assert_non_null(strstr(scene->error, "No such file"));
}

static void a_file_has_its_mode_and_is_answered(void **state)
{
    struct scene *scene = *state;
    const char *path = listen_socket_path(scene->address);
    struct listen_sockets second;
    struct stat status;
    char name[LISTEN_NAME_SIZE];
    assert_false(listen_socket_is_answered(path));
    assert_true(open_address(scene, scene->address));
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0620);
    listen_socket_name(scene->sockets.descriptors[0], name);
    assert_string_equal(name, scene->address);
    assert_true(listen_socket_is_answered(path));
    assert_false(listen_socket_open(&second, scene->address,
                                    (struct listen_options){.mode = 0600, .backlog = 10},
                                    scene->error));
    assert_non_null(strstr(scene->error, "another process answers on it"));
}

static void a_file_left_behind_is_replaced_and_any_other_is_not(void **state)
{
    struct scene *scene = *state;
    const char *path = listen_socket_path(scene->address);
    assert_true(open_address(scene, scene->address));
    listen_socket_close(&scene->sockets);
    assert_int_equal(access(path, F_OK), 0);
    assert_true(open_address(scene, scene->address));
    listen_socket_close(&scene->sockets);
    listen_socket_remove(scene->address);
    int file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_int_equal(close(file), 0);
    assert_false(open_address(scene, scene->address));
    assert_non_null(strstr(scene->error, "there is a file that is no socket"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_split),
        cmocka_unit_test(loopback_is_an_address_not_a_beginning),
        cmocka_unit_test_setup_teardown(a_port_is_bound_and_named, set_up, tear_down),
        cmocka_unit_test(ipv4_of_the_same_port_is_left_to_the_address_beside),
        cmocka_unit_test_setup_teardown(what_cannot_be_bound_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_has_its_mode_and_is_answered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_left_behind_is_replaced_and_any_other_is_not, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
