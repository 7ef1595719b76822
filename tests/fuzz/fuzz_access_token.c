/* Access tokens: any bytes, then the same bytes as the claims of a well-signed one. */
#include "identity/access_token.h"
#include "identity/jws.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char secret[] = "0123456789abcdef0123456789abcdef";
static const struct access_token_rules rules = {NULL, NULL, 0};

static enum access_token_result read_token(const struct jose_keys *keys, const char *text,
                                           size_t length)
{
    struct identity identity;
    const char *why;
    enum access_token_result result =
        access_token_read(&identity, &rules, keys, text, length, 1700000000000, &why);
    if (result == ACCESS_TOKEN_OK &&
        (user_id_kind(identity.user, strlen(identity.user)) == USER_ID_INVALID ||
         identity.until_ms <= 1700000000000 ||
         (identity.info != NULL && strlen(identity.info) > ACCESS_TOKEN_INFO_MAX)))
        abort();
    identity_free(&identity);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char error[JOSE_KEYS_ERROR_SIZE];
    struct jose_keys *keys = jose_keys_parse(secret, strlen(secret), error);
    char *claims = calloc(1, size + 1);
    if (keys == NULL || claims == NULL ||
        read_token(keys, (const char *)data, size) == ACCESS_TOKEN_OK)
        abort();
    memcpy(claims, data, size);
    char *text = jws_sign(secret, claims);
    if (text != NULL)
        (void)read_token(keys, text, strlen(text));
    free(text);
    free(claims);
    jose_keys_free(&keys);
    return 0;
}
