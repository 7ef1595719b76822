/* One key, for jose_keys.c, which makes them, and jws.c, which uses them. */
#ifndef ESN_JOSE_KEY_H
#define ESN_JOSE_KEY_H

#include <cjose/jwk.h>
#include <openssl/evp.h>

#include <stdbool.h>
#include <stddef.h>

/* Whole bytes without padding (RFC 4648, section 5); the text ends with NUL. */
bool jose_is_base64url(const char *text, size_t length);

/* What a key is made of: one of the two, owned; neither when it is of no use. */
struct jose_material {
    cjose_jwk_t *jwk;  /* secrets, RSA and EC */
    EVP_PKEY *ed25519; /* which libcjose does not have */
};

bool jose_material_is_some(const struct jose_material *material);
/* Leaves it empty. */
void jose_material_release(struct jose_material *material);

enum { JOSE_ALGORITHM_MAX = 6 };

struct jose_key {
    struct jose_material material;
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
bool jose_keys_add(struct jose_keys *keys, struct jose_material material);

#endif
