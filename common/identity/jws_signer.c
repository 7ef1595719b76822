#include "identity/jws_signer.h"

#include "identity/jose_key.h"
#include "identity/jose_pem.h"
#include "secret.h"

#include <cjose/header.h>
#include <cjose/jws.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_MAX = 65536 };

struct jws_signer {
    struct jose_keys *keys; /* the first one signs */
    const char *algorithm;
    unsigned char seed[EVP_MAX_MD_SIZE]; /* SHA-256 of what signs */
};

/* ---- reading ---- */

static bool is_pem(const char *text)
{
    return strncmp(text, "-----BEGIN", 10) == 0;
}

static const char *take_pem(struct jws_signer *signer, const char *text, size_t length)
{
    BIO *input = BIO_new_mem_buf(text, (int)length);
    cjose_jwk_t *jwk = input != NULL ? jose_pem_private(input) : NULL;
    BIO_free(input);
    if (jwk == NULL || !jose_keys_add(signer->keys, jwk))
        return "is no private key in PEM without passphrase, of RSA (2,048 bits or more) or of the "
               "curve P-256";
    return NULL;
}

static const char *take_secrets(struct jws_signer *signer, const char *text, size_t length)
{
    char fault[JOSE_KEYS_ERROR_SIZE];
    jose_keys_free(&signer->keys);
    signer->keys = jose_keys_parse(text, length, fault);
    return signer->keys != NULL ? NULL
                                : "should hold secrets of 32 characters or more, one a line, or a "
                                  "private key in PEM";
}

static const char *choose_algorithm(struct jws_signer *signer)
{
    static const char *const wanted[] = {"HS256", "RS256", "ES256"};
    const struct jose_key *key = &signer->keys->keys[0];
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        for (size_t j = 0; key->algorithms[j] != NULL; j++)
            if (strcmp(key->algorithms[j], wanted[i]) == 0)
                signer->algorithm = wanted[i];
    return signer->algorithm != NULL ? NULL
                                     : "holds a key that cannot sign with HS256, RS256 or ES256";
}

static const char *take(struct jws_signer *signer, const char *text, size_t length)
{
    signer->keys = jose_keys_new();
    if (signer->keys == NULL)
        return "no memory";
    const char *fault =
        is_pem(text) ? take_pem(signer, text, length) : take_secrets(signer, text, length);
    if (fault == NULL)
        fault = choose_algorithm(signer);
    if (fault == NULL && EVP_Digest(text, length, signer->seed, NULL, EVP_sha256(), NULL) != 1)
        fault = "no memory";
    return fault;
}

static bool read_file(char text[FILE_MAX + 1], size_t *length, const char *path,
                      char error[JOSE_KEYS_ERROR_SIZE])
{
    _Static_assert((int)SECRET_ERROR_SIZE <= (int)JOSE_KEYS_ERROR_SIZE, "a sentence has to fit");
    int file = secret_file_open(path, error);
    if (file < 0)
        return false;
    FILE *stream = fdopen(file, "r");
    if (stream == NULL) {
        (void)close(file);
        (void)snprintf(error, JOSE_KEYS_ERROR_SIZE, "%.100s: no memory", path);
        return false;
    }
    *length = fread(text, 1, FILE_MAX, stream);
    text[*length] = '\0';
    bool good = !ferror(stream);
    (void)fclose(stream);
    if (!good)
        (void)snprintf(error, JOSE_KEYS_ERROR_SIZE, "%.100s: cannot be read", path);
    return good;
}

struct jws_signer *jws_signer_load(const char *path, char error[JOSE_KEYS_ERROR_SIZE])
{
    char text[FILE_MAX + 1];
    size_t length;
    if (!read_file(text, &length, path, error))
        return NULL;
    struct jws_signer *signer = calloc(1, sizeof *signer);
    const char *fault = signer != NULL ? take(signer, text, length) : "no memory";
    if (fault != NULL) {
        (void)snprintf(error, JOSE_KEYS_ERROR_SIZE, "%.100s: %s", path, fault);
        jws_signer_free(&signer);
    }
    explicit_bzero(text, sizeof text);
    return signer;
}

void jws_signer_free(struct jws_signer **signer)
{
    if (*signer == NULL)
        return;
    jose_keys_free(&(*signer)->keys);
    explicit_bzero(*signer, sizeof **signer);
    free(*signer);
    *signer = NULL;
}

const struct jose_keys *jws_signer_keys(const struct jws_signer *signer)
{
    return signer->keys;
}

/* ---- signing ---- */

char *jws_signer_sign(const struct jws_signer *signer, const char *payload)
{
    cjose_err ignored;
    char *text = NULL;
    const char *compact;
    cjose_jws_t *jws = NULL;
    cjose_header_t *header = cjose_header_new(&ignored);
    if (header == NULL)
        return NULL;
    if (cjose_header_set(header, CJOSE_HDR_ALG, signer->algorithm, &ignored) &&
        cjose_header_set(header, "typ", "JWT", &ignored))
        jws = cjose_jws_sign(signer->keys->keys[0].jwk, header, (const uint8_t *)payload,
                             strlen(payload), &ignored);
    if (jws != NULL && cjose_jws_export(jws, &compact, &ignored))
        text = strdup(compact);
    cjose_jws_release(jws);
    cjose_header_release(header);
    return text;
}

bool jws_signer_derive(const struct jws_signer *signer, const char *purpose,
                       unsigned char key[JWS_SIGNER_KEY_SIZE])
{
    unsigned length = JWS_SIGNER_KEY_SIZE;
    return HMAC(EVP_sha256(), signer->seed, JWS_SIGNER_KEY_SIZE, (const unsigned char *)purpose,
                strlen(purpose), key, &length) != NULL;
}
