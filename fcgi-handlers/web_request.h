/* A request to a web server, of whose answer no more is read than wanted and for which nobody waits
 * longer than said. No redirection is followed, no proxy used, and the certificate of an https
 * address is always checked. The only handler code that knows libcurl. */
#ifndef ESN_WEB_REQUEST_H
#define ESN_WEB_REQUEST_H

#include "bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Texts are copied. */
struct web_request_options {
    const char *url;
    const char *method;  /* with a body; NULL: GET, without */
    const char *header;  /* a line of one's own; NULL: none */
    const char *ca_file; /* NULL: the system's authorities */
    uint64_t limit_ms;
    size_t max_answer;     /* bytes */
    const char *too_large; /* the sentence when it is larger; static */
};

struct web_request;

/* Before any thread opens one; may be called several times. False without memory. */
bool web_request_open_library(void);
void web_request_close_library(void);

/* Connects to nothing yet; the connection is kept between requests. NULL without memory. */
struct web_request *web_request_open(const struct web_request_options *options);
void web_request_close(struct web_request **request);

/* True: an answer with status 200 has come, and is in *answer until the next one. False with why in
 * *reason, until the next one, and the status in *status when there was one, else 0. The body is
 * borrowed. */
bool web_request_send(struct web_request *request, const char *body, size_t length,
                      const struct bytes **answer, const char **reason, long *status);

#endif
