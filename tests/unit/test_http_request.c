#include "http/http_request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_HEADERS = 600, MAX_BODY = 40 };

static const struct http_limits limits = {MAX_HEADERS, MAX_BODY, NULL};

/* What a row of the table expects. */
struct expected {
    const char *bytes;
    size_t length;
    enum http_verdict verdict;
    int status;         /* of HTTP_REFUSED */
    const char *path;   /* of HTTP_COMPLETE, like all that follows */
    const char *body;   /* NULL: none */
    size_t left_over;   /* bytes of the next request */
    const char *header; /* "name=value" of one header, or NULL */
    enum http_request_method method;
    bool closes, is_1_0;
};

#define TEXT(text) .bytes = (text), .length = sizeof(text) - 1
#define COMPLETE .verdict = HTTP_COMPLETE
#define REFUSED(number) .verdict = HTTP_REFUSED, .status = (number)
#define MORE .verdict = HTTP_NEED_MORE
#define GET .method = HTTP_METHOD_GET
#define POST .method = HTTP_METHOD_POST
#define CHUNKED "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"

static const struct expected good[] = {
    {TEXT("GET / HTTP/1.1\r\nHost:\r\n\r\n"), COMPLETE, GET, .path = "/", .header = "host="},
    {TEXT("GET / HTTP/1.1\r\nhost: [::1]:8010\r\n\r\n"), COMPLETE, GET, .path = "/",
     .header = "Host=[::1]:8010"},
    {TEXT("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), COMPLETE, GET, .path = "/"},
    {TEXT("HEAD /state HTTP/1.1\r\nHost: h\r\n\r\n"), COMPLETE, .method = HTTP_METHOD_HEAD,
     .path = "/state"},
    {TEXT("SUBSCRIBE /x HTTP/1.1\r\nHost: h\r\n\r\n"), COMPLETE, .method = HTTP_METHOD_OTHER,
     .path = "/x"},
    {TEXT("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"), COMPLETE, .method = HTTP_METHOD_OPTIONS,
     .path = "*", .header = "HOST=h"},
    {TEXT("\r\n\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n"), COMPLETE, GET, .path = "/a"},
    {TEXT("GET http://host:1/p?q#f HTTP/1.1\r\nHost: h\r\n\r\n"), COMPLETE, GET, .path = "/p"},
    {TEXT("GET https://[::1]/?q HTTP/1.1\r\nHost: h\r\n\r\n"), COMPLETE, GET, .path = "/"},
    {TEXT("GET /p#f?q HTTP/1.1\r\nHost: h\r\n\r\n"), COMPLETE, GET, .path = "/p"},
    {TEXT("GET /p#f HTTP/1.1\r\nHost: h\r\n\r\n"), COMPLETE, GET, .path = "/p"},
    {TEXT("GET //p/../q HTTP/1.1\r\nHost: h\r\n\r\n"), COMPLETE, GET, .path = "//p/../q"},
    {TEXT("GET /%00%2f HTTP/1.1\r\nHost: h\r\n\r\n"), COMPLETE, GET, .path = "/%00%2f"},
    {TEXT("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), COMPLETE, GET, .path = "/",
     .closes = true},
    {TEXT("GET / HTTP/1.0\r\n\r\n"), COMPLETE, GET, .path = "/", .closes = true, .is_1_0 = true},
    {TEXT("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), COMPLETE, GET, .path = "/",
     .is_1_0 = true},
    {TEXT("GET / HTTP/1.1\r\nHost: h\r\nA: \t b c \t \r\n\r\n"), COMPLETE, GET, .path = "/",
     .header = "A=b c"},
    {TEXT("GET / HTTP/1.1\r\nHost: h\r\nA: b\tc\r\n\r\n"), COMPLETE, GET, .path = "/",
     .header = "A=b\tc"},
    {TEXT("GET / HTTP/1.1\r\nHost: h\r\nA:\r\nB:   \r\nC: d\r\n\r\n"), COMPLETE, GET, .path = "/",
     .header = "b="},
    {TEXT("GET / HTTP/1.1\r\nHost: h\r\nA: \xe9\xff\r\n\r\n"), COMPLETE, GET, .path = "/",
     .header = "a=\xe9\xff"},
    {TEXT("GET / HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\n\r\n"), COMPLETE, GET, .path = "/",
     .left_over = 19},
    {TEXT("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcPOST"), COMPLETE, POST,
     .path = "/", .body = "abc", .left_over = 4},
    {TEXT("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3 \r\n\r\nabc"), COMPLETE, POST,
     .path = "/", .body = "abc", .header = "content-length=3"},
    {TEXT("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"), COMPLETE, POST, .path = "/"},
    {TEXT("POST / HTTP/1.1\r\nHost: h\r\n\r\n"), COMPLETE, POST, .path = "/"},
    {TEXT("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: "
          "40\r\n\r\n0123456789012345678901234567890123456789"),
     COMPLETE, POST, .path = "/", .body = "0123456789012345678901234567890123456789"},
    {TEXT(CHUNKED "3\r\nabc\r\n0\r\n\r\n"), COMPLETE, POST, .path = "/", .body = "abc"},
    {TEXT(CHUNKED "0\r\n\r\nGET"), COMPLETE, POST, .path = "/", .left_over = 3},
    {TEXT(CHUNKED "1\r\na\r\n01;x=\"y\"\r\nb\r\n00001\r\nc\r\n0\r\nTrail: er\r\n\r\nGET"), COMPLETE,
     POST, .path = "/", .body = "abc", .left_over = 3},
    {TEXT(CHUNKED "1;a;b=\"c;d\";e\r\na\r\n0;g\r\n\r\n"), COMPLETE, POST, .path = "/", .body = "a"},
    {TEXT(CHUNKED "28\r\n0123456789012345678901234567890123456789\r\n0\r\n\r\n"), COMPLETE, POST,
     .path = "/", .body = "0123456789012345678901234567890123456789"},
    {TEXT("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked \r\n\r\n1\r\na\r\n0\r\n\r\n"),
     COMPLETE, POST, .path = "/", .body = "a"},
    /* Who offers another protocol is served in this one. */
    {TEXT("POST / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
          "Content-Length: 3\r\n\r\nabcGET"),
     COMPLETE, POST, .path = "/", .body = "abc", .left_over = 3},
    {TEXT("POST / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: "
          "chunked\r\n"
          "\r\n3\r\nabc\r\n0\r\n\r\nGET"),
     COMPLETE, POST, .path = "/", .body = "abc", .left_over = 3},
    {TEXT("GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nGET"),
     COMPLETE, GET, .path = "/", .left_over = 3},
    {TEXT("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc"),
     COMPLETE, POST, .path = "/", .body = "abc"},
    {TEXT("GET / HTTP/1.1"), MORE},
    {TEXT("\r\n\r\n\r\n"), MORE},
    {TEXT("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nab"), MORE},
    {TEXT(CHUNKED "3\r\nabc\r\n0\r\n"), MORE},
};

static const struct expected bad[] = {
    /* Whose request it is must have one answer only. */
    {TEXT("GET / HTTP/1.1\r\n\r\n"), REFUSED(400)},
    {TEXT("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), REFUSED(400)},
    {TEXT("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"), REFUSED(400)},
    {TEXT("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), REFUSED(400)},
    {TEXT("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), REFUSED(400)},
    {TEXT("GET / HTTP/1.1\r\nHost: user@a\r\n\r\n"), REFUSED(400)},
    /* Where the body ends must have one answer only. */
    {TEXT("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"),
     REFUSED(400)},
    {TEXT("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"),
     REFUSED(400)},
    {TEXT("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
     REFUSED(400)},
    {TEXT("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
     REFUSED(400)},
    {TEXT("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3, 3\r\n\r\nabc"), REFUSED(400)},
    {TEXT("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3 3\r\n\r\nabc"), REFUSED(400)},
    {TEXT("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n 4\r\n\r\nabc"), REFUSED(400)},
    {TEXT("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +3\r\n\r\nabc"), REFUSED(400)},
    {TEXT("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -3\r\n\r\nabc"), REFUSED(400)},
    {TEXT("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0x3\r\n\r\nabc"), REFUSED(400)},
    {TEXT("POST / HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\nabc"), REFUSED(400)},
    {TEXT("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 18446744073709551616\r\n\r\n"),
     REFUSED(400)},
    {TEXT("POST / HTTP/1.1\r\nHost: h\r\nContent-Length : 3\r\n\r\nabc"), REFUSED(400)},
    {TEXT("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding : chunked\r\n\r\n"), REFUSED(400)},
    {TEXT("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), REFUSED(400)},
    {TEXT("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"), REFUSED(501)},
    {TEXT("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, identity\r\n\r\n"),
     REFUSED(400)},
    {TEXT("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n"), REFUSED(501)},
    {TEXT("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
          "chunked\r\n\r\n"),
     REFUSED(400)},
    {TEXT("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nA: b\r\nTransfer-Encoding: "
          "gzip\r\n\r\n"),
     REFUSED(400)},
    {TEXT(CHUNKED "-3\r\nabc"), REFUSED(400)},
    {TEXT(CHUNKED "3\nabc"), REFUSED(400)},
    {TEXT(CHUNKED "g\r\nabc"), REFUSED(400)},
    {TEXT(CHUNKED "3\r\nabcd\r\n0\r\n\r\n"), REFUSED(400)},
    {TEXT(CHUNKED "ffffffffffffffffff\r\nabc"), REFUSED(400)},
    {TEXT(CHUNKED "3;a=b\nabc\r\n0\r\n\r\n"), REFUSED(400)},
    {TEXT(CHUNKED "3;a\nb\r\nabc\r\n0\r\n\r\n"), REFUSED(400)},
    {TEXT(CHUNKED "3;a\rb\r\nabc\r\n0\r\n\r\n"), REFUSED(400)},
    {TEXT(CHUNKED "3;a=\"b\0\"\r\nabc\r\n0\r\n\r\n"), REFUSED(400)},
    {TEXT(CHUNKED "3\rabc\r\n0\r\n\r\n"), REFUSED(400)},
    {TEXT(CHUNKED "3\r\nabc\n0\r\n\r\n"), REFUSED(400)},
    {TEXT(CHUNKED "3\r\nabc\r0\r\n\r\n"), REFUSED(400)},
    {TEXT(CHUNKED "3\r\nabc0\r\n\r\n"), REFUSED(400)},
    {TEXT(CHUNKED "3\r\nabcxy0\r\n\r\n"), REFUSED(400)},
    {TEXT(CHUNKED "3\r\nab\r\n0\r\n\r\n"), REFUSED(400)},
    {TEXT(CHUNKED "3 \r\nabc\r\n0\r\n\r\n"), REFUSED(400)},
    {TEXT(CHUNKED " 3\r\nabc\r\n0\r\n\r\n"), REFUSED(400)},
    {TEXT(CHUNKED ";a=b\r\n\r\n"), REFUSED(400)},
    {TEXT(CHUNKED "\r\n3\r\nabc\r\n0\r\n\r\n"), REFUSED(400)},
    {TEXT(CHUNKED "10000000000000003\r\nabc\r\n0\r\n\r\n"), REFUSED(400)},
    {TEXT(CHUNKED "0\n\r\n"), REFUSED(400)},
    {TEXT(CHUNKED "0\r\n\n"), REFUSED(400)},
    {TEXT(CHUNKED "0\r\nA: b\n\r\n"), REFUSED(400)},
    /* Malformed heads. */
    {TEXT("GET /p?q=1 HTTP/1.1\nHost: h\nA: b\n\n"), REFUSED(400)},
    {TEXT("GET / HTTP/1.1\r\nHost: h\nA: b\r\n\r\n"), REFUSED(400)},
    {TEXT("GET / HTTP/1.1\r\nHost: h\r\n\n"), REFUSED(400)},
    {TEXT("GET / HTTP/1.1\r\nHost: h\r\n\rGET / HTTP/1.1\r\nHost: h\r\n\r\n"), REFUSED(400)},
    {TEXT("GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n"), REFUSED(400)},
    {TEXT("GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n\tc\r\n\r\n"), REFUSED(400)},
    {TEXT("GET / HTTP/1.1\r\n : b\r\nHost: h\r\n\r\n"), REFUSED(400)},
    {TEXT("GET / HTTP/1.1\r\n: b\r\nHost: h\r\n\r\n"), REFUSED(400)},
    {TEXT("GET / HTTP/1.1\r\nHost: h\r\n:\r\n\r\n"), REFUSED(400)},
    {TEXT(CHUNKED "0\r\n: b\r\n\r\n"), REFUSED(400)},
    {TEXT(" GET / HTTP/1.1\r\nHost: h\r\n\r\n"), REFUSED(400)},
    {TEXT("\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"), REFUSED(400)},
    {TEXT("GET / HTTP/1.1\r\nHost: h\r\nA b: c\r\n\r\n"), REFUSED(400)},
    {TEXT("GET / HTTP/1.1\r\nHost: h\r\n A: b\r\n\r\n"), REFUSED(400)},
    {TEXT("GET / HTTP/1.1\r\nHost: h\r\n: b\r\n\r\n"), REFUSED(400)},
    {TEXT("GET / HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n"), REFUSED(400)},
    {TEXT("GET / HTTP/1.1\r\nHost: h\r\nA: b\rc\r\n\r\n"), REFUSED(400)},
    {TEXT("GET / HTTP/1.1\r\nHost: h\r\nA: b\0c\r\n\r\n"), REFUSED(400)},
    {TEXT("GET / HTTP/1.1\r\nHost: h\r\nA: \0b\r\nC: d\r\n\r\n"), REFUSED(400)},
    {TEXT("GET / HTTP/1.1\r\nHost: h\r\nA:\0\r\n\r\n"), REFUSED(400)},
    {TEXT("GET / HTTP/1.1\r\nHost: h\r\nA: \x01\r\n\r\n"), REFUSED(400)},
    {TEXT("GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n \0c\r\n\r\n"), REFUSED(400)},
    {TEXT("GET / HTTP/1.1\r\nHost: h\r\nA\0: b\r\n\r\n"), REFUSED(400)},
    {TEXT("GET / HTTP/1.1\r\nHost: h\r\nA: b\x01\r\n\r\n"), REFUSED(400)},
    {TEXT("GET /a\0b HTTP/1.1\r\nHost: h\r\n\r\n"), REFUSED(400)},
    {TEXT("GET /a\tb HTTP/1.1\r\nHost: h\r\n\r\n"), REFUSED(400)},
    {TEXT("GET /a\fb HTTP/1.1\r\nHost: h\r\n\r\n"), REFUSED(400)},
    {TEXT("GET /\xc3\xa4 HTTP/1.1\r\nHost: h\r\n\r\n"), REFUSED(400)},
    {TEXT("GET /?\xc3\xa4 HTTP/1.1\r\nHost: h\r\n\r\n"), REFUSED(400)},
    {TEXT("GET /a\x7f HTTP/1.1\r\nHost: h\r\n\r\n"), REFUSED(400)},
    {TEXT("GET ** HTTP/1.1\r\nHost: h\r\n\r\n"), REFUSED(400)},
    {TEXT("GET http:///p HTTP/1.1\r\nHost: h\r\n\r\n"), REFUSED(400)},
    {TEXT("GET http://u@h/p HTTP/1.1\r\nHost: h\r\n\r\n"), REFUSED(400)},
    {TEXT("GET http://h?/p HTTP/1.1\r\nHost: h\r\n\r\n"), REFUSED(400)},
    {TEXT("GET http:/p HTTP/1.1\r\nHost: h\r\n\r\n"), REFUSED(400)},
    {TEXT("GET foo HTTP/1.1\r\nHost: h\r\n\r\n"), REFUSED(400)},
    {TEXT("GET http://host HTTP/1.1\r\nHost: h\r\n\r\n"), REFUSED(400)},
    {TEXT("GET / http/1.1\r\n\r\n"), REFUSED(400)},
    {TEXT("CONNECT host:1 HTTP/1.1\r\nHost: h\r\n\r\n"), REFUSED(400)},
    {TEXT("get / HTTP/1.1\r\nHost: h\r\n\r\n"), REFUSED(400)},
    {TEXT("GETGETGETGETGETGETGETGETGETGETGETGETGET / HTTP/1.1\r\nHost: h\r\n\r\n"), REFUSED(400)},
    {TEXT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), REFUSED(400)},
    {TEXT("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), REFUSED(400)},
    {TEXT("\0"), REFUSED(400)},
    {TEXT("GET /\r\n\r\n"), REFUSED(505)},
    {TEXT("GET / HTTP/0.9\r\n\r\n"), REFUSED(505)},
    {TEXT("GET / HTTP/2.0\r\n\r\n"), REFUSED(505)},
    {TEXT("GET / HTTP/11.1\r\n\r\n"), REFUSED(505)},
    {TEXT("GET / HTTP/1.1\r\nHost: h\r\nA: some value that is longer than a word\x7f\r\n\r\n"),
     REFUSED(400)},
    {TEXT("GET / HTTP/1.1\r\nHost: h\r\nA:\x7f\r\n\r\n"), REFUSED(400)},
    {TEXT(CHUNKED "0\r\nA: b\x01\r\n\r\n"), REFUSED(400)},
    /* Limits. */
    {TEXT("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 41\r\n\r\n"), REFUSED(413)},
    {TEXT("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 18446744073709551614\r\n\r\n"),
     REFUSED(413)},
    {TEXT(CHUNKED "28\r\n0123456789012345678901234567890123456789\r\n1\r\nx\r\n"), REFUSED(413)},
    {TEXT(CHUNKED "29\r\n01234567890123456789012345678901234567890\r\n"), REFUSED(413)},
};

/* Feeds `bytes` in pieces of `first`, then of `piece` bytes, and never anything after a verdict. */
static enum http_verdict feed(struct http_request *request, const char *bytes, size_t length,
                              size_t first, size_t piece, size_t *used)
{
    enum http_verdict verdict = HTTP_NEED_MORE;
    size_t next = first, consumed;

    for (*used = 0; *used < length && verdict == HTTP_NEED_MORE; next = piece) {
        /* A copy without neighbours, so that reading past the piece is caught. */
        size_t size = next < length - *used ? next : length - *used;
        char *copy = malloc(size);
        assert_non_null(copy);
        memcpy(copy, bytes + *used, size);
        verdict = http_request_feed(request, copy, size, &consumed);
        free(copy);
        if (verdict == HTTP_NEED_MORE)
            assert_int_equal(consumed, size);
        assert_true(consumed <= size);
        *used += consumed;
    }
    return verdict;
}

/* The value of the first header of this name, whether or not it means anything here. */
static const char *find_kept(const struct http_request *request, const char *name)
{
    size_t length;
    const char *at = http_request_headers(request, &length), *end = at + length;

    while (at < end) {
        const char *value = at + strlen(at) + 1;
        if (strcasecmp(at, name) == 0)
            return value;
        at = value + strlen(value) + 1;
    }
    return NULL;
}

static void check_complete(struct http_request *request, const struct expected *row, size_t used)
{
    const char *body = row->body != NULL ? row->body : "";
    char name[32];
    size_t length;
    const char *text = http_request_body(request, &length);

    assert_int_equal(length, strlen(body));
    assert_memory_equal(text, body, length);
    assert_int_equal(http_request_method(request), row->method);
    assert_string_equal(http_request_path(request), row->path);
    assert_int_equal(row->length - used, row->left_over);
    assert_int_equal(http_request_keep_alive(request), !row->closes);
    assert_int_equal(http_request_is_1_1(request), !row->is_1_0);
    if (row->header != NULL) {
        const char *equals = strchr(row->header, '=');
        (void)snprintf(name, sizeof name, "%.*s", (int)(equals - row->header), row->header);
        assert_non_null(find_kept(request, name));
        assert_string_equal(find_kept(request, name), equals + 1);
    }
}

static void check_row(const struct expected *row, size_t first, size_t piece)
{
    struct http_request *request = http_request_new(&limits);
    size_t used;

    assert_non_null(request);
    enum http_verdict verdict = feed(request, row->bytes, row->length, first, piece, &used);
    if (verdict != row->verdict)
        fail_msg("verdict %d, not %d, in pieces of %zu, then %zu: %s", (int)verdict,
                 (int)row->verdict, first, piece, row->bytes);
    if (verdict == HTTP_COMPLETE)
        check_complete(request, row, used);
    if (verdict == HTTP_REFUSED) {
        if (http_request_status(request) != row->status)
            fail_msg("status %d, not %d: %s", http_request_status(request), row->status,
                     row->bytes);
        assert_true(strlen(http_request_reason(request)) > 0);
    }
    http_request_free(&request);
    assert_null(request);
}

static void check_table(const struct expected *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        check_row(&rows[i], rows[i].length, rows[i].length);
        for (size_t split = 1; split < rows[i].length; split++)
            check_row(&rows[i], split, rows[i].length);
        for (size_t piece = 1; piece < 5; piece++)
            check_row(&rows[i], piece, piece);
    }
}

static void good_requests_are_read_however_they_are_cut(void **state)
{
    (void)state;
    check_table(good, sizeof good / sizeof *good);
}

static void bad_requests_are_refused_however_they_are_cut(void **state)
{
    (void)state;
    check_table(bad, sizeof bad / sizeof *bad);
}

/* Builds a request out of a head, `count` times `filler`, and a tail. */
static void check_filled(const char *head, const char *filler, size_t count, const char *tail,
                         enum http_verdict verdict, int status)
{
    struct bytes bytes = BYTES_EMPTY;
    struct expected row = {.verdict = verdict, .status = status, .path = "/"};

    bytes_append_text(&bytes, head);
    for (size_t i = 0; i < count; i++)
        bytes_append_text(&bytes, filler);
    bytes_append_text(&bytes, tail);
    assert_false(bytes.failed);
    row.bytes = bytes_terminate(&bytes);
    row.length = bytes.length;
    check_row(&row, row.length, row.length);
    check_row(&row, 1, 1);
    check_row(&row, row.length / 2, row.length);
    bytes_free(&bytes);
}

static void heads_over_the_limit_are_refused(void **state)
{
    (void)state;
    check_filled("GET / HTTP/1.1\r\nHost: h\r\nA: ", "x", MAX_HEADERS - 30, "\r\n\r\n",
                 HTTP_COMPLETE, 0);
    check_filled("GET / HTTP/1.1\r\nHost: h\r\nA: ", "x", MAX_HEADERS, "\r\n\r\n", HTTP_REFUSED,
                 431);
    check_filled("GET / HTTP/1.1\r\nHost: h\r\n", "x", MAX_HEADERS + 1, ": y\r\n\r\n", HTTP_REFUSED,
                 431);
    check_filled("GET /", "x", MAX_HEADERS, " HTTP/1.1\r\nHost: h\r\n\r\n", HTTP_REFUSED, 431);
    /* Many small ones, which hold more memory than bytes. */
    check_filled("GET / HTTP/1.1\r\nHost: h\r\n", "a:\r\n", MAX_HEADERS / 4, "\r\n", HTTP_REFUSED,
                 431);
    /* Trailers and extensions of chunks count as well. */
    check_filled(CHUNKED "1;a", "xxxxxxxx", MAX_HEADERS / 8, "\r\na\r\n0\r\n\r\n", HTTP_REFUSED,
                 431);
    check_filled(CHUNKED "1;a=", "xxxxxxxx", MAX_HEADERS / 8, "\r\na\r\n0\r\n\r\n", HTTP_REFUSED,
                 431);
    check_filled(CHUNKED "0\r\n", "A: xxxxxxxx\r\n", MAX_HEADERS / 8, "\r\n", HTTP_REFUSED, 431);
}

static void long_targets_are_read_whole(void **state)
{
    enum { LENGTH = 65536 + 6 }; /* what 16 bits would take for "/state" */
    const struct http_limits wide = {1 << 20, MAX_BODY, NULL};
    struct http_request *request = http_request_new(&wide);
    struct bytes bytes = BYTES_EMPTY;
    size_t used;

    (void)state;
    bytes_append_text(&bytes, "GET /state");
    while (bytes.length < sizeof "GET " - 1 + LENGTH)
        bytes_append_text(&bytes, "x");
    bytes_append_text(&bytes, " HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_equal(feed(request, bytes.data, bytes.length, bytes.length, 1, &used),
                     HTTP_COMPLETE);
    assert_int_equal(strlen(http_request_path(request)), LENGTH);
    http_request_free(&request);
    bytes_free(&bytes);
}

static void an_expectation_is_taken_once(void **state)
{
    static const char head[] = "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\n"
                               "Content-Length: 3\r\n\r\n";
    struct http_request *request = http_request_new(&limits);
    size_t used;

    (void)state;
    assert_int_equal(feed(request, head, sizeof head - 2, 1, 1, &used), HTTP_NEED_MORE);
    assert_false(http_request_take_expectation(request));
    assert_false(http_request_head_is_complete(request));
    assert_int_equal(http_request_feed(request, "\n", 1, &used), HTTP_NEED_MORE);
    assert_true(http_request_head_is_complete(request));
    assert_true(http_request_take_expectation(request));
    assert_false(http_request_take_expectation(request));
    http_request_free(&request);
}

static void nothing_is_expected_by_old_clients_or_once_the_body_comes(void **state)
{
    static const char old[] = "POST / HTTP/1.0\r\nExpect: 100-continue\r\n"
                              "Content-Length: 3\r\n\r\n";
    static const char begun[] = "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                                "Content-Length: 3\r\n\r\na";
    struct http_request *request = http_request_new(&limits);
    size_t used;

    (void)state;
    assert_int_equal(feed(request, old, sizeof old - 1, 1, 1, &used), HTTP_NEED_MORE);
    assert_false(http_request_take_expectation(request));
    http_request_free(&request);
    request = http_request_new(&limits);
    assert_int_equal(feed(request, begun, sizeof begun - 1, sizeof begun, 1, &used),
                     HTTP_NEED_MORE);
    assert_false(http_request_take_expectation(request));
    http_request_free(&request);
}

/* Those that never become whole keep nobody out. */
static void of_all_bodies_together_the_oldest_gives_way(void **state)
{
    static const char text[] = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 20\r\n\r\n0123456789";
    static const char chunked[] =
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n";
    struct input_budget bodies = {.most = 25};
    const struct http_limits shared = {MAX_HEADERS, MAX_BODY, &bodies};
    struct http_request *one = http_request_new(&shared), *two = http_request_new(&shared),
                        *three = http_request_new(&shared);
    size_t used;

    (void)state;
    assert_int_equal(http_request_feed(one, chunked, sizeof chunked - 1, &used), HTTP_NEED_MORE);
    assert_int_equal(http_request_feed(two, text, sizeof text - 1, &used), HTTP_NEED_MORE);
    assert_int_equal(bodies.used, 20);
    assert_int_equal(http_request_feed(three, text, sizeof text - 1, &used), HTTP_NEED_MORE);
    assert_int_equal(bodies.used, 20);
    assert_int_equal(bodies.given_up, 1);
    assert_int_equal(http_request_feed(one, "0\r\n\r\n", 5, &used), HTTP_REFUSED);
    assert_int_equal(http_request_status(one), 503);
    assert_int_equal(http_request_feed(three, text + sizeof text - 11, 10, &used), HTTP_COMPLETE);
    assert_int_equal(http_request_feed(two, text + sizeof text - 11, 10, &used), HTTP_REFUSED);
    assert_int_equal(http_request_status(two), 503);
    assert_int_equal(bodies.used, 20);
    http_request_free(&three);
    assert_int_equal(bodies.used, 0);
    http_request_free(&one);
    http_request_free(&two);
}

/* One that does not fit by itself pushes nobody out for nothing. */
static void a_body_larger_than_all_room_is_refused(void **state)
{
    static const char text[] = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 30\r\n\r\n"
                               "012345678901234567890123456789";
    struct input_budget bodies = {.most = 25};
    const struct http_limits shared = {MAX_HEADERS, MAX_BODY, &bodies};
    struct http_request *one = http_request_new(&shared), *large = http_request_new(&shared);
    size_t used;

    (void)state;
    assert_int_equal(http_request_feed(one, text, sizeof text - 11, &used), HTTP_NEED_MORE);
    assert_int_equal(http_request_feed(large, text, sizeof text - 1, &used), HTTP_REFUSED);
    assert_int_equal(http_request_status(large), 503);
    assert_int_equal(bodies.used, 20);
    assert_int_equal(bodies.given_up, 0);
    http_request_free(&one);
    http_request_free(&large);
    assert_int_equal(bodies.used, 0);
}

static void it_has_begun_with_the_first_byte(void **state)
{
    struct http_request *request = http_request_new(&limits);
    size_t used;

    (void)state;
    assert_false(http_request_has_begun(request));
    assert_int_equal(http_request_feed(request, "", 0, &used), HTTP_NEED_MORE);
    assert_false(http_request_has_begun(request));
    assert_int_equal(http_request_feed(request, "\r", 1, &used), HTTP_NEED_MORE);
    assert_true(http_request_has_begun(request));
    http_request_free(&request);
}

/* Reads a parameter of a GET request with this target. NULL: there is none. */
static void check_query(const char *target, const char *name, const char *value, size_t length)
{
    struct http_request *request = http_request_new(&limits);
    struct bytes line = BYTES_EMPTY, found = BYTES_EMPTY;
    size_t used;

    bytes_append_format(&line, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", target);
    assert_int_equal(http_request_feed(request, line.data, line.length, &used), HTTP_COMPLETE);
    bool has = http_request_query(request, name, &found);
    if (has != (value != NULL))
        fail_msg("%s in %s: %d", name, target, has);
    if (value != NULL) {
        assert_int_equal(found.length, length);
        assert_memory_equal(found.data, value, length);
    }
    bytes_free(&line);
    bytes_free(&found);
    http_request_free(&request);
}

static void query_parameters_are_decoded(void **state)
{
    (void)state;
    check_query("/?a=b", "a", "b", 1);
    check_query("/?a=b&c=d#e", "c", "d", 1);
    check_query("/?aa=b&a=c", "a", "c", 1);
    check_query("/?a=1&a=2", "a", "1", 1);
    check_query("/?a", "a", "", 0);
    check_query("/?a=", "a", "", 0);
    check_query("/?&&a=b=c&", "a", "b=c", 3);
    check_query("/?a=%2B+%00%c3%A9", "a", "+ \0\xc3\xa9", 5);
    check_query("/", "a", NULL, 0);
    check_query("/?", "a", NULL, 0);
    check_query("/?b=a", "a", NULL, 0);
    check_query("/?a=%", "a", NULL, 0);
    check_query("/?a=%4", "a", NULL, 0);
    check_query("/?a=%4&b", "a", NULL, 0);
    check_query("/?a=%4g", "a", NULL, 0);
    check_query("/?a=%-1", "a", NULL, 0);
    check_query("/?a=x%41", "a", "xA", 2);
}

static void headers_are_kept_in_order_and_whole(void **state)
{
    static const char bytes[] = "GET / HTTP/1.1\r\nHost: h\r\nB: 1\r\na: 2\r\nb: 3\r\n\r\n";
    static const char kept[] = "Host\0h\0B\0001\0a\0002\0b\0003";
    struct http_request *request = http_request_new(&limits);
    size_t used, length;

    (void)state;
    assert_int_equal(feed(request, bytes, sizeof bytes - 1, 1, 1, &used), HTTP_COMPLETE);
    const char *headers = http_request_headers(request, &length);
    assert_int_equal(length, sizeof kept);
    assert_memory_equal(headers, kept, length);
    http_request_free(&request);
}

static void headers_with_a_meaning_are_found_in_their_order(void **state)
{
    static const char bytes[] =
        "GET / HTTP/1.1\r\nx-forwarded-FOR: 1\r\nHost: h\r\nX-Forwarded-For2: -\r\nUpgrade:\r\n"
        "X-Forwarded-For: 2\r\nY-Forwarded-For: -\r\nX-FORWARDED-FOR:3\r\n\r\n";
    struct http_request *request = http_request_new(&limits);
    size_t used;

    (void)state;
    assert_int_equal(feed(request, bytes, sizeof bytes - 1, 1, 1, &used), HTTP_COMPLETE);
    const char *value = http_request_header(request, HTTP_HEADER_X_FORWARDED_FOR);
    for (const char *expected = "123"; *expected != '\0'; expected++) {
        assert_non_null(value);
        assert_int_equal(value[0], *expected);
        value = http_request_next_header(request, HTTP_HEADER_X_FORWARDED_FOR, value);
    }
    assert_null(value);
    assert_string_equal(http_request_header(request, HTTP_HEADER_UPGRADE), "");
    value = http_request_header(request, HTTP_HEADER_HOST);
    assert_string_equal(value, "h");
    assert_null(http_request_next_header(request, HTTP_HEADER_HOST, value));
    assert_null(http_request_header(request, HTTP_HEADER_ACCEPT));
    http_request_free(&request);
}

static void names_of_headers_are_recognised_in_any_case(void **state)
{
    static const struct {
        enum http_header header;
        const char *name;
    } names[] = {
        {HTTP_HEADER_ACCEPT, "accept"},
        {HTTP_HEADER_ACCESS_CONTROL_REQUEST_HEADERS, "Access-Control-Request-Headers"},
        {HTTP_HEADER_AUTHORIZATION, "AUTHORIZATION"},
        {HTTP_HEADER_CONNECTION, "connection"},
        {HTTP_HEADER_EXPECT, "eXPECT"},
        {HTTP_HEADER_FORWARDED, "Forwarded"},
        {HTTP_HEADER_HOST, "host"},
        {HTTP_HEADER_LAST_EVENT_ID, "last-event-ID"},
        {HTTP_HEADER_ORIGIN, "Origin"},
        {HTTP_HEADER_SEC_WEBSOCKET_KEY, "sec-websocket-key"},
        {HTTP_HEADER_SEC_WEBSOCKET_VERSION, "Sec-WebSocket-Version"},
        {HTTP_HEADER_TRANSFER_ENCODING, "transfer-encoding"},
        {HTTP_HEADER_UPGRADE, "UPGRADE"},
        {HTTP_HEADER_X_FORWARDED_FOR, "x-forwarded-for"},
        {HTTP_HEADER_X_FORWARDED_SERVER, "X-Forwarded-Server"},
        {HTTP_HEADER_OTHER, ""},
        {HTTP_HEADER_OTHER, "Hose"},
        {HTTP_HEADER_OTHER, "(ost"},
        {HTTP_HEADER_OTHER, "Accept-Encoding"},
        {HTTP_HEADER_OTHER, "Sec-Fetch-Mode"},
    };

    (void)state;
    assert_int_equal(sizeof names / sizeof *names - 5, HTTP_HEADER_OTHER);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(http_header_find(names[i].name, strlen(names[i].name)), names[i].header);
}

/* Feeds bytes in pieces of so many; gives the verdict, and how many of them were taken. */
static enum http_verdict feed_pieces(struct http_request *request, const char *bytes, size_t length,
                                     size_t piece, size_t *taken)
{
    enum http_verdict verdict = HTTP_NEED_MORE;

    for (*taken = 0; *taken < length && verdict == HTTP_NEED_MORE;) {
        size_t left = length - *taken, consumed;
        verdict =
            http_request_feed(request, bytes + *taken, left < piece ? left : piece, &consumed);
        *taken += consumed;
    }
    return verdict;
}

/* Another request that is given what the first one says, and then the rest, is the same. */
static void goes_on_elsewhere(const struct expected *row, size_t cut, size_t piece)
{
    struct http_request *first = http_request_new(&limits), *second = http_request_new(&limits);
    struct bytes begun = BYTES_EMPTY;
    size_t taken;

    assert_non_null(first);
    assert_non_null(second);
    if (feed_pieces(first, row->bytes, cut, piece, &taken) == HTTP_NEED_MORE) {
        bool in_chunks = http_request_head_is_complete(first) &&
                         http_request_header(first, HTTP_HEADER_TRANSFER_ENCODING) != NULL;
        assert_int_equal(http_request_begun(first, &begun), !in_chunks);
        if (!in_chunks) {
            bytes_append(&begun, row->bytes + cut, row->length - cut);
            assert_int_equal(feed_pieces(second, begun.data, begun.length, begun.length, &taken),
                             HTTP_COMPLETE);
            assert_string_equal(http_request_path(second), row->path);
            assert_int_equal(begun.length - taken, row->left_over);
            size_t length;
            const char *body = http_request_body(second, &length);
            assert_int_equal(length, row->body != NULL ? strlen(row->body) : 0);
            assert_memory_equal(body, row->body != NULL ? row->body : "", length);
        }
    }
    bytes_free(&begun);
    http_request_free(&first);
    http_request_free(&second);
}

static void what_is_half_read_goes_on_elsewhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        for (size_t cut = 1; good[i].verdict == HTTP_COMPLETE && cut < good[i].length; cut++) {
            goes_on_elsewhere(&good[i], cut, 1);
            goes_on_elsewhere(&good[i], cut, 7);
            goes_on_elsewhere(&good[i], cut, cut);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_requests_are_read_however_they_are_cut),
        cmocka_unit_test(bad_requests_are_refused_however_they_are_cut),
        cmocka_unit_test(heads_over_the_limit_are_refused),
        cmocka_unit_test(long_targets_are_read_whole),
        cmocka_unit_test(an_expectation_is_taken_once),
        cmocka_unit_test(nothing_is_expected_by_old_clients_or_once_the_body_comes),
        cmocka_unit_test(of_all_bodies_together_the_oldest_gives_way),
        cmocka_unit_test(a_body_larger_than_all_room_is_refused),
        cmocka_unit_test(it_has_begun_with_the_first_byte),
        cmocka_unit_test(query_parameters_are_decoded),
        cmocka_unit_test(headers_are_kept_in_order_and_whole),
        cmocka_unit_test(headers_with_a_meaning_are_found_in_their_order),
        cmocka_unit_test(names_of_headers_are_recognised_in_any_case),
        cmocka_unit_test(what_is_half_read_goes_on_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
