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
static const char too_many_of_one[] = "Too many requests at once from this address";

struct http_request {
    llhttp_t parser;
    struct http_framing framing;
    struct http_limits limits;
    struct bytes head;            /* target\0name\0value\0name\0value\0... */
    struct request_target target; /* in head */
    size_t headers_at, name_at;   /* in head: where the first name begins, and the present one */
    size_t values[HTTP_HEADER_OTHER]; /* in head, the first one of each name; 0: there is none */
    uint32_t repeated;                /* bit of each that came more than once */
    struct bytes body;
    struct bytes raw; /* what came of the head, when it came in pieces or its body is not whole */
    size_t head_bytes;
    struct input_charge charge; /* to limits.bodies */
    int status;
    const char *reason;
    bool begun, in_name, head_complete, complete, expects, keep_alive;
};

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

    bytes_append(&request->head, at, length);
    return count_head(request, length);
}

static int on_url_complete(llhttp_t *parser)
{
    struct http_request *request = parser->data;

    bytes_append(&request->head, "", 1);
    request->headers_at = request->name_at = request->head.length;
    return 0;
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
        bytes_append(&request->head, at, length);
    return count_head(request, length);
}

/* A name is complete and its value follows. */
static void note_header(struct http_request *request)
{
    struct bytes *head = &request->head;
    enum http_header header =
        http_header_find(head->data + request->name_at, head->length - request->name_at);

    bytes_append(head, "", 1);
    if (header == HTTP_HEADER_OTHER)
        return;
    if (request->values[header] == 0)
        request->values[header] = head->length;
    else
        request->repeated |= 1u << header;
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
    if (!request->head.failed)
        note_header(request);
    return count_head(request, sizeof ": \r\n" - 1);
}

static int on_header_value(llhttp_t *parser, const char *at, size_t length)
{
    struct http_request *request = parser->data;

    if (!request->head_complete)
        bytes_append(&request->head, at, length);
    return count_head(request, length);
}

/* Blanks behind a value are not part of it (RFC 9112, section 5.1). */
static int on_header_value_complete(llhttp_t *parser)
{
    struct http_request *request = parser->data;
    struct bytes *head = &request->head;

    if (request->head_complete)
        return 0;
    while (head->length > 0 && is_blank(head->data[head->length - 1]))
        head->length--;
    bytes_append(head, "", 1);
    request->name_at = head->length;
    return 0;
}

/* Only a single `chunked` is understood, and HTTP/1.0 knows none (RFC 9112, section 6.1). */
static int check_transfer_encoding(struct http_request *request)
{
    const char *coding = http_request_header(request, HTTP_HEADER_TRANSFER_ENCODING);

    if (coding == NULL)
        return 0;
    if (request->parser.http_minor < 1)
        return refuse_request(request, 400, "Invalid Transfer-Encoding");
    if (strcasecmp(coding, "chunked") != 0 ||
        http_request_next_header(request, HTTP_HEADER_TRANSFER_ENCODING, coding) != NULL)
        return refuse_request(request, 501, "Transfer-Encoding not supported");
    return 0;
}

/* Whose request it is must have one answer (RFC 9112, section 3.2). */
static int check_host(struct http_request *request)
{
    const char *host = http_request_header(request, HTTP_HEADER_HOST);

    if (host == NULL)
        return request->parser.http_minor < 1 ? 0 : refuse_request(request, 400, "Host missing");
    if (http_request_next_header(request, HTTP_HEADER_HOST, host) != NULL)
        return refuse_request(request, 400, "Several Host headers");
    return request_target_is_authority(host, strlen(host))
               ? 0
               : refuse_request(request, 400, "Invalid Host");
}

