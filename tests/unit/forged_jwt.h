/* JWTs made by hand with OpenSSL, as any other library or an attacker could make them. */
#ifndef ESN_FORGED_JWT_H
#define ESN_FORGED_JWT_H

#include <openssl/evp.h>

/* Base64url without padding. The caller frees. */
char *forged_base64url(const void *data, size_t length);

/* header.claims.signature; `algorithm` says how it is signed, whatever the header says: "none" (an
 * empty signature), HS* with `secret`, RS*, PS*, ES*, EdDSA and Ed25519 with `key`. The caller frees. */
char *forged_jwt(const char *header, const char *claims, const char *algorithm, const char *secret,
                 EVP_PKEY *key);

#endif
