/* A key that signs JWTs of our own: the first secret of a file (HS256), or a private key in PEM
 * without passphrase (RSA of 2,048 bits or more: RS256; the curve P-256: ES256; Ed25519: EdDSA). */
#ifndef ESN_JWS_SIGNER_H
#define ESN_JWS_SIGNER_H

#include "identity/jose_keys.h"

#include <stdbool.h>
#include <stddef.h>

enum { JWS_SIGNER_KEY_SIZE = 32 };

struct jws_signer;

/* Of a file that nobody but owner and group can read. NULL with a sentence in error
 * (JOSE_KEYS_ERROR_SIZE). */
struct jws_signer *jws_signer_load(const char *path, char error[JOSE_KEYS_ERROR_SIZE]);
void jws_signer_free(struct jws_signer **signer);

/* What verifies its signatures, and with secrets those of all of its file. Borrowed. */
const struct jose_keys *jws_signer_keys(const struct jws_signer *signer);
/* A JWT, which the caller frees; NULL: no memory, or OpenSSL failed. Any thread. */
char *jws_signer_sign(const struct jws_signer *signer, const char *payload);
/* A key for other purposes, made from the file's content for the one that is named; false: OpenSSL
 * failed. */
bool jws_signer_derive(const struct jws_signer *signer, const char *purpose,
                       unsigned char key[JWS_SIGNER_KEY_SIZE]);

#endif
