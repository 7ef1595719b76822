/* One HTTP/1.x request as it comes in (RFC 9112), bounded. Bytes in, verdict out: touches no
 * socket. The only file that includes llhttp.h is http_request.c. */
#ifndef ESN_HTTP_REQUEST_H
#define ESN_HTTP_REQUEST_H

#include "bytes.h"
#include "http/http_header.h"
#include "http/input_budget.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum http_request_method {
    HTTP_METHOD_GET,
    HTTP_METHOD_HEAD,
    HTTP_METHOD_POST,
    HTTP_METHOD_OPTIONS,
    HTTP_METHOD_OTHER
};

enum http_verdict {
    HTTP_NEED_MORE,
    HTTP_COMPLETE, /* the request is whole; bytes that were not consumed belong to the next one */
    HTTP_REFUSED /* answer with status and reason, then close: what follows cannot be told from this
                    request */
};

struct http_limits {
    uint64_t max_headers, max_body; /* bytes */
    struct input_budget *bodies;    /* NULL: no bound */
};

struct http_request;

/* NULL without memory. The limits are copied. */
struct http_request *http_request_new(const struct http_limits *limits);
/* Its body counts for an address, see input_budget_count_for(). False: it is refused, as with
 * HTTP_REFUSED, when it is not whole. */
bool http_request_count_for(struct http_request *request, uint64_t *of_address);
void http_request_free(struct http_request **request);

/* Takes bytes as they come, in pieces of any size; *consumed says how many. Not to be called again
 * after a verdict other than HTTP_NEED_MORE. */
enum http_verdict http_request_feed(struct http_request *request, const char *bytes, size_t length,
                                    size_t *consumed);

/* After HTTP_NEED_MORE: appends what came so far, as it came, or such that it means the same. False
 * when it cannot be told: a body in chunks has begun. */
bool http_request_begun(const struct http_request *request, struct bytes *out);

/* After HTTP_REFUSED: what to answer. */
int http_request_status(const struct http_request *request);
const char *http_request_reason(const struct http_request *request);

bool http_request_has_begun(const struct http_request *request);
bool http_request_head_is_complete(const struct http_request *request);
/* True once, when the client waits for "100 Continue" before it sends the body (RFC 9110,
 * section 10.1.1). */
bool http_request_take_expectation(struct http_request *request);

/* After HTTP_COMPLETE; everything is borrowed from the request. */
enum http_request_method http_request_method(const struct http_request *request);
const char *
http_request_path(const struct http_request *request); /* undecoded, without the query */
bool http_request_is_1_1(const struct http_request *request);
bool http_request_keep_alive(const struct http_request *request);
const char *http_request_body(const struct http_request *request, size_t *length);
/* Value of the first header of this name, or NULL. */
const char *http_request_header(const struct http_request *request, enum http_header header);
/* As every EventSource does (HTML standard, section 9.2). */
bool http_request_accepts_event_stream(const struct http_request *request);
/* Value of the next header of this name after `value`, which the function above or this one gave.
 */
const char *http_request_next_header(const struct http_request *request, enum http_header header,
                                     const char *value);
/* All headers as "name\0value\0name\0value\0...". */
const char *http_request_headers(const struct http_request *request, size_t *length);
/* The query, undecoded, without the "?"; "" when there is none. */
const char *http_request_query_text(const struct http_request *request);
/* Appends the percent-decoded value of a query parameter; false when there is none or its encoding
 * is broken. */
bool http_request_query(const struct http_request *request, const char *name, struct bytes *value);

#endif
