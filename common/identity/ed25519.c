#include "identity/ed25519.h"

#include <cjose/base64.h>
#include <cjose/util.h>
#include <jansson.h>
#include <stdint.h>
#include <string.h>

static bool is_text(const json_t *jwk, const char *name, const char *wanted)
{
    const char *text = json_string_value(json_object_get(jwk, name));
    return text != NULL && strcmp(text, wanted) == 0;
}

EVP_PKEY *ed25519_from_jwk(const json_t *jwk)
{
    const json_t *x = json_object_get(jwk, "x");
    uint8_t *bytes = NULL;
    size_t size = 0;
    cjose_err ignored;
    if (!is_text(jwk, "kty", "OKP") || !is_text(jwk, "crv", "Ed25519") || !json_is_string(x) ||
        !cjose_base64url_decode(json_string_value(x), json_string_length(x), &bytes, &size,
                                &ignored))
        return NULL;
    EVP_PKEY *key = size == ED25519_KEY_SIZE
                        ? EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, bytes, size)
                        : NULL;
    cjose_get_dealloc()(bytes);
    return key;
}

bool ed25519_is(const EVP_PKEY *key)
{
    return key != NULL && EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519;
}

bool ed25519_verify(EVP_PKEY *key, const void *signature, size_t signature_length, const void *data,
                    size_t length)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool right = context != NULL && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
                 EVP_DigestVerify(context, signature, signature_length, data, length) == 1;
    EVP_MD_CTX_free(context);
    return right;
}

bool ed25519_sign(EVP_PKEY *key, unsigned char signature[ED25519_SIGNATURE_SIZE], const void *data,
                  size_t length)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    size_t size = ED25519_SIGNATURE_SIZE;
    bool good = context != NULL && EVP_DigestSignInit(context, NULL, NULL, NULL, key) == 1 &&
                EVP_DigestSign(context, signature, &size, data, length) == 1 &&
                size == ED25519_SIGNATURE_SIZE;
    EVP_MD_CTX_free(context);
    return good;
}
