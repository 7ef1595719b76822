/* Keys in PEM (RFC 7468): public ones, by themselves or in certificates, and private ones. */
#ifndef ESN_JOSE_PEM_H
#define ESN_JOSE_PEM_H

#include "identity/jose_key.h"

#include <openssl/bio.h>
#include <stdbool.h>

/* Reads the next PEM block. False: there is none. True: *material is its key, which the caller
 * releases, or empty when it is no public key of RSA, of the curves P-256, P-384 and P-521, or of
 * Ed25519. */
bool jose_pem_next(BIO *input, struct jose_material *material);

/* The private key of the first PEM block, which is not to be encrypted. Empty: it is none of
 * these. */
struct jose_material jose_pem_private(BIO *input);

#endif
