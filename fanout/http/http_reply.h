/* Whole answers, as opposed to streams. Each ends the present request (connection_end_answer). */
#ifndef ESN_HTTP_REPLY_H
#define ESN_HTTP_REPLY_H

#include "bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct connection;
struct http_request;

/* request NULL: it was malformed or never became whole, so the connection ends after the answer.
 * reason: a plain ASCII phrase, used as reason phrase too. */
void http_reply_json(struct connection *connection, const struct http_request *request, int status,
                     const char *reason, const char *json, size_t length);
/* 200 with a text of another type, which is to be asked for anew each time. */
void http_reply_text(struct connection *connection, const struct http_request *request,
                     const char *content_type, const char *text, size_t length);
/* The same with more header lines, as http_reply_error_with(). */
void http_reply_text_with(struct connection *connection, const struct http_request *request,
                          const char *content_type, const char *header, const char *text,
                          size_t length);
/* {"error": reason} */
void http_reply_error(struct connection *connection, const struct http_request *request, int status,
                      const char *reason);
/* As http_reply_error with more header lines, "Name: value", the last one without its line end. */
void http_reply_error_with(struct connection *connection, const struct http_request *request,
                           int status, const char *reason, const char *header);
/* An event stream that is over before it has begun, with the time after which to come back: 200,
 * since EventSource is closed for good by any other status (HTML standard, section 9.2.3). */
void http_reply_event_stream_over(struct connection *connection, const struct http_request *request,
                                  uint64_t retry_ms);
/* 204 with the CORS headers that let a page of any origin use this server (Fetch standard,
 * CORS-preflight). */
void http_reply_preflight(struct connection *connection, const struct http_request *request);
/* Queues the head of a stream, in chunks for HTTP/1.1; false without memory. */
bool http_reply_stream_head(struct connection *connection, const struct http_request *request,
                            const char *content_type);
/* Appends the header lines that say whose pages may read the answer (common/cors.h). */
void http_reply_append_allowed(struct bytes *out, const struct connection *connection,
                               const struct http_request *request);
/* Queues the head of an answer to a request that is gone, of which the connection knows already
 * whether it stays open. `allowed`: those lines. False without memory. */
bool http_reply_json_head(struct connection *connection, const char *allowed, size_t allowed_length,
                          size_t length);

#endif
