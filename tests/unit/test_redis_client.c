/* What a client of Redis makes of servers of every kind, and how long it waits for them. */
#include "bus/bus_redis_link.h"
#include "clock.h"
#include "name_lookup.h"
#include "redis/redis_client.h"

#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

enum { NEVER_MS = 600000 };

/* ---- a server that says what it is told to ---- */

struct scripted_server {
    char folder[32], path[64];
    int listener;
    const char *answer; /* to each thing that comes; NULL: it is silent */
    unsigned slow_us;   /* before each byte */
    unsigned greetings; /* answered with +OK before */
    bool closes;        /* each connection after its answer */
    pthread_t thread;
    unsigned connections;
    char heard[4096];
};

static void say(const struct scripted_server *server, int file, const char *text)
{
    size_t piece = server->slow_us > 0 ? 1 : strlen(text);
    for (; *text != '\0'; text += piece) {
        if (server->slow_us > 0)
            (void)usleep(server->slow_us);
        if (send(file, text, piece, MSG_NOSIGNAL) < 0)
            return;
    }
}

static void serve_one(struct scripted_server *server, int file)
{
    char text[2048];
    unsigned greetings = server->greetings;
    ssize_t got;
    while ((got = read(file, text, sizeof text - 1)) > 0) {
        text[got] = '\0';
        strncat(server->heard, text, sizeof server->heard - strlen(server->heard) - 1);
        if (greetings > 0) {
            greetings--;
            say(server, file, "+OK\r\n");
        } else if (server->answer != NULL) {
            say(server, file, server->answer);
            if (server->closes)
                break;
        }
    }
    (void)close(file);
}

static void *serve(void *context)
{
    struct scripted_server *server = context;
    int file;
    while ((file = accept(server->listener, NULL, NULL)) >= 0) {
        server->connections++;
        serve_one(server, file);
    }
    return NULL;
}

static void server_start(struct scripted_server *server)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(server->folder, "/tmp/redis-XXXXXX");
    assert_non_null(mkdtemp(server->folder));
    (void)snprintf(server->path, sizeof server->path, "%s/socket", server->folder);
    strcpy(address.sun_path, server->path);
    server->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(server->listener >= 0);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(server->listener, 8), 0);
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

/* The clients are closed by now. */
static void server_stop(struct scripted_server *server)
{
    (void)shutdown(server->listener, SHUT_RDWR);
    assert_int_equal(pthread_join(server->thread, NULL), 0);
    (void)close(server->listener);
    (void)unlink(server->path);
    (void)rmdir(server->folder);
}

static struct redis_options options_for(const struct scripted_server *server)
{
    struct redis_options options = {
        .connect_ms = NEVER_MS, .limit_ms = NEVER_MS, .max_answer = 65536};
    strcpy(options.url.socket, server->path);
    return options;
}

static struct redis_client *client_of(const struct redis_options *options)
{
    struct redis_client *client = redis_client_open(options);
    assert_non_null(client);
    return client;
}

static const struct redis_word get[] = {{"GET", 3}, {"a\0b", 3}};

static struct redis_answer *ask(struct redis_client *client, char error[REDIS_CLIENT_ERROR_SIZE])
{
    return redis_client_ask(client, get, 2, error);
}

/* ---- answers ---- */

static void test_answers_are_read(void **state)
{
    (void)state;
    struct scripted_server server = {.answer =
                                         "*5\r\n$4\r\nx\r\ny\r\n:-7\r\n$-1\r\n+fine\r\n*0\r\n"};
    server_start(&server);
    const struct redis_options options = options_for(&server);
    struct redis_client *client = client_of(&options);
    char error[REDIS_CLIENT_ERROR_SIZE];
    size_t length;
    struct redis_answer *answer = ask(client, error);
    assert_non_null(answer);
    assert_int_equal(redis_answer_count(answer), 5);
    assert_memory_equal(redis_answer_text(redis_answer_part(answer, 0), &length), "x\r\ny", 4);
    assert_int_equal(length, 4);
    assert_int_equal(redis_answer_number(redis_answer_part(answer, 1)), -7);
    assert_int_equal(redis_answer_kind(redis_answer_part(answer, 2)), REDIS_ANSWER_NONE);
    assert_true(redis_answer_is(redis_answer_part(answer, 3), "fine"));
    assert_int_equal(redis_answer_count(redis_answer_part(answer, 4)), 0);
    assert_null(redis_answer_part(answer, 5));
    assert_null(redis_answer_text(answer, &length));
    assert_string_equal(server.heard, "*2\r\n$3\r\nGET\r\n$3\r\na");
    redis_answer_free(&answer);
    redis_client_close(&client);
    server_stop(&server);
}

