/* Who posts: by the bare secret in the query or the Authorization header, or by a signature (RFC
 * 9421) that covers the method, the address and the body. Those who are refused are all told the
 * same; the log says why. */
#ifndef ESN_PUBLISHER_GATE_H
#define ESN_PUBLISHER_GATE_H

#include "bytes.h"
#include "config/config.h"
#include "handler_request.h"
#include "identity/http_signature.h"
#include "publishers/publishers.h"

#include <stdbool.h>
#include <stdint.h>

/* To be ended with publisher_gate_end(), also when nobody was let in. */
struct publisher_visit {
    const struct publisher *publisher; /* NULL: nobody who may publish */
    const char *why;                   /* static, for the log; NULL with a publisher */
    bool is_signed;
    struct http_signature signature; /* when is_signed */
};

/* Looks at all but the body: a stranger's is not read. */
void publisher_gate_begin(struct publisher_visit *visit, const struct publishers *publishers,
                          const struct config *config, const struct handler_request *request,
                          uint64_t now_ms);
/* The body is the one that was signed; true for a visit without signature. */
bool publisher_gate_takes_body(const struct publisher_visit *visit,
                               const struct handler_request *request, const struct bytes *body);
/* Appends what a signed post without an id is recognised by, so that one that is sent again is a
 * double. */
void publisher_gate_write_id(struct bytes *out, const struct publisher_visit *visit);
void publisher_gate_end(struct publisher_visit *visit);

#endif
