/* Connections on which a trusted proxy says first whose they are. */
#include "net_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "messages.h"
#include "net/acceptor.h"

#define HEADER "PROXY TCP4 203.0.113.7 198.51.100.1 56324 443\r\n"
#define OTHER "PROXY TCP4 203.0.113.8 198.51.100.1 56324 443\r\n"

struct door {
    struct net_scene scene;
    struct acceptor acceptor;
    int listening;
    struct sockaddr_in address;
};

static void nothing(void *context)
{
    (void)context;
}

static void open_door(struct door *door)
{
    socklen_t size = sizeof door->address;

    memset(door, 0, sizeof *door);
    net_scene_open(&door->scene);
    message_configure("test", MESSAGE_LEVEL_ERROR, MESSAGE_TO_STDERR);
    assert_true(net_trust_proxies(&door->scene.net));
    acceptor_open(&door->acceptor, &door->scene.net,
                  (struct acceptor_sockets){nothing, nothing, door});
    door->address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    door->listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(door->listening >= 0);
    assert_int_equal(bind(door->listening, (const struct sockaddr *)&door->address, size), 0);
    assert_int_equal(listen(door->listening, 8), 0);
    assert_int_equal(getsockname(door->listening, (struct sockaddr *)&door->address, &size), 0);
}

static void close_door(struct door *door)
{
    acceptor_stop(&door->acceptor);
    net_scene_close(&door->scene);
    assert_int_equal(close(door->listening), 0);
}

static int come(struct door *door)
{
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(descriptor >= 0);
    assert_int_equal(
        connect(descriptor, (const struct sockaddr *)&door->address, sizeof door->address), 0);
    acceptor_take(&door->acceptor, door->listening,
                  (struct arrival){.is_tcp = true, .says_for_whom = true});
    return descriptor;
}

