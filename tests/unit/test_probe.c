/* esnctl doctor's look at a stream that stays open: it ends when what it waits for is there. The web
 * server is played in between, whenever the look waits; linked with -Wl,--wrap=curl_multi_poll. */
#include "doctor/probe.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { LIMIT_MS = 60 * 1000 };

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nconnected";

static struct {
    int listener, connection; /* -1: none yet */
    struct probe probe;
    const char *waits_for;
} scene;

CURLMcode __wrap_curl_multi_poll(CURLM *multi, struct curl_waitfd *more, unsigned count, int ms,
                                 int *ready);
CURLMcode __real_curl_multi_poll(CURLM *multi, struct curl_waitfd *more, unsigned count, int ms,
                                 int *ready);

CURLMcode __wrap_curl_multi_poll(CURLM *multi, struct curl_waitfd *more, unsigned count, int ms,
                                 int *ready)
{
    const char *body = bytes_terminate(&scene.probe.body);
    assert_true(body == NULL || strstr(body, scene.waits_for) == NULL);
    if (scene.connection < 0) {
        scene.connection = accept4(scene.listener, NULL, NULL, SOCK_CLOEXEC);
        if (scene.connection >= 0)
            assert_int_equal(write(scene.connection, answer, strlen(answer)), strlen(answer));
    }
    return __real_curl_multi_poll(multi, more, count, ms, ready);
}

static int open_server(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    static char url[64];
    scene.connection = -1;
    scene.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (scene.listener < 0 || bind(scene.listener, (struct sockaddr *)&address, size) != 0 ||
        listen(scene.listener, 1) != 0 ||
        getsockname(scene.listener, (struct sockaddr *)&address, &size) != 0)
        return -1;
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/", ntohs(address.sin_port));
    *state = url;
    return 0;
}

static int close_server(void **state)
{
    (void)state;
    probe_close(&scene.probe);
    (void)close(scene.connection);
    (void)close(scene.listener);
    return 0;
}

static void what_is_there_is_not_waited_for(void **state)
{
    const struct probe_request request = {.url = *state};
    scene.waits_for = "connected";
    probe_open(&scene.probe, &request);
    assert_true(probe_until(&scene.probe, scene.waits_for, LIMIT_MS));
    assert_false(scene.probe.ended);
    assert_int_equal(scene.probe.status, 200);
    assert_true(probe_until(&scene.probe, NULL, LIMIT_MS)); /* the head too, at once */
}

/* The kernel takes the connection, and nobody ever says anything on it. */
static void who_says_nothing_is_waited_for_no_longer_than_asked(void **state)
{
    const struct probe_request request = {.url = *state, .body = "GET / HTTP/1.1\r\n\r\n"};
    probe_open_raw(&scene.probe, &request);
    (void)alarm(LIMIT_MS / 1000);
    assert_false(probe_until_raw(&scene.probe, "connected", 1));
    (void)alarm(0);
    assert_false(scene.probe.ended);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_there_is_not_waited_for, open_server, close_server),
        cmocka_unit_test_setup_teardown(who_says_nothing_is_waited_for_no_longer_than_asked,
                                        open_server, close_server)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
