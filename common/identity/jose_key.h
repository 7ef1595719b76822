/* One key, for jose_keys.c, which makes them, and jws.c, which uses them. */
#ifndef ESN_JOSE_KEY_H
#define ESN_JOSE_KEY_H

#include <cjose/jwk.h>

#include <stdbool.h>
#include <stddef.h>

/* Whole bytes without padding (RFC 4648, section 5); the text ends with NUL. */
bool jose_is_base64url(const char *text, size_t length);

enum { JOSE_ALGORITHM_MAX = 6 };

struct jose_key {
    cjose_jwk_t *jwk;
    char *kid; /* owned; NULL: it has none */
    const char
        *algorithms[JOSE_ALGORITHM_MAX + 1]; /* static names; what it may verify, NULL at the end */
};

struct jose_keys {
    size_t count;
    struct jose_key keys[];
};

/* An empty set. NULL without memory. */
struct jose_keys *jose_keys_new(void);
/* Adds a key without a name, for all that its type can do, and takes it over, also when it cannot
 * be added: then false. */
bool jose_keys_add(struct jose_keys *keys, cjose_jwk_t *jwk);

#endif
