/* JSON Web Signatures in compact form (RFC 7515, section 7.1): signed and verified, nothing more.
 */
#ifndef ESN_JWS_H
#define ESN_JWS_H

#include "identity/jose_keys.h"

#include <stddef.h>

struct json_t; /* jansson.h */

enum { JWS_SIZE_MAX = 16384 };

enum jws_result {
    JWS_OK,
    JWS_NO_JWS,      /* not three parts of base64url with a JSON header that we understand */
    JWS_UNKNOWN_KEY, /* it names a key ("kid") that is not in the set */
    JWS_REFUSED, /* no key of the set made this signature with an algorithm that the key is for */
    JWS_NO_MEMORY
};

/* Verifies with the key that the header names, or when it names none, or only keys without a name
 * could have been meant, with each. The algorithm of the header has to be one that the key is for;
 * "crit" is refused (RFC 7515, section 4.1.11). JWS_OK: *claims is the payload, a JSON object
 * without duplicate members, which the caller releases with json_decref(); a payload that is none
 * is JWS_NO_JWS. Else *claims is NULL. */
enum jws_result jws_verify(const struct jose_keys *keys, const char *text, size_t length,
                           struct json_t **claims);

/* The same with raw secrets and HS256 alone. */
enum jws_result jws_verify_hs256(char *const *secrets, size_t count, const char *text,
                                 size_t length, struct json_t **claims);

/* Signs with HS256 and a secret of at least JOSE_SECRET_MIN bytes. The caller frees; NULL: no
 * memory. */
char *jws_sign(const char *secret, const char *payload);

#endif
