/* HTTP Message Signatures (RFC 9421) of requests, with hmac-sha256 and ed25519, and the digest of a
 * body (RFC 9530). The request comes as its parts; nothing here reads a socket or knows who has
 * which key. */
#ifndef ESN_HTTP_SIGNATURE_H
#define ESN_HTTP_SIGNATURE_H

#include "bytes.h"
#include "identity/structured_field.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HTTP_SIGNATURE_COMPONENTS_MAX = 16, HTTP_SIGNATURE_SIZE_MAX = 64 };

/* What a signature may cover. A header is given in lower case; its value without blanks around,
 * lines of the same name joined by ", ". NULL: the request has no such header. */
struct http_signature_request {
    const char *method;
    const char *scheme;    /* "http" or "https" */
    const char *authority; /* host, and port unless it is the scheme's own */
    const char *target;    /* path and query as they were sent */
    const char *(*header)(const void *context, const char *name);
    const void *context;
};

struct http_signature {
    char label[STRUCTURED_FIELD_KEY_SIZE];
    char components[HTTP_SIGNATURE_COMPONENTS_MAX][STRUCTURED_FIELD_KEY_SIZE];
    size_t component_count;
    char keyid[STRUCTURED_FIELD_STRING_SIZE];     /* "": none */
    char algorithm[STRUCTURED_FIELD_KEY_SIZE];    /* "": none */
    int64_t created_s;                            /* -1: none */
    int64_t expires_s;                            /* -1: none */
    struct bytes parameters;                      /* as section 2.3 has them; owned */
    unsigned char value[HTTP_SIGNATURE_SIZE_MAX]; /* the signature */
    size_t value_length;
};

/* Reads the one signature of a request from its fields Signature-Input and Signature. NULL:
 * *signature is filled, and is to be freed; else what is wrong, static, and there is nothing to
 * free. */
const char *http_signature_read(struct http_signature *signature, const char *input,
                                const char *value);
void http_signature_free(struct http_signature *signature);

bool http_signature_covers(const struct http_signature *signature, const char *component);

/* Appends the signature base (section 2.5). NULL, or what is wrong: a component that the request
 * has not, that is not known, or that comes twice. */
const char *http_signature_write_base(struct bytes *out, const struct http_signature *signature,
                                      const struct http_signature_request *request);

/* In constant time. */
bool http_signature_is_hmac_sha256(const struct http_signature *signature, const struct bytes *base,
                                   const void *secret, size_t secret_length);
/* `key`: 32 bytes (RFC 8032). */
bool http_signature_is_ed25519(const struct http_signature *signature, const struct bytes *base,
                               const unsigned char key[32]);

/* The field Content-Digest has a sha-256 of these bytes, and no sha-256 of others. */
bool http_signature_digest_matches(const char *content_digest, const void *body, size_t length);

#endif
