#include "http/http_request.h"

#include "blank.h"
#include "http/http_framing.h"
#include "http/request_target.h"
#include "query.h"

#include <llhttp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char malformed[] = "Malformed HTTP request";
static const char invalid_target[] = "Invalid request target";
static const char too_many[] = "Too many requests at once";

struct http_request {
    llhttp_t parser;
    struct http_framing framing;
    struct http_limits limits;
    struct bytes url;     /* ended by NUL once complete */
    struct bytes headers; /* name\0value\0... */
    struct bytes body;
    size_t head_bytes;
    struct input_charge charge;   /* to limits.bodies */
    struct request_target target; /* in url */
    int status;
    const char *reason;
    bool begun, in_name, head_complete, complete, expects, keep_alive;
};

/* The value of the first header of this name from `at` on, which is a header's name or the end. */
static const char *find_header(const struct http_request *request, const char *at, const char *name)
{
    const char *end = request->headers.data + request->headers.length;

    while (at < end) {
        const char *value = at + strlen(at) + 1;
        /* Most differ in their first letter, whose case is one bit. */
        if ((at[0] | 0x20) == (name[0] | 0x20) && strcasecmp(at, name) == 0)
            return value;
        at = value + strlen(value) + 1;
    }
    return NULL;
}

static int refuse_request(struct http_request *request, int status, const char *reason)
{
    request->status = status;
    request->reason = reason;
    return -1;
}

static int count_head(struct http_request *request, size_t length)
{
    request->head_bytes += length;
    if (request->head_bytes > request->limits.max_headers)
        return refuse_request(request, 431, "Request Header Fields Too Large");
    return 0;
}

static int on_url(llhttp_t *parser, const char *at, size_t length)
{
    struct http_request *request = parser->data;

    bytes_append(&request->url, at, length);
    return count_head(request, length);
}

static int on_header_field(llhttp_t *parser, const char *at, size_t length)
{
    struct http_request *request = parser->data;

    /* The library may be built to let it pass; then "Content-Length : 5" would count, although
     * others do not see a length there (RFC 9112, section 5.1). */
    if (memchr(at, ' ', length) != NULL)
        return refuse_request(request, 400, malformed);
    request->in_name = request->in_name || length > 0;
    if (!request->head_complete) /* a trailer is counted, not kept */
        bytes_append(&request->headers, at, length);
    return count_head(request, length);
}

/* The library of Debian 12 lets names of no length pass. */
static int on_header_field_complete(llhttp_t *parser)
{
    struct http_request *request = parser->data;

    if (!request->in_name)
        return refuse_request(request, 400, malformed);
    request->in_name = false;
    if (request->head_complete)
        return 0;
    bytes_append(&request->headers, "", 1);
    return count_head(request, sizeof ": \r\n" - 1);
}

/* The library does not look at the first character of a value, nor at that of a folded line. */
static bool has_control(const char *at, size_t length)
{
    for (const char *end = at + length; at < end; at++)
        if (((unsigned char)*at < ' ' && *at != '\t') || *at == 0x7f)
            return true;
    return false;
}

static int on_header_value(llhttp_t *parser, const char *at, size_t length)
{
    struct http_request *request = parser->data;

    if (has_control(at, length))
        return refuse_request(request, 400, malformed);
    if (!request->head_complete)
        bytes_append(&request->headers, at, length);
    return count_head(request, length);
}

/* Blanks behind a value are not part of it (RFC 9112, section 5.1). */
static int on_header_value_complete(llhttp_t *parser)
{
    struct http_request *request = parser->data;
    struct bytes *headers = &request->headers;

    if (request->head_complete)
        return 0;
    while (headers->length > 0 && is_blank(headers->data[headers->length - 1]))
        headers->length--;
    bytes_append(headers, "", 1);
    return 0;
}

static bool split_url(struct http_request *request)
{
    return bytes_terminate(&request->url) != NULL &&
           request_target_split(&request->target, request->url.data, request->url.length);
}

/* Only a single `chunked` is understood, and HTTP/1.0 knows none (RFC 9112, section 6.1). */
static int check_transfer_encoding(struct http_request *request)
{
    const char *coding = http_request_header(request, "Transfer-Encoding");

    if (coding == NULL)
        return 0;
    if (request->parser.http_minor < 1)
        return refuse_request(request, 400, "Invalid Transfer-Encoding");
    if (strcasecmp(coding, "chunked") != 0 ||
        http_request_next_header(request, "Transfer-Encoding", coding) != NULL)
        return refuse_request(request, 501, "Transfer-Encoding not supported");
    return 0;
}