static int on_headers_complete(llhttp_t *parser)
{
    struct http_request *request = parser->data;

    request->head_complete = true;
    if (request->head.failed)
        return refuse_request(request, 503, "Out of memory");
    if (parser->method == HTTP_CONNECT ||
        !request_target_split(&request->target, request->head.data, request->headers_at - 1))
        return refuse_request(request, 400, invalid_target);
    if (parser->http_major != 1)
        return refuse_request(request, 505, "HTTP Version Not Supported");
    if (check_host(request) != 0 || check_transfer_encoding(request) != 0)
        return -1;
    if (parser->content_length > request->limits.max_body)
        return refuse_request(request, 413, "Body too large");
    const char *expect = http_request_header(request, HTTP_HEADER_EXPECT);
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
        return refuse_request(request, 503,
                              request->charge.address_is_full ? too_many_of_one : too_many);
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
    .on_url_complete = on_url_complete,
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

bool http_request_count_for(struct http_request *request, uint64_t *of_address)
{
    return input_budget_count_for(request->limits.bodies, &request->charge, of_address) ||
           refuse_request(request, 503, too_many_of_one) == 0;
}

void http_request_free(struct http_request **request)
{
    if (*request == NULL)
        return;
    input_budget_release((*request)->limits.bodies, &(*request)->charge);
    bytes_free(&(*request)->head);
    bytes_free(&(*request)->body);
    bytes_free(&(*request)->raw);
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
    if (in_head)
        (void)bytes_reserve(&request->head, sound); /* no more of them is kept */
    enum http_verdict verdict = parse(request, bytes, sound, consumed);

    if (verdict != HTTP_NEED_MORE)
        return verdict;
    if (http_framing_is_broken(&request->framing) ||
        head_ends != (in_head && request->head_complete)) {
        (void)refuse_request(request, 400, in_head ? malformed : "Invalid chunk");
        return HTTP_REFUSED;
    }
    if (head_ends && http_request_header(request, HTTP_HEADER_TRANSFER_ENCODING) != NULL)
        http_framing_expect_chunks(&request->framing);
    return HTTP_NEED_MORE;
}

enum http_verdict http_request_feed(struct http_request *request, const char *bytes, size_t length,
                                    size_t *consumed)
{
    enum http_verdict verdict = HTTP_NEED_MORE;
    size_t used;

    request->begun = request->begun || length > 0;
    size_t head_length = request->head_complete ? 0 : length;
    for (*consumed = 0; *consumed < length && verdict == HTTP_NEED_MORE; *consumed += used) {
        bool in_head = !request->head_complete;
        verdict = feed_piece(request, bytes + *consumed, length - *consumed, &used);
        if (in_head && request->head_complete)
            head_length = *consumed + used;
    }
    if (verdict == HTTP_NEED_MORE)
        bytes_append(&request->raw, bytes, head_length);
    return verdict;
}

bool http_request_begun(const struct http_request *request, struct bytes *out)
{
    bool in_chunks = request->head_complete &&
                     http_request_header(request, HTTP_HEADER_TRANSFER_ENCODING) != NULL;

    bytes_append(out, request->raw.data, request->raw.length);
    bytes_append(out, request->body.data, request->body.length);
    return !in_chunks && !request->raw.failed && !request->charge.given_up;
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
    return request->head.data + request->target.path;
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
    *length = request->head.length - request->headers_at;
    return request->head.data + request->headers_at;
}

const char *http_request_header(const struct http_request *request, enum http_header header)
{
    size_t at = request->values[header];

    return at != 0 ? request->head.data + at : NULL;
}

bool http_request_accepts_event_stream(const struct http_request *request)
{
    const char *accept = http_request_header(request, HTTP_HEADER_ACCEPT);

    return accept != NULL && strstr(accept, "text/event-stream") != NULL;
}

const char *http_request_next_header(const struct http_request *request, enum http_header header,
                                     const char *value)
{
    const char *end = request->head.data + request->head.length;

    if ((request->repeated & 1u << header) == 0)
        return NULL;
    for (const char *name = value + strlen(value) + 1; name < end;
         name = value + strlen(value) + 1) {
        size_t length = strlen(name);
        value = name + length + 1;
        if (http_header_find(name, length) == header)
            return value;
    }
    return NULL;
}

const char *http_request_query_text(const struct http_request *request)
{
    return request->target.query ? request->head.data + request->target.query : "";
}

bool http_request_query(const struct http_request *request, const char *name, struct bytes *value)
{
    return query_find(http_request_query_text(request), name, value);
}
