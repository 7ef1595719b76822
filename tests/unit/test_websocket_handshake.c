#include "transports/websocket_handshake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static const struct http_limits limits = {4000, 100, NULL};

#define UPGRADE "Upgrade: websocket\r\n"
#define CONNECTION "Connection: Upgrade\r\n"
#define VERSION_13 "Sec-WebSocket-Version: 13\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

static void check_request(const char *text, struct websocket_handshake *handshake)
{
    struct http_request *request = http_request_new(&limits);
    size_t consumed;

    assert_non_null(request);
    assert_int_equal(http_request_feed(request, text, strlen(text), &consumed), HTTP_COMPLETE);
    /* What follows the head belongs to the WebSocket. */
    assert_int_equal(consumed, strstr(text, "\r\n\r\n") + 4 - text);
    websocket_handshake_check(request, handshake);
    http_request_free(&request);
}

static void check_headers(const char *headers, struct websocket_handshake *handshake)
{
    char text[1024];

    (void)snprintf(text, sizeof text, "GET /ws?ep=a HTTP/1.1\r\nHost: h\r\n%s\r\n\x81\x80",
                   headers);
    check_request(text, handshake);
}

static void is_accepted(const char *headers)
{
    struct websocket_handshake handshake;

    check_headers(headers, &handshake);
    if (handshake.status != 101)
        fail_msg("%d %s: %s", handshake.status, handshake.reason, headers);
    /* RFC 6455, section 1.3, has this pair. */
    assert_string_equal(handshake.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_string_equal(handshake.reason, "");
    assert_string_equal(handshake.header, "");
}

static void good_requests_are_accepted(void **state)
{
    (void)state;
    is_accepted(UPGRADE CONNECTION VERSION_13 KEY);
    is_accepted("upgrade: WebSocket\r\nconnection: keep-alive, upgrade\r\n" VERSION_13 KEY);
    is_accepted(
        "Connection: keep-alive\r\nConnection: ,Upgrade ,x\r\nUpgrade: h2c\r\n" UPGRADE VERSION_13
            KEY);
    is_accepted(UPGRADE CONNECTION VERSION_13 KEY
                "Origin: https://elsewhere\r\n"
                "Sec-WebSocket-Protocol: chat\r\n"
                "Sec-WebSocket-Extensions: permessage-deflate\r\n");
}

static void is_refused(const char *headers, int status, const char *reason)
{
    struct websocket_handshake handshake;

    check_headers(headers, &handshake);
    assert_int_equal(handshake.status, status);
    assert_string_equal(handshake.reason, reason);
    if (status == 426)
        assert_non_null(strstr(handshake.header, "Sec-WebSocket-Version: 13"));
    else
        assert_string_equal(handshake.header, "");
}

static void bad_requests_are_refused(void **state)
{
    static const char key[] = "Sec-WebSocket-Key should be 16 bytes in base64";
    static const char version[] = "Sec-WebSocket-Version should be 13";

    (void)state;
    is_refused("", 426, "This is a WebSocket");
    is_refused(CONNECTION VERSION_13 KEY, 426, "This is a WebSocket");
    is_refused("Upgrade: websockets\r\n" CONNECTION VERSION_13 KEY, 426, "This is a WebSocket");
    is_refused(UPGRADE VERSION_13 KEY, 400, "Connection should say Upgrade");
    is_refused(UPGRADE "Connection: close\r\n" VERSION_13 KEY, 400,
               "Connection should say Upgrade");
    is_refused(UPGRADE CONNECTION KEY, 426, version);
    is_refused(UPGRADE CONNECTION KEY "Sec-WebSocket-Version: 8\r\n", 426, version);
    is_refused(UPGRADE CONNECTION KEY "Sec-WebSocket-Version: 013\r\n", 426, version);
    is_refused(UPGRADE CONNECTION KEY VERSION_13 VERSION_13, 426, version);
    is_refused(UPGRADE CONNECTION VERSION_13, 400, key);
    is_refused(UPGRADE CONNECTION VERSION_13 KEY KEY, 400, key);
    is_refused(UPGRADE CONNECTION VERSION_13 "Sec-WebSocket-Key:\r\n", 400, key);
    is_refused(UPGRADE CONNECTION VERSION_13 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ\r\n", 400,
               key);
    is_refused(UPGRADE CONNECTION VERSION_13 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQA=\r\n", 400,
               key);
    is_refused(UPGRADE CONNECTION VERSION_13 "Sec-WebSocket-Key: dGhlIHNhbXBs*SBub25jZQ==\r\n", 400,
               key);
    is_refused(UPGRADE CONNECTION VERSION_13
               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZSBhbmQgbW9yZQ==\r\n",
               400, key);
}

static void old_http_is_refused(void **state)
{
    struct websocket_handshake handshake;

    (void)state;
    check_request("GET /ws HTTP/1.0\r\n" UPGRADE CONNECTION VERSION_13 KEY "\r\n", &handshake);
    assert_int_equal(handshake.status, 400);
    assert_string_equal(handshake.reason, "WebSocket needs HTTP/1.1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_requests_are_accepted),
        cmocka_unit_test(bad_requests_are_refused),
        cmocka_unit_test(old_http_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