/* Whose request it is must have one answer (RFC 9112, section 3.2). */
static int check_host(struct http_request *request)
{
    const char *host = http_request_header(request, "Host");

    if (host == NULL)
        return request->parser.http_minor < 1 ? 0 : refuse_request(request, 400, "Host missing");
    if (http_request_next_header(request, "Host", host) != NULL)
        return refuse_request(request, 400, "Several Host headers");
    return request_target_is_authority(host, strlen(host))
               ? 0
               : refuse_request(request, 400, "Invalid Host");
}

static int on_headers_complete(llhttp_t *parser)
{
    struct http_request *request = parser->data;

    request->head_complete = true;
    bool valid = parser->method != HTTP_CONNECT && split_url(request);
    if (request->headers.failed || request->url.failed)
        return refuse_request(request, 503, "Out of memory");
    if (!valid)
        return refuse_request(request, 400, invalid_target);
    if (parser->http_major != 1)
        return refuse_request(request, 505, "HTTP Version Not Supported");
    if (check_host(request) != 0 || check_transfer_encoding(request) != 0)
        return -1;
    if (parser->content_length > request->limits.max_body)
        return refuse_request(request, 413, "Body too large");
    const char *expect = http_request_header(request, "Expect");
    request->expects =
        expect != NULL && strcasecmp(expect, "100-continue") == 0 && parser->http_minor >= 1;
    return 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t length)
{
    struct http_request *request = parser->data;

    request->expects = false;
    if (length > request->limits.max_body - request->body.length)
        return refuse_request(request, 413, "Body too large");
    if (!input_budget_charge(request->limits.bodies, &request->charge, length))
        return refuse_request(request, 503, too_many);
    bytes_append(&request->body, at, length);
    return request->body.failed ? refuse_request(request, 503, "Out of memory") : 0;
}

/* They are bounded like a head (RFC 9112, section 7.1.1). */
static int on_chunk_extension(llhttp_t *parser, const char *at, size_t length)
{
    (void)at;
    return count_head(parser->data, length);
}

static int on_message_complete(llhttp_t *parser)
{
    struct http_request *request = parser->data;

    if (request->charge.given_up)
        return refuse_request(request, 503, too_many);
    request->complete = true;
    request->keep_alive = llhttp_should_keep_alive(parser) != 0;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_field_complete = on_header_field_complete,
    .on_header_value = on_header_value,
    .on_header_value_complete = on_header_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_chunk_extension_name = on_chunk_extension,
    .on_chunk_extension_value = on_chunk_extension,
    .on_message_complete = on_message_complete,
};

static void give_up_body(struct input_charge *charge)
{
    struct http_request *request =
        (struct http_request *)(void *)((char *)charge - offsetof(struct http_request, charge));

    bytes_free(&request->body);
}

struct http_request *http_request_new(const struct http_limits *limits)
{
    struct http_request *request = calloc(1, sizeof *request);

    if (request == NULL)
        return NULL;
    llhttp_init(&request->parser, HTTP_REQUEST, &settings);
    request->parser.data = request;
    request->limits = *limits;
    request->charge.give_up = give_up_body;
    return request;
}

void http_request_free(struct http_request **request)
{
    if (*request == NULL)
        return;
    input_budget_release((*request)->limits.bodies, &(*request)->charge);
    bytes_free(&(*request)->url);
    bytes_free(&(*request)->headers);
    bytes_free(&(*request)->body);
    free(*request);
    *request = NULL;
}

/* What the parser found wrong, in words for a reply. */
static void refuse_malformed(struct http_request *request)
{
    switch (llhttp_get_errno(&request->parser)) {
    case HPE_UNEXPECTED_CONTENT_LENGTH:
        (void)refuse_request(request, 400, "Doubled or contradicted Content-Length");
        return;
    case HPE_INVALID_CONTENT_LENGTH:
        (void)refuse_request(request, 400, "Invalid Content-Length");
        return;
    case HPE_INVALID_TRANSFER_ENCODING:
        (void)refuse_request(request, 400, "Invalid Transfer-Encoding");
        return;
    case HPE_INVALID_CHUNK_SIZE:
        (void)refuse_request(request, 400, "Invalid chunk size");
        return;
    case HPE_INVALID_URL:
        (void)refuse_request(request, 400, invalid_target);
        return;
    case HPE_INVALID_METHOD:
        (void)refuse_request(request, 400, "Invalid method");
        return;
    case HPE_INVALID_VERSION:
        (void)refuse_request(request, 505, "HTTP Version Not Supported");
        return;
    default:
        (void)refuse_request(request, 400, malformed);
    }
}

