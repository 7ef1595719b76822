/* A certificate that nobody trusts and its key, in files of a folder of their own; and TLS with
 * them. */
#ifndef ESN_TEST_TLS_PAIR_H
#define ESN_TEST_TLS_PAIR_H

#include "config/config.h"
#include "net/tls_context.h"

struct tls_pair {
    char folder[32], certificate[64], key[64];
    struct config config; /* that has them, and nothing else */
    char *certificates[2], *keys[2];
};

/* Not to be moved then. */
void tls_pair_make(struct tls_pair *pair);
/* Another key, which is not that of the certificate. */
void tls_pair_spoil(const struct tls_pair *pair);
void tls_pair_remove(const struct tls_pair *pair);
struct tls_context *tls_pair_open(const struct tls_pair *pair);

#endif
