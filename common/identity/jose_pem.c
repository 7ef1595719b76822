#include "identity/jose_pem.h"

#include "identity/ed25519.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { COORDINATE_MAX = 66 /* bytes: P-521 */ };

/* Makes room for the bytes of a number of the key, in *out, owned. A number that it does not have is none. */
static bool take_number(EVP_PKEY *key, const char *name, uint8_t **out, size_t *length)
{
    BIGNUM *number = NULL;
    *out = NULL;
    *length = 0;
    if (EVP_PKEY_get_bn_param(key, name, &number) != 1)
        return true;
    *length = (size_t)BN_num_bytes(number);
    *out = malloc(*length + 1);
    if (*out != NULL)
        (void)BN_bn2bin(number, *out);
    BN_clear_free(number);
    return *out != NULL;
}

static void free_number(uint8_t *number, size_t length)
{
    if (number != NULL)
        explicit_bzero(number, length);
    free(number);
}

/* With its secret numbers when `is_private`. */
static cjose_jwk_t *rsa_from(EVP_PKEY *key, bool is_private)
{
    cjose_jwk_rsa_keyspec spec = {0};
    const struct {
        const char *name;
        uint8_t **bytes;
        size_t *length;
    } numbers[] = {{OSSL_PKEY_PARAM_RSA_N, &spec.n, &spec.nlen},
                   {OSSL_PKEY_PARAM_RSA_E, &spec.e, &spec.elen},
                   {OSSL_PKEY_PARAM_RSA_D, &spec.d, &spec.dlen},
                   {OSSL_PKEY_PARAM_RSA_FACTOR1, &spec.p, &spec.plen},
                   {OSSL_PKEY_PARAM_RSA_FACTOR2, &spec.q, &spec.qlen},
                   {OSSL_PKEY_PARAM_RSA_EXPONENT1, &spec.dp, &spec.dplen},
                   {OSSL_PKEY_PARAM_RSA_EXPONENT2, &spec.dq, &spec.dqlen},
                   {OSSL_PKEY_PARAM_RSA_COEFFICIENT1, &spec.qi, &spec.qilen}};
    enum { ALL = sizeof numbers / sizeof *numbers, PUBLIC = 2 };
    size_t wanted = is_private ? ALL : PUBLIC;
    bool good = true;
    cjose_err ignored;
    for (size_t i = 0; i < wanted; i++)
        good = take_number(key, numbers[i].name, numbers[i].bytes, numbers[i].length) && good;
    good = good && spec.n != NULL && spec.e != NULL && (!is_private || spec.d != NULL);
    cjose_jwk_t *jwk = good ? cjose_jwk_create_RSA_spec(&spec, &ignored) : NULL;
    for (size_t i = 0; i < wanted; i++)
        free_number(*numbers[i].bytes, *numbers[i].length);
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

static cjose_jwk_t *ec_from(EVP_PKEY *key, bool is_private)
{
    uint8_t x[COORDINATE_MAX], y[COORDINATE_MAX], d[COORDINATE_MAX];
    BIGNUM *x_number = NULL, *y_number = NULL, *d_number = NULL;
    cjose_jwk_t *jwk = NULL;
    cjose_err ignored;
    size_t size = 0;
    cjose_jwk_ec_curve curve = curve_of(key, &size);
    if (curve != CJOSE_JWK_EC_INVALID &&
        EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_EC_PUB_X, &x_number) == 1 &&
        EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_EC_PUB_Y, &y_number) == 1 &&
        BN_bn2binpad(x_number, x, (int)size) == (int)size &&
        BN_bn2binpad(y_number, y, (int)size) == (int)size &&
        (!is_private || (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &d_number) == 1 &&
                         BN_bn2binpad(d_number, d, (int)size) == (int)size))) {
        const cjose_jwk_ec_keyspec spec = {.crv = curve,
                                           .d = is_private ? d : NULL,
                                           .dlen = is_private ? size : 0,
                                           .x = x,
                                           .xlen = size,
                                           .y = y,
                                           .ylen = size};
        jwk = cjose_jwk_create_EC_spec(&spec, &ignored);
    }
    BN_free(x_number);
    BN_free(y_number);
    BN_clear_free(d_number);
    explicit_bzero(d, sizeof d);
    return jwk;
}

/* Takes over `key`, which may be NULL. */
static struct jose_material material_of(EVP_PKEY *key, bool is_private)
{
    struct jose_material material = {0};
    if (ed25519_is(key)) {
        material.ed25519 = key;
        return material;
    }
    int type = key != NULL ? EVP_PKEY_get_base_id(key) : EVP_PKEY_NONE;
    if (type == EVP_PKEY_RSA)
        material.jwk = rsa_from(key, is_private);
    else if (type == EVP_PKEY_EC)
        material.jwk = ec_from(key, is_private);
    EVP_PKEY_free(key);
    return material;
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

bool jose_pem_next(BIO *input, struct jose_material *material)
{
    char *name = NULL, *header = NULL;
    unsigned char *data = NULL;
    long size = 0;
    *material = (struct jose_material){0};
    if (PEM_read_bio(input, &name, &header, &data, &size) != 1)
        return false;
    *material = material_of(open_block(name, data, size), false);
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(data);
    return true;
}

/* Instead of asking for a passphrase on the terminal. */
static int have_no_passphrase(char *buffer, int size, int writing, void *context)
{
    (void)buffer, (void)size, (void)writing, (void)context;
    return -1;
}

struct jose_material jose_pem_private(BIO *input)
{
    return material_of(PEM_read_bio_PrivateKey(input, NULL, have_no_passphrase, NULL), true);
}
