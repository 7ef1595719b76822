#include "identity/jose_pem.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { COORDINATE_MAX = 66 /* bytes: P-521 */ };

static cjose_jwk_t *rsa_from(EVP_PKEY *key)
{
    BIGNUM *n = NULL, *e = NULL;
    cjose_jwk_t *jwk = NULL;
    cjose_err ignored;
    if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n) == 1 &&
        EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) == 1) {
        cjose_jwk_rsa_keyspec spec = {.nlen = (size_t)BN_num_bytes(n),
                                      .elen = (size_t)BN_num_bytes(e)};
        spec.n = malloc(spec.nlen + spec.elen);
        if (spec.n != NULL) {
            spec.e = spec.n + spec.nlen;
            BN_bn2bin(n, spec.n);
            BN_bn2bin(e, spec.e);
            jwk = cjose_jwk_create_RSA_spec(&spec, &ignored);
            free(spec.n);
        }
    }
    BN_free(n);
    BN_free(e);
    return jwk;
}

static cjose_jwk_ec_curve curve_of(EVP_PKEY *key, size_t *coordinate)
{
    char name[32] = "";
    size_t length;
    if (EVP_PKEY_get_group_name(key, name, sizeof name, &length) != 1)
        return CJOSE_JWK_EC_INVALID;
    if (strcmp(name, "prime256v1") == 0 || strcmp(name, "P-256") == 0)
        return *coordinate = 32, CJOSE_JWK_EC_P_256;
    if (strcmp(name, "secp384r1") == 0 || strcmp(name, "P-384") == 0)
        return *coordinate = 48, CJOSE_JWK_EC_P_384;
    if (strcmp(name, "secp521r1") == 0 || strcmp(name, "P-521") == 0)
        return *coordinate = 66, CJOSE_JWK_EC_P_521;
    return CJOSE_JWK_EC_INVALID;
}

static cjose_jwk_t *ec_from(EVP_PKEY *key)
{
    uint8_t x[COORDINATE_MAX], y[COORDINATE_MAX];
    BIGNUM *x_number = NULL, *y_number = NULL;
    cjose_jwk_t *jwk = NULL;
    cjose_err ignored;
    size_t size = 0;
    cjose_jwk_ec_curve curve = curve_of(key, &size);
    if (curve != CJOSE_JWK_EC_INVALID &&
        EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_EC_PUB_X, &x_number) == 1 &&
        EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_EC_PUB_Y, &y_number) == 1 &&
        BN_bn2binpad(x_number, x, (int)size) == (int)size &&
        BN_bn2binpad(y_number, y, (int)size) == (int)size) {
        const cjose_jwk_ec_keyspec spec = {
            .crv = curve, .x = x, .xlen = size, .y = y, .ylen = size};
        jwk = cjose_jwk_create_EC_spec(&spec, &ignored);
    }
    BN_free(x_number);
    BN_free(y_number);
    return jwk;
}

/* A public key by itself or a certificate's; NULL for any other block. */
static EVP_PKEY *open_block(const char *name, const unsigned char *data, long size)
{
    const unsigned char *at = data;
    EVP_PKEY *key = NULL;
    if (strcmp(name, PEM_STRING_PUBLIC) == 0) {
        key = d2i_PUBKEY(NULL, &at, size);
    } else if (strcmp(name, PEM_STRING_X509) == 0) {
        X509 *certificate = d2i_X509(NULL, &at, size);
        key = certificate != NULL ? X509_get_pubkey(certificate) : NULL;
        X509_free(certificate);
    }
    return key;
}

bool jose_pem_next(BIO *input, cjose_jwk_t **jwk)
{
    char *name = NULL, *header = NULL;
    unsigned char *data = NULL;
    long size = 0;
    *jwk = NULL;
    if (PEM_read_bio(input, &name, &header, &data, &size) != 1)
        return false;
    EVP_PKEY *key = open_block(name, data, size);
    int kind = key != NULL ? EVP_PKEY_get_base_id(key) : EVP_PKEY_NONE;
    if (kind == EVP_PKEY_RSA)
        *jwk = rsa_from(key);
    else if (kind == EVP_PKEY_EC)
        *jwk = ec_from(key);
    EVP_PKEY_free(key);
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(data);
    return true;
}
