#include "forged_jwt.h"

#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SIGNATURE_MAX = 1024 };

char *forged_base64url(const void *data, size_t length)
{
    char *text = malloc(length * 4 / 3 + 8);
    assert_non_null(text);
    int size = EVP_EncodeBlock((unsigned char *)text, data, (int)length);
    while (size > 0 && text[size - 1] == '=')
        size--;
    text[size] = '\0';
    for (char *at = text; *at != '\0'; at++)
        *at = *at == '+' ? '-' : *at == '/' ? '_' : *at;
    return text;
}

/* ECDSA in JOSE's form: both numbers in full length (RFC 7518, section 3.4). */
static size_t spread(unsigned char *signature, size_t length, size_t half)
{
    const unsigned char *at = signature;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)length);
    assert_non_null(pair);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(pair), signature, (int)half), (int)half);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(pair), signature + half, (int)half), (int)half);
    ECDSA_SIG_free(pair);
    return 2 * half;
}

static size_t sign_with_key(unsigned char out[SIGNATURE_MAX], const char *algorithm,
                            const EVP_MD *digest, EVP_PKEY *key, const char *text)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *options;
    size_t length = SIGNATURE_MAX;
    assert_int_equal(EVP_DigestSignInit(context, &options, digest, NULL, key), 1);
    if (*algorithm == 'P')
        assert_true(EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1 &&
                    EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) == 1);
    assert_int_equal(
        EVP_DigestSign(context, out, &length, (const unsigned char *)text, strlen(text)), 1);
    EVP_MD_CTX_free(context);
    if (*algorithm == 'E' && digest != NULL)
        length = spread(out, length, ((size_t)EVP_PKEY_get_bits(key) + 7) / 8);
    return length;
}

/* NULL for Ed25519, which takes the text itself. */
static const EVP_MD *digest_of(const char *algorithm)
{
    if (strcmp(algorithm, "EdDSA") == 0 || strcmp(algorithm, "Ed25519") == 0)
        return NULL;
    switch (atoi(algorithm + 2)) {
    case 256:
        return EVP_sha256();
    case 384:
        return EVP_sha384();
    default:
        return EVP_sha512();
    }
}

char *forged_jwt(const char *header, const char *claims, const char *algorithm, const char *secret,
                 EVP_PKEY *key)
{
    unsigned char signature[SIGNATURE_MAX];
    unsigned length = 0;
    char *first = forged_base64url(header, strlen(header));
    char *second = forged_base64url(claims, strlen(claims));
    size_t room = strlen(first) + strlen(second) + 2 * SIGNATURE_MAX;
    char *text = malloc(room);
    assert_non_null(text);
    (void)snprintf(text, room, "%s.%s", first, second);
    if (*algorithm == 'H')
        assert_non_null(HMAC(digest_of(algorithm), secret, (int)strlen(secret),
                             (const unsigned char *)text, strlen(text), signature, &length));
    else if (strcmp(algorithm, "none") != 0)
        length = (unsigned)sign_with_key(signature, algorithm, digest_of(algorithm), key, text);
    char *third = forged_base64url(signature, length);
    (void)snprintf(text + strlen(text), room - strlen(text), ".%s", third);
    free(first);
    free(second);
    free(third);
    return text;
}