static void say(struct door *door, int descriptor, const char *text)
{
    assert_int_equal(send(descriptor, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    net_scene_turn(&door->scene);
}

static void keep_newest(uv_handle_t *handle, void *context)
{
    struct connection *connection = connection_of_handle(handle);

    if (connection != NULL && !uv_is_closing(handle))
        *(struct connection **)context = connection;
}

/* The one that there is. */
static struct connection *only_connection(struct door *door)
{
    struct connection *found = NULL;

    uv_walk(&door->scene.net.loop.uv, keep_newest, &found);
    assert_non_null(found);
    return found;
}

static void expect_address(const struct connection *connection, const char *expected)
{
    char text[COUNTED_ADDRESS_TEXT_SIZE];

    assert_string_equal(counted_address_write(connection_address(connection), text), expected);
}

static void expect_closed(struct door *door, int descriptor, enum close_reason reason)
{
    char text[1024];

    net_scene_turn(&door->scene);
    assert_int_equal(door->scene.net.counters.closed[reason], 1);
    assert_int_equal(door->scene.net.connections, 0);
    while (recv(descriptor, text, sizeof text, 0) > 0)
        continue;
    assert_int_equal(close(descriptor), 0);
}

static void it_becomes_its_clients(void **state)
{
    struct door door;

    (void)state;
    open_door(&door);
    int proxy = come(&door);
    struct connection *connection = only_connection(&door);
    for (const char *at = HEADER; *at != '\0'; at++) {
        expect_address(connection, "");
        say(&door, proxy, (char[]){*at, '\0'});
    }
    expect_address(connection, "203.0.113.7");
    assert_int_equal(scene_client_of(connection)->length, 0);
    say(&door, proxy, "hello");
    assert_string_equal(scene_client_of(connection)->text, "hello");
    assert_true(connection->announced);
    assert_false(connection->from_proxy);
    close_door(&door);
    assert_int_equal(close(proxy), 0);
}

static void what_comes_with_it_is_the_clients(void **state)
{
    struct door door;

    (void)state;
    open_door(&door);
    int proxy = come(&door);
    say(&door, proxy, HEADER OTHER);
    expect_address(only_connection(&door), "203.0.113.7");
    assert_string_equal(scene_client_of(only_connection(&door))->text, OTHER);
    close_door(&door);
    assert_int_equal(close(proxy), 0);
}

static void a_client_that_nobody_knows_is_nobodys(void **state)
{
    struct door door;

    (void)state;
    open_door(&door);
    int proxy = come(&door);
    say(&door, proxy, "PROXY UNKNOWN\r\nhello");
    expect_address(only_connection(&door), "");
    assert_string_equal(scene_client_of(only_connection(&door))->text, "hello");
    assert_false(only_connection(&door)->from_proxy);
    close_door(&door);
    assert_int_equal(close(proxy), 0);
}

/* A web server behind another proxy says in each request for whom it is. */
static void the_client_may_be_a_trusted_proxy(void **state)
{
    struct door door;

    (void)state;
    open_door(&door);
    int proxy = come(&door);
    say(&door, proxy, "PROXY TCP4 127.0.0.1 198.51.100.1 1 2\r\n");
    assert_true(only_connection(&door)->from_proxy);
    close_door(&door);
    assert_int_equal(close(proxy), 0);
}

static void a_stranger_is_not_listened_to(void **state)
{
    struct door door;
    static char *nobody[] = {NULL};

    (void)state;
    open_door(&door);
    char **trusted = door.scene.config.trusted_proxies;
    door.scene.config.trusted_proxies = nobody;
    assert_true(net_trust_proxies(&door.scene.net));
    int stranger = come(&door);
    expect_closed(&door, stranger, CLOSE_REFUSED);
    door.scene.config.trusted_proxies = trusted;
    close_door(&door);
}

static void what_is_no_header_ends_it(void **state)
{
    struct door door;

    (void)state;
    open_door(&door);
    int proxy = come(&door);
    say(&door, proxy, "GET / HTTP/1.1\r\n\r\n");
    expect_closed(&door, proxy, CLOSE_REFUSED);
    close_door(&door);
}

static void a_header_has_to_come_in_time(void **state)
{
    struct door door;

    (void)state;
    open_door(&door);
    int proxy = come(&door);
    say(&door, proxy, "PROXY ");
    uint64_t now = loop_now(&door.scene.net.loop), limit = door.scene.config.header_time;
    deadlines_advance(&door.scene.net.deadlines, now + limit / 2, connection_on_deadline, NULL);
    assert_int_equal(door.scene.net.connections, 1);
    deadlines_advance(&door.scene.net.deadlines, now + 2 * limit, connection_on_deadline, NULL);
    expect_closed(&door, proxy, CLOSE_HEAD_TIME);
    close_door(&door);
}

static void limits_are_for_each_client(void **state)
{
    struct door door;
    char text[1024] = "";

    (void)state;
    open_door(&door);
    door.scene.config.max_connections_per_address = 1;
    int one = come(&door), again = come(&door), other = come(&door);
    say(&door, one, HEADER);
    say(&door, other, OTHER);
    assert_int_equal(door.scene.net.connections, 3);
    say(&door, again, HEADER "GET / HTTP/1.1\r\n\r\n");
    assert_int_equal(door.scene.net.connections, 2);
    assert_int_equal(door.scene.net.counters.closed[CLOSE_ADDRESS], 1);
    assert_true(recv(again, text, sizeof text - 1, 0) > 0);
    assert_non_null(strstr(text, "503 Too many connections from this address"));
    assert_int_equal(close(again), 0);
    close_door(&door);
    assert_int_equal(close(one), 0);
    assert_int_equal(close(other), 0);
}

/* With and without something that came already. */
static void one_that_is_not_whole_may_go(void **state)
{
    struct door door;

    (void)state;
    open_door(&door);
    int silent = come(&door), begun = come(&door), leaves = come(&door);
    say(&door, begun, "PROXY TCP4");
    assert_int_equal(close(leaves), 0);
    net_scene_turn(&door.scene);
    assert_int_equal(door.scene.net.connections, 2);
    close_door(&door);
    assert_int_equal(close(silent), 0);
    assert_int_equal(close(begun), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_becomes_its_clients),
        cmocka_unit_test(what_comes_with_it_is_the_clients),
        cmocka_unit_test(a_client_that_nobody_knows_is_nobodys),
        cmocka_unit_test(the_client_may_be_a_trusted_proxy),
        cmocka_unit_test(a_stranger_is_not_listened_to),
        cmocka_unit_test(what_is_no_header_ends_it),
        cmocka_unit_test(a_header_has_to_come_in_time),
        cmocka_unit_test(limits_are_for_each_client),
        cmocka_unit_test(one_that_is_not_whole_may_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
