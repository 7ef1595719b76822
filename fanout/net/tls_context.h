/* What all TLS connections share: certificates by the names that clients ask for (SNI, RFC 6066
 * section 3), and the keys of session tickets (RFC 5077; RFC 8446 section 4.6.1). */
#ifndef ESN_TLS_CONTEXT_H
#define ESN_TLS_CONTEXT_H

#include "config/config.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    TLS_ERROR_SIZE = 512,
    TLS_RECORD = 16384, /* bytes at most (RFC 8446, section 5.1) */
    TLS_BATCH = 128 * 1024
};

/* Why a handshake, or what came after it, failed. */
enum tls_failure {
    TLS_FAILED_PLAIN,   /* spoke HTTP without TLS */
    TLS_FAILED_VERSION, /* no version in common */
    TLS_FAILED_CIPHER,  /* no cipher in common */
    TLS_FAILED_ALERT,   /* the client refused, such as a certificate that it does not trust */
    TLS_FAILED_OTHER,   /* anything else that is no TLS */
    TLS_UNFINISHED,     /* ended within the handshake, or was too slow */
    TLS_FAILURES
};

struct tls_counters {
    uint64_t sessions; /* alive */
    uint64_t handshakes, resumed;
    uint64_t failed[TLS_FAILURES];
};

/* Records of many connections, until they are sent together. Whoever sends them begins it anew. */
struct tls_batch {
    size_t used;
    char bytes[TLS_BATCH];
};

struct tls_context;

const char *tls_failure_name(enum tls_failure failure);

/* Of [fanout] tls_cert, tls_key, tls_min and tls_ticket_time. NULL with a sentence in error. */
struct tls_context *tls_context_open(const struct config *config, char error[TLS_ERROR_SIZE]);
/* Takes certificates and rules over for connections from now on; false with a sentence in error: all
 * stays as it was. */
bool tls_context_reload(struct tls_context *context, const struct config *config,
                        char error[TLS_ERROR_SIZE]);
/* Leaves NULL. */
void tls_context_close(struct tls_context **context);

/* Of a connection that was accepted; its bytes come and go by `bio` alone, which it owns from then
 * on. SSL_free() it. NULL without memory: `bio` is the caller's. */
SSL *tls_context_accept(struct tls_context *context, BIO *bio);

/* TLS_RECORD bytes each, for whoever opens or seals a record; nobody keeps anything there. */
char *tls_context_opened(struct tls_context *context);
char *tls_context_gathered(struct tls_context *context);
struct tls_batch *tls_context_batch(struct tls_context *context);
struct tls_counters *tls_context_counters(struct tls_context *context);

#endif
