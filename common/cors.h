/* What browsers ask before a page of another origin may send a request (Fetch standard,
 * CORS-preflight fetch). */
#ifndef ESN_CORS_H
#define ESN_CORS_H

#include "bytes.h"

/* Appends the header lines of the answer: any page may ask and post. `asked` is the request's
 * Access-Control-Request-Headers, or NULL. What it names is allowed beside those that the broker
 * knows, since tracing, caching and framework headers change nothing here; what is no list of
 * header names, or a long one, is passed over. */
void cors_append_preflight(struct bytes *out, const char *asked);

#endif