static void test_a_connection_is_kept_and_made_anew_when_it_was_lost(void **state)
{
    (void)state;
    struct scripted_server server = {.answer = "$1\r\nx\r\n"};
    server_start(&server);
    const struct redis_options options = options_for(&server);
    struct redis_client *client = client_of(&options);
    char error[REDIS_CLIENT_ERROR_SIZE];
    for (int i = 0; i < 6; i++) {
        server.closes = i >= 2;
        struct redis_answer *answer = ask(client, error);
        assert_non_null(answer);
        redis_answer_free(&answer);
        (void)usleep(20000); /* the end of the connection is on its way */
    }
    redis_client_close(&client);
    server_stop(&server);
    assert_true(server.connections >= 3 && server.connections <= 4);
}

static void test_it_says_who_it_is(void **state)
{
    (void)state;
    struct scripted_server server = {.answer = "$1\r\nx\r\n", .greetings = 2};
    server_start(&server);
    struct redis_options options = options_for(&server);
    options.user = "notify";
    options.password = "geheim";
    options.url.database = 3;
    struct redis_client *client = client_of(&options);
    char error[REDIS_CLIENT_ERROR_SIZE];
    struct redis_answer *answer = ask(client, error);
    assert_non_null(answer);
    redis_answer_free(&answer);
    redis_client_close(&client);
    server_stop(&server);
    static const char expected[] = "*3\r\n$4\r\nAUTH\r\n$6\r\nnotify\r\n$6\r\ngeheim\r\n"
                                   "*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n";
    assert_memory_equal(server.heard, expected, sizeof expected - 1);
}

/* ---- servers that do not answer as they should ---- */

struct bad_server {
    const char *answer;
    unsigned slow_us;
    bool closes;
    const char *words; /* in the error */
};

static void test_bad_servers(void **state)
{
    (void)state;
    static char large[100000];
    static const struct bad_server servers[] = {
        {NULL, 0, false, "does not answer in time"},
        {"$100\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 20000, false,
         "does not answer in time"},
        {"$100\r\nx", 0, true, "the connection is lost"},
        {"-NOAUTH Authentication required.\r\n", 0, false, "Redis says: NOAUTH Authentication"},
        {"-WRONGTYPE what\r\n", 0, false, "Redis says: WRONGTYPE"},
        {"HTTP/1.1 400 Bad Request\r\n\r\n", 0, false, "not its protocol"},
        {large, 0, false, "larger than [redis] max_answer"},
    };
    (void)snprintf(large, sizeof large, "$1000000\r\n");
    memset(large + 10, 'x', sizeof large - 11);
    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++) {
        struct scripted_server server = {.answer = servers[i].answer,
                                         .slow_us = servers[i].slow_us,
                                         .closes = servers[i].closes};
        char error[REDIS_CLIENT_ERROR_SIZE];
        server_start(&server);
        struct redis_options options = options_for(&server);
        if (strstr(servers[i].words, "in time") != NULL)
            options.limit_ms = 200;
        struct redis_client *client = client_of(&options);
        assert_null(ask(client, error));
        assert_non_null(strstr(error, servers[i].words));
        redis_client_close(&client);
        server_stop(&server);
    }
}

