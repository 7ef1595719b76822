/* The fields Signature-Input, Signature and Content-Digest, one a line. */
#include "identity/http_signature.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *header(const void *context, const char *name)
{
    (void)name;
    return context;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char value[] = "value";
    const struct http_signature_request request = {"POST", "http", "a.b:80", "/x?y", header, value};
    char *text = calloc(1, size + 3);
    if (text == NULL)
        abort();
    memcpy(text, data, size);
    char *input = text, *signed_by = input + strcspn(input, "\n");
    *signed_by++ = '\0';
    char *digest = signed_by + strcspn(signed_by, "\n");
    *digest++ = '\0';
    struct http_signature signature;
    if (http_signature_read(&signature, input, signed_by) == NULL) {
        struct bytes base = BYTES_EMPTY;
        if (http_signature_write_base(&base, &signature, &request) == NULL &&
            http_signature_is_hmac_sha256(&signature, &base, "secret", 6))
            abort();
        bytes_free(&base);
    }
    http_signature_free(&signature);
    (void)http_signature_digest_matches(digest, data, size);
    free(text);
    return 0;
}
