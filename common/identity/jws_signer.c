#include "identity/jws_signer.h"

#include "bytes.h"
#include "identity/ed25519.h"
#include "identity/jose_key.h"
#include "identity/jose_pem.h"
#include "secret.h"

#include <cjose/base64.h>
#include <cjose/header.h>
#include <cjose/jws.h>
#include <cjose/util.h>
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
    struct jose_material material = {0};
    if (input != NULL)
        material = jose_pem_private(input);
    BIO_free(input);
    if (!jose_keys_add(signer->keys, material))
        return "is no private key in PEM without passphrase, of RSA (2,048 bits or more), of the "
               "curve P-256 or of Ed25519";
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
    static const char *const wanted[] = {"HS256", "RS256", "ES256", "EdDSA"};
    const struct jose_key *key = &signer->keys->keys[0];
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        for (size_t j = 0; key->algorithms[j] != NULL; j++)
            if (strcmp(key->algorithms[j], wanted[i]) == 0)
                signer->algorithm = wanted[i];
    return signer->algorithm != NULL
               ? NULL
               : "holds a key that cannot sign with HS256, RS256, ES256 or EdDSA";
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

static void append_base64url(struct bytes *out, const void *data, size_t length)
{
    char *text = NULL;
    size_t size = 0;
    cjose_err ignored;
    if (cjose_base64url_encode(data, length, &text, &size, &ignored))
        bytes_append(out, text, size);
    else
        out->failed = true;
    cjose_get_dealloc()(text);
}

static char *sign_with_ed25519(EVP_PKEY *key, const char *payload)
{
    static const char header[] = "{\"alg\":\"EdDSA\",\"typ\":\"JWT\"}";
    struct bytes out = BYTES_EMPTY;
    unsigned char signature[ED25519_SIGNATURE_SIZE];
    append_base64url(&out, header, sizeof header - 1);
    bytes_append_text(&out, ".");
    append_base64url(&out, payload, strlen(payload));
    bool good = !out.failed && ed25519_sign(key, signature, out.data, out.length);
    bytes_append_text(&out, ".");
    append_base64url(&out, signature, good ? sizeof signature : 0);
    const char *signed_text = bytes_terminate(&out); /* NULL without memory */
    char *text = good && signed_text != NULL ? strdup(signed_text) : NULL;
    bytes_free(&out);
    return text;
}

static char *sign_with_cjose(const struct jws_signer *signer, const char *payload)
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
        jws = cjose_jws_sign(signer->keys->keys[0].material.jwk, header, (const uint8_t *)payload,
                             strlen(payload), &ignored);
    if (jws != NULL && cjose_jws_export(jws, &compact, &ignored))
        text = strdup(compact);
    cjose_jws_release(jws);
    cjose_header_release(header);
    return text;
}

char *jws_signer_sign(const struct jws_signer *signer, const char *payload)
{
    EVP_PKEY *ed25519 = signer->keys->keys[0].material.ed25519;
    return ed25519 != NULL ? sign_with_ed25519(ed25519, payload) : sign_with_cjose(signer, payload);
}

bool jws_signer_derive(const struct jws_signer *signer, const char *purpose,
                       unsigned char key[JWS_SIGNER_KEY_SIZE])
{
    unsigned length = JWS_SIGNER_KEY_SIZE;
    return HMAC(EVP_sha256(), signer->seed, JWS_SIGNER_KEY_SIZE, (const unsigned char *)purpose,
                strlen(purpose), key, &length) != NULL;
}