/* Others may come and go meanwhile: a lookup that nobody waits for any more has some of its own. */
static int count_tcp_sockets(void)
{
    int count = 0;
    for (int file = 0; file < 256; file++) {
        int domain, type;
        socklen_t size = sizeof domain;
        if (getsockopt(file, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
            getsockopt(file, SOL_SOCKET, SO_TYPE, &type, &size) == 0)
            count += domain == AF_INET && type == SOCK_STREAM;
    }
    return count;
}

static void test_one_that_is_not_there(void **state)
{
    (void)state;
    const int before = count_tcp_sockets();
    struct redis_options options = {.connect_ms = NEVER_MS, .limit_ms = NEVER_MS};
    char error[REDIS_CLIENT_ERROR_SIZE];
    strcpy(options.url.socket, "/nowhere/redis");
    struct redis_client *client = client_of(&options);
    assert_null(ask(client, error));
    assert_string_equal(error, "/nowhere/redis: No such file or directory");
    redis_client_close(&client);
    options.url.socket[0] = '\0';
    assert_null(redis_url_read(&options.url, "redis://127.0.0.1:1"));
    client = client_of(&options);
    assert_null(ask(client, error));
    assert_string_equal(error, "127.0.0.1: Connection refused");
    redis_client_close(&client);
    assert_int_equal(count_tcp_sockets(), before);
}

/* ---- messages ---- */

static void test_waiting_for_messages(void **state)
{
    (void)state;
    struct scripted_server server = {.answer = "*1\r\n+first\r\n*1\r\n+second\r\n"};
    server_start(&server);
    const struct redis_options options = options_for(&server);
    struct redis_client *client = client_of(&options);
    char error[REDIS_CLIENT_ERROR_SIZE];
    int wake[2];
    assert_int_equal(pipe(wake), 0);
    assert_null(redis_client_next(client, wake[0], NEVER_MS, error));
    assert_string_equal(error, "not connected");
    struct redis_answer *answer = ask(client, error);
    assert_true(redis_answer_is(redis_answer_part(answer, 0), "first"));
    redis_answer_free(&answer);
    answer = redis_client_next(client, wake[0], NEVER_MS, error);
    assert_true(redis_answer_is(redis_answer_part(answer, 0), "second"));
    redis_answer_free(&answer);
    assert_null(redis_client_next(client, -1, 10, error));
    assert_string_equal(error, "");
    assert_int_equal(write(wake[1], "x", 1), 1);
    assert_null(redis_client_next(client, wake[0], NEVER_MS, error));
    assert_string_equal(error, "");
    redis_client_close(&client);
    server_stop(&server);
    (void)close(wake[0]);
    (void)close(wake[1]);
}

static void test_what_nobody_waits_for_goes_before_the_next_command(void **state)
{
    (void)state;
    struct scripted_server server = {.answer = "+yes\r\n"};
    server_start(&server);
    const struct redis_options options = options_for(&server);
    struct redis_client *client = client_of(&options);
    char error[REDIS_CLIENT_ERROR_SIZE];
    assert_false(redis_client_queue(client, get, 2)); /* there is no connection to lose it with */
    assert_true(redis_client_connect(client, error));
    assert_true(redis_client_queue(client, get, 2));
    assert_true(redis_client_queue(client, get, 2));
    server.answer = "-ERR of the first\r\n*1\r\n:2\r\n+third\r\n";
    struct redis_answer *answer = ask(client, error);
    assert_true(redis_answer_is(answer, "third"));
    redis_answer_free(&answer);
    server.answer = "+fourth\r\n";
    answer = ask(client, error);
    assert_true(redis_answer_is(answer, "fourth"));
    redis_answer_free(&answer);
    server.answer = "-ERR no\r\n";
    assert_true(redis_client_send(client, get, 2, error));
    answer = redis_client_next(client, -1, NEVER_MS, error);
    assert_int_equal(redis_answer_kind(answer), REDIS_ANSWER_ERROR);
    size_t length;
    assert_string_equal(redis_answer_text(answer, &length), "ERR no");
    redis_answer_free(&answer);
    redis_client_close(&client);
    server_stop(&server);
}

static void test_who_connects_by_hand_knows_which_server_he_asks(void **state)
{
    (void)state;
    struct scripted_server server = {.answer = "+yes\r\n", .closes = true};
    server_start(&server);
    struct redis_options options = options_for(&server);
    options.by_hand = true;
    struct redis_client *client = client_of(&options);
    char error[REDIS_CLIENT_ERROR_SIZE];
    assert_null(ask(client, error));
    assert_string_equal(error, "the connection is lost");
    assert_true(redis_client_connect(client, error));
    struct redis_answer *answer = ask(client, error);
    assert_true(redis_answer_is(answer, "yes"));
    redis_answer_free(&answer);
    assert_null(redis_client_next(client, -1, NEVER_MS, error)); /* its end has come */
    assert_false(redis_client_is_connected(client));
    assert_null(ask(client, error));
    assert_false(redis_client_send(client, get, 2, error));
    assert_true(redis_client_connect(client, error) && redis_client_is_connected(client));
    redis_client_close(&client);
    server_stop(&server);
    assert_int_equal(server.connections, 2);
}

/* ---- servers that carry events ---- */

static char info[512];

static void expect_link(const char *lines, bool is_good, const char *expected)
{
    struct scripted_server server = {.answer = info};
    (void)snprintf(info, sizeof info, "$%zu\r\n%s\r\n", strlen(lines), lines);
    server_start(&server);
    const struct redis_options redis = options_for(&server);
    const struct bus_redis_options options = {.redis = &redis, .prefix = "esn:"};
    struct redis_link link;
    assert_true(redis_link_open(&link, &options, 65536));
    assert_int_equal(redis_link_connect(&link), is_good);
    assert_int_equal(redis_client_is_connected(link.client), is_good);
    assert_string_equal(is_good ? link.run : link.error, expected);
    if (is_good)
        assert_int_equal(link.was_promoted, strstr(lines, "replid2:00") == NULL);
    redis_link_close(&link);
    server_stop(&server);
}

static void test_a_server_says_which_one_it_is(void **state)
{
    (void)state;
    expect_link("# Server\r\nredis_version:7.0.15\r\nrun_id:abc\r\nmaster_replid2:0000\r\n", true,
                "abc");
    expect_link("redis_version:10.1\r\nrun_id:abc\r\nmaster_replid2:ff00\r\n", true, "abc");
    expect_link("redis_version:7.2\nrun_id:abc", true, "abc");
    expect_link("redis_version:6.2.9\r\nrun_id:abc\r\n", false,
                "Redis 6.2.9 is too old: the bus needs 7.0");
    expect_link("redis_version:7.0.0\r\nxrun_id:abc\r\n", false,
                "the server does not say which Redis it is");
    expect_link("", false, "the server does not say which Redis it is");
}

/* ---- addresses ---- */

static void test_urls(void **state)
{
    (void)state;
    struct redis_url url;
    assert_null(redis_url_read(&url, "redis://10.0.0.7"));
    assert_string_equal(url.address.host, "10.0.0.7");
    assert_string_equal(url.address.port, "6379");
    assert_int_equal(url.database, 0);
    assert_null(redis_url_read(&url, "redis://[::1]:7000/12"));
    assert_string_equal(url.address.host, "::1");
    assert_string_equal(url.address.port, "7000");
    assert_int_equal(url.database, 12);
    assert_null(redis_url_read(&url, "redis://redis.shop.example/"));
    assert_null(redis_url_read(&url, "redis://[::1]"));
    assert_string_equal(url.address.port, "6379");
    assert_null(redis_url_read(&url, "unix:/run/redis.sock?db=2"));
    assert_string_equal(url.socket, "/run/redis.sock");
    assert_int_equal(url.database, 2);
    static const char *const wrong[] = {"",
                                        "127.0.0.1:6379",
                                        "redis://",
                                        "redis://:6379",
                                        "redis://h:x",
                                        "redis://h/x",
                                        "redis://u:p@h:6379/0",
                                        "redis://h/0/1",
                                        "rediss://h",
                                        "unix:redis.sock",
                                        "unix:/a?x=1",
                                        "unix:/a?db=",
                                        "redis://h/999999",
                                        "redis://h:70000/0"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_non_null(redis_url_read(&url, wrong[i]));
}

static void test_addresses_need_no_name_server(void **state)
{
    (void)state;
    char error[NAME_LOOKUP_ERROR_SIZE] = "";
    struct addrinfo *found = name_lookup("::1", "6379", 0, error);
    assert_non_null(found);
    freeaddrinfo(found);
    found = name_lookup("localhost", "6379", clock_monotonic_ms() + NEVER_MS, error);
    assert_non_null(found);
    freeaddrinfo(found);
    assert_null(name_lookup("name.invalid", "6379", clock_monotonic_ms(), error));
    assert_non_null(strstr(error, "name.invalid: "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_are_read),
        cmocka_unit_test(test_a_connection_is_kept_and_made_anew_when_it_was_lost),
        cmocka_unit_test(test_it_says_who_it_is),
        cmocka_unit_test(test_bad_servers),
        cmocka_unit_test(test_one_that_is_not_there),
        cmocka_unit_test(test_waiting_for_messages),
        cmocka_unit_test(test_what_nobody_waits_for_goes_before_the_next_command),
        cmocka_unit_test(test_who_connects_by_hand_knows_which_server_he_asks),
        cmocka_unit_test(test_a_server_says_which_one_it_is),
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_addresses_need_no_name_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
