/* Tokens as requests carry them: `?token=TOKEN` and `Authorization: Bearer TOKEN` (RFC 6750,
 * section 2). */
#ifndef ESN_CREDENTIALS_H
#define ESN_CREDENTIALS_H

#include "secret.h"

#include <stddef.h>

/* The token of an Authorization header's value; NULL when that is NULL or of another scheme.
 * Borrowed. */
const char *credentials_bearer(const char *authorization);

/* The place in the list of the token that the query or the header has, else the list's count. Both
 * are looked at: a header that something before us added must not hide a right token in the
 * query. authorization may be NULL. */
size_t credentials_find(const struct secret_list *tokens, const char *query,
                        const char *authorization);

#endif
