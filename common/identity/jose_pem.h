/* Keys in PEM (RFC 7468), as libcjose has keys: public ones, by themselves or in certificates, and private ones. */
#ifndef ESN_JOSE_PEM_H
#define ESN_JOSE_PEM_H

#include <cjose/jwk.h>
#include <openssl/bio.h>
#include <stdbool.h>

/* Reads the next PEM block. False: there is none. True: *jwk is its key, which the caller releases,
 * or NULL when it is no public key of RSA or of the curves P-256, P-384 and P-521. */
bool jose_pem_next(BIO *input, cjose_jwk_t **jwk);

/* The private key of the first PEM block, which is not to be encrypted. NULL: it is none of RSA or of these curves. */
cjose_jwk_t *jose_pem_private(BIO *input);

#endif
