/* What browsers ask before a page of another origin may send a request (Fetch standard,
 * CORS-preflight fetch). */
#ifndef ESN_CORS_H
#define ESN_CORS_H

#include "bytes.h"

#include <stdbool.h>

/* Whether a page of this origin may use the broker: `origins` is [web] origins, NULL-ended (NULL:
 * any); without an Origin it is no page of a browser's. */
bool cors_allows(char *const *origins, const char *origin);
/* Whether it may be anybody's page. */
bool cors_is_public(char *const *origins);
/* Appends the header lines by which a page of this origin (NULL: it did not say) may read an answer.
 * With a list of origins that is for those alone, with their cookies too. */
void cors_append_allow(struct bytes *out, char *const *origins, const char *origin);
/* An entry of the list that can be met: `*`, or what browsers send. */
bool cors_is_origin(const char *text);

/* Appends the header lines of the answer beside those: which methods and headers. `asked` is the request's
 * Access-Control-Request-Headers, or NULL. What it names is allowed beside those that the broker
 * knows, since tracing, caching and framework headers change nothing here; what is no list of
 * header names, or a long one, is passed over. */
void cors_append_preflight(struct bytes *out, const char *asked);

#endif