static enum http_verdict parse(struct http_request *request, const char *bytes, size_t length,
                               size_t *consumed)
{
    llhttp_errno_t error = llhttp_execute(&request->parser, bytes, length);

    *consumed = error == HPE_OK ? length : (size_t)(llhttp_get_error_pos(&request->parser) - bytes);
    if (request->status)
        return HTTP_REFUSED;
    if (request->complete)
        return HTTP_COMPLETE;
    if (error != HPE_OK) {
        refuse_malformed(request);
        return HTTP_REFUSED;
    }
    return HTTP_NEED_MORE;
}

/* Bytes that belong together: up to the end of the head, or of what there is. */
static enum http_verdict feed_piece(struct http_request *request, const char *bytes, size_t length,
                                    size_t *consumed)
{
    bool in_head = !request->head_complete;
    size_t sound = http_framing_take(&request->framing, bytes, length);
    bool head_ends = in_head && http_framing_is_behind_head(&request->framing);
    enum http_verdict verdict = parse(request, bytes, sound, consumed);

    if (verdict != HTTP_NEED_MORE)
        return verdict;
    if (http_framing_is_broken(&request->framing) ||
        head_ends != (in_head && request->head_complete)) {
        (void)refuse_request(request, 400, in_head ? malformed : "Invalid chunk");
        return HTTP_REFUSED;
    }
    if (head_ends && http_request_header(request, "Transfer-Encoding") != NULL)
        http_framing_expect_chunks(&request->framing);
    return HTTP_NEED_MORE;
}

enum http_verdict http_request_feed(struct http_request *request, const char *bytes, size_t length,
                                    size_t *consumed)
{
    enum http_verdict verdict = HTTP_NEED_MORE;
    size_t used;

    request->begun = request->begun || length > 0;
    for (*consumed = 0; *consumed < length && verdict == HTTP_NEED_MORE; *consumed += used)
        verdict = feed_piece(request, bytes + *consumed, length - *consumed, &used);
    return verdict;
}

int http_request_status(const struct http_request *request)
{
    return request->status;
}

const char *http_request_reason(const struct http_request *request)
{
    return request->reason;
}

bool http_request_has_begun(const struct http_request *request)
{
    return request->begun;
}

bool http_request_head_is_complete(const struct http_request *request)
{
    return request->head_complete;
}

bool http_request_take_expectation(struct http_request *request)
{
    bool expects = request->expects;

    request->expects = false;
    return expects;
}

enum http_request_method http_request_method(const struct http_request *request)
{
    switch (request->parser.method) {
    case HTTP_GET:
        return HTTP_METHOD_GET;
    case HTTP_HEAD:
        return HTTP_METHOD_HEAD;
    case HTTP_POST:
        return HTTP_METHOD_POST;
    case HTTP_OPTIONS:
        return HTTP_METHOD_OPTIONS;
    default:
        return HTTP_METHOD_OTHER;
    }
}

const char *http_request_path(const struct http_request *request)
{
    return request->url.data + request->target.path;
}

bool http_request_is_1_1(const struct http_request *request)
{
    return request->parser.http_minor >= 1;
}

bool http_request_keep_alive(const struct http_request *request)
{
    return request->keep_alive;
}

const char *http_request_body(const struct http_request *request, size_t *length)
{
    *length = request->body.length;
    return request->body.data != NULL ? request->body.data : "";
}

const char *http_request_headers(const struct http_request *request, size_t *length)
{
    *length = request->headers.length;
    return request->headers.data != NULL ? request->headers.data : "";
}

const char *http_request_header(const struct http_request *request, const char *name)
{
    return request->headers.data != NULL ? find_header(request, request->headers.data, name) : NULL;
}

bool http_request_accepts_event_stream(const struct http_request *request)
{
    const char *accept = http_request_header(request, "Accept");

    return accept != NULL && strstr(accept, "text/event-stream") != NULL;
}

const char *http_request_next_header(const struct http_request *request, const char *name,
                                     const char *value)
{
    return find_header(request, value + strlen(value) + 1, name);
}

const char *http_request_query_text(const struct http_request *request)
{
    return request->target.query ? request->url.data + request->target.query : "";
}

bool http_request_query(const struct http_request *request, const char *name, struct bytes *value)
{
    return query_find(http_request_query_text(request), name, value);
}
