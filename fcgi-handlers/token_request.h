/* What is asked of the token desk: the members of a body, and the cookie that may stand in for one.
 * Pure. */
#ifndef ESN_TOKEN_REQUEST_H
#define ESN_TOKEN_REQUEST_H

#include "refresh_token.h"

#include <stdbool.h>
#include <stddef.h>

#define TOKEN_COOKIE "__Host-esn-refresh"

enum { TOKEN_PROOF_MIN = 16, TOKEN_PROOF_MAX = 256 };

struct token_request {
    struct json_t *json; /* owns the texts but the cookie's */
    const char *bind_key;
    size_t bind_key_length;
    const char *refresh_token; /* NULL: none, as of the one above and the one below */
    size_t refresh_token_length;
    const char *proof;
    char cookie[REFRESH_TOKEN_SIZE];
};

/* NULL, or what is wrong, static. To be freed either way. `body` may be empty when there is a
 * cookie. `cookies`: the Cookie header, looked at for a refresh token when the body has none; NULL:
 * it is not. */
const char *token_request_read(struct token_request *request, const char *body, size_t length,
                               const char *cookies);
void token_request_free(struct token_request *request);

/* A page of this origin (the Origin header) is one of the site that the client asked: its name
 * (HTTP_HOST), which some web servers give without the port, and the port (SERVER_PORT). Any may be
 * NULL. */
bool token_request_is_of_site(const char *origin, const char *host, const char *port);

#endif
