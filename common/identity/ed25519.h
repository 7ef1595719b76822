/* Ed25519 (RFC 8032): its keys in JWKs (RFC 8037) and its signatures. libcjose has none of them. */
#ifndef ESN_ED25519_H
#define ESN_ED25519_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>

struct json_t; /* jansson.h */

enum { ED25519_KEY_SIZE = 32, ED25519_SIGNATURE_SIZE = 64 };

/* The public key of a JWK, which the caller frees. NULL: it is not of type "OKP" and curve "Ed25519", its
 * "x" has not 32 bytes, or no memory. */
EVP_PKEY *ed25519_from_jwk(const struct json_t *jwk);
/* The key is one of Ed25519; NULL is none. */
bool ed25519_is(const EVP_PKEY *key);

bool ed25519_verify(EVP_PKEY *key, const void *signature, size_t signature_length, const void *data,
                    size_t length);
/* With a private key. False: it is none, or no memory. */
bool ed25519_sign(EVP_PKEY *key, unsigned char signature[ED25519_SIGNATURE_SIZE], const void *data,
                  size_t length);

#endif
