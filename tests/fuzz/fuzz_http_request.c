/* Requests: whatever comes, the verdict does not depend on how it is cut, and one request ends
 * where the next begins. The first byte says how to cut. */
#include "transports/websocket_handshake.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct http_limits limits = {512, 256, NULL};

static enum http_verdict feed(struct http_request *request, const char *bytes, size_t length,
                              size_t piece, size_t *used)
{
    enum http_verdict verdict = HTTP_NEED_MORE;
    size_t consumed;

    for (*used = 0; *used < length && verdict == HTTP_NEED_MORE; *used += consumed) {
        size_t size = piece < length - *used ? piece : length - *used;
        verdict = http_request_feed(request, bytes + *used, size, &consumed);
        if (consumed > size || (verdict == HTTP_NEED_MORE && consumed != size))
            abort();
        (void)http_request_take_expectation(request);
    }
    return verdict;
}

static void must_be_same(const char *a, size_t a_length, const char *b, size_t b_length)
{
    if (a_length != b_length || memcmp(a, b, a_length) != 0)
        abort();
}

static void compare(const struct http_request *one, const struct http_request *other)
{
    size_t length, other_length;
    const char *text = http_request_body(one, &length);
    const char *other_text = http_request_body(other, &other_length);

    must_be_same(text, length, other_text, other_length);
    if (length > limits.max_body)
        abort();
    text = http_request_headers(one, &length);
    other_text = http_request_headers(other, &other_length);
    must_be_same(text, length, other_text, other_length);
    if (length > 2 * limits.max_headers || (length > 0 && text[length - 1] != '\0'))
        abort();
    must_be_same(http_request_path(one), strlen(http_request_path(one)), http_request_path(other),
                 strlen(http_request_path(other)));
    if (http_request_method(one) != http_request_method(other) ||
        http_request_keep_alive(one) != http_request_keep_alive(other) ||
        http_request_is_1_1(one) != http_request_is_1_1(other))
        abort();
}

static void look_around(const struct http_request *request)
{
    struct bytes value = BYTES_EMPTY;
    struct websocket_handshake handshake;

    (void)http_request_query(request, "a", &value);
    (void)http_request_header(request, HTTP_HEADER_HOST);
    websocket_handshake_check(request, &handshake);
    if ((handshake.status == 101) != (strlen(handshake.accept) == WEBSOCKET_ACCEPT_SIZE - 1))
        abort();
    bytes_free(&value);
}

static void check_refusal(const struct http_request *request)
{
    int status = http_request_status(request);

    if (status < 400 || status > 599 || !http_request_reason(request)[0])
        abort();
}

/* Bytes of the first request, 0 when it was not whole. */
static size_t read_one(const char *bytes, size_t length, size_t piece)
{
    struct http_request *whole = http_request_new(&limits), *cut = http_request_new(&limits);
    size_t used, cut_used;

    if (whole == NULL || cut == NULL)
        abort();
    enum http_verdict verdict = feed(whole, bytes, length, length, &used);
    if (feed(cut, bytes, length, piece, &cut_used) != verdict)
        abort();
    if (verdict == HTTP_COMPLETE) {
        if (used != cut_used)
            abort();
        compare(whole, cut);
        look_around(whole);
    } else if (verdict == HTTP_REFUSED) {
        /* Of several faults, another one may be met first. */
        check_refusal(whole);
        check_refusal(cut);
    }
    http_request_free(&whole);
    http_request_free(&cut);
    return verdict == HTTP_COMPLETE ? used : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data + 1;
    size_t length = size - 1, used;

    if (size == 0)
        return 0;
    do {
        used = read_one(bytes, length, 1 + data[0] % 23);
        bytes += used;
        length -= used;
    } while (used > 0 && length > 0);
    return 0;
}
