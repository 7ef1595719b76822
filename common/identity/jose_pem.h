/* Public keys in PEM (RFC 7468), by themselves or in certificates, as libcjose has keys. */
#ifndef ESN_JOSE_PEM_H
#define ESN_JOSE_PEM_H

#include <cjose/jwk.h>
#include <openssl/bio.h>
#include <stdbool.h>

/* Reads the next PEM block. False: there is none. True: *jwk is its key, which the caller releases,
 * or NULL when it is no public key of RSA or of the curves P-256, P-384 and P-521. */
bool jose_pem_next(BIO *input, cjose_jwk_t **jwk);

#endif
