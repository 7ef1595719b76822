#include "identity/jose_keys.h"

#include "bytes.h"
#include "identity/ed25519.h"
#include "identity/jose_key.h"
#include "identity/jose_pem.h"
#include "secret.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RSA_BITS_MIN = 2048 /* RFC 7518, section 3.3 */ };

/* What a key of a type may verify when it does not say so itself. */
static const char *const rsa_algorithms[] = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"};
/* RFC 8037, section 3.1, and its newer name (RFC 9864, section 2.2). */
static const char *const ed25519_algorithms[] = {"EdDSA", "Ed25519"};

/* ---- the set ---- */

bool jose_material_is_some(const struct jose_material *material)
{
    return material->jwk != NULL || material->ed25519 != NULL;
}

void jose_material_release(struct jose_material *material)
{
    if (material->jwk != NULL)
        cjose_jwk_release(material->jwk);
    EVP_PKEY_free(material->ed25519);
    *material = (struct jose_material){0};
}

static void free_key(struct jose_key *key)
{
    jose_material_release(&key->material);
    free(key->kid);
}

struct jose_keys *jose_keys_new(void)
{
    return calloc(1, sizeof(struct jose_keys) + JOSE_KEYS_MAX * sizeof(struct jose_key));
}

void jose_keys_free(struct jose_keys **keys)
{
    if (*keys == NULL)
        return;
    for (size_t i = 0; i < (*keys)->count; i++)
        free_key(&(*keys)->keys[i]);
    free(*keys);
    *keys = NULL;
}

bool jose_is_base64url(const char *text, size_t length)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    return length % 4 != 1 && strspn(text, letters) == length;
}

size_t jose_keys_count(const struct jose_keys *keys)
{
    return keys->count;
}

bool jose_keys_has(const struct jose_keys *keys, const char *kid)
{
    for (size_t i = 0; i < keys->count; i++)
        if (keys->keys[i].kid != NULL && strcmp(keys->keys[i].kid, kid) == 0)
            return true;
    return false;
}

static void allow(struct jose_key *key, const char *algorithm)
{
    size_t count = 0;
    while (key->algorithms[count] != NULL)
        count++;
    if (count < JOSE_ALGORITHM_MAX)
        key->algorithms[count] = algorithm;
}

static void allow_hmac(struct jose_key *key, size_t bytes)
{
    if (bytes >= 32)
        allow(key, "HS256");
    if (bytes >= 48)
        allow(key, "HS384");
    if (bytes >= 64)
        allow(key, "HS512");
}

static void allow_by_curve(struct jose_key *key)
{
    cjose_err ignored;
    switch (cjose_jwk_EC_get_curve(key->material.jwk, &ignored)) {
    case CJOSE_JWK_EC_P_256:
        allow(key, "ES256");
        break;
    case CJOSE_JWK_EC_P_384:
        allow(key, "ES384");
        break;
    case CJOSE_JWK_EC_P_521:
        allow(key, "ES512");
        break;
    default:
        break;
    }
}

/* All that the key's type can do. */
static void allow_by_type(struct jose_key *key)
{
    const cjose_jwk_t *jwk = key->material.jwk;
    cjose_err ignored;
    if (jwk == NULL) {
        for (size_t i = 0; i < sizeof ed25519_algorithms / sizeof *ed25519_algorithms; i++)
            allow(key, ed25519_algorithms[i]);
        return;
    }
    size_t bits = cjose_jwk_get_keysize(jwk, &ignored);
    switch (cjose_jwk_get_kty(jwk, &ignored)) {
    case CJOSE_JWK_KTY_RSA:
        for (size_t i = 0; i < JOSE_ALGORITHM_MAX && bits >= RSA_BITS_MIN; i++)
            allow(key, rsa_algorithms[i]);
        break;
    case CJOSE_JWK_KTY_OCT:
        allow_hmac(key, bits / 8);
        break;
    case CJOSE_JWK_KTY_EC:
        allow_by_curve(key);
        break;
    }
}

/* Leaves of what the type can do the one that the key is for. */
static void keep_only(struct jose_key *key, const char *algorithm)
{
    const char *kept = NULL;
    for (size_t i = 0; key->algorithms[i] != NULL; i++)
        if (strcmp(key->algorithms[i], algorithm) == 0)
            kept = key->algorithms[i];
    memset(key->algorithms, 0, sizeof key->algorithms);
    key->algorithms[0] = kept;
}

/* Takes over `material`. False when it cannot be added: then nothing is. */
static bool add(struct jose_keys *keys, struct jose_material material, const char *kid,
                const char *algorithm)
{
    struct jose_key key = {.material = material};
    if (!jose_material_is_some(&material))
        return false;
    allow_by_type(&key);
    if (algorithm != NULL)
        keep_only(&key, algorithm);
    bool usable = key.algorithms[0] != NULL && keys->count < JOSE_KEYS_MAX;
    if (usable && kid != NULL)
        usable = (key.kid = strdup(kid)) != NULL;
    if (!usable) {
        free_key(&key);
        return false;
    }
    keys->keys[keys->count++] = key;
    return true;
}

bool jose_keys_add(struct jose_keys *keys, struct jose_material material)
{
    return add(keys, material, NULL, NULL);
}

/* ---- JWK Sets ---- */

static bool verifies(const json_t *jwk)
{
    const char *use = json_string_value(json_object_get(jwk, "use"));
    const json_t *operations = json_object_get(jwk, "key_ops");
    if (use != NULL && strcmp(use, "sig") != 0)
        return false;
    if (operations == NULL)
        return true;
    for (size_t i = 0; i < json_array_size(operations); i++) {
        const char *operation = json_string_value(json_array_get(operations, i));
        if (operation != NULL && strcmp(operation, "verify") == 0)
            return true;
    }
    return false;
}

/* libcjose 0.6.2 ends the program by an assertion at numbers that are no base64url. */
static bool has_sound_numbers(const json_t *jwk)
{
    static const char *const names[] = {"n", "e", "d", "p", "q", "dp", "dq", "qi", "x", "y", "k"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const json_t *number = json_object_get(jwk, names[i]);
        if (json_is_string(number) &&
            !jose_is_base64url(json_string_value(number), json_string_length(number)))
            return false;
    }
    return true;
}

static struct jose_material import_jwk(const json_t *jwk)
{
    struct jose_material material = {.ed25519 = ed25519_from_jwk(jwk)};
    char *text = material.ed25519 == NULL ? json_dumps(jwk, JSON_COMPACT) : NULL;
    cjose_err ignored;
    if (text != NULL)
        material.jwk = cjose_jwk_import(text, strlen(text), &ignored);
    free(text);
    return material;
}

/* One that cannot be used is passed over. */
static void add_jwk(struct jose_keys *keys, const json_t *jwk)
{
    if (json_is_object(jwk) && verifies(jwk) && has_sound_numbers(jwk))
        (void)add(keys, import_jwk(jwk), json_string_value(json_object_get(jwk, "kid")),
                  json_string_value(json_object_get(jwk, "alg")));
}

static const char *parse_json(struct jose_keys *keys, const char *text, size_t length)
{
    json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
    if (root == NULL)
        return "no JSON";
    const json_t *list = json_object_get(root, "keys");
    if (list == NULL)
        add_jwk(keys, root);
    for (size_t i = 0; i < json_array_size(list) && i < JOSE_KEYS_MAX; i++)
        add_jwk(keys, json_array_get(list, i));
    json_decref(root);
    return keys->count > 0 ? NULL : "no key that can verify a signature";
}

/* ---- PEM and raw secrets ---- */

static bool add_secret(struct jose_keys *keys, const char *text, size_t size)
{
    cjose_err ignored;
    struct jose_material material = {
        .jwk = cjose_jwk_create_oct_spec((const uint8_t *)text, size, &ignored)};
    return jose_keys_add(keys, material);
}

static const char *parse_pem(struct jose_keys *keys, const char *text, size_t length)
{
    BIO *input = BIO_new_mem_buf(text, (int)length);
    struct jose_material material;
    bool readable = input != NULL;
    while (readable && jose_pem_next(input, &material))
        readable = jose_keys_add(keys, material);
    BIO_free(input);
    if (!readable || keys->count == 0)
        return "a PEM block is no public key or certificate of RSA (2,048 bits or more), of the "
               "curves P-256, P-384, P-521 or of Ed25519";
    return NULL;
}

static const char *parse_secrets(struct jose_keys *keys, const char *text, size_t length)
{
    const char *end = text + length;
    while (text < end) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        const char *next = stop != NULL ? stop + 1 : end;
        if (stop == NULL)
            stop = end;
        while (stop > text && (stop[-1] == '\r' || stop[-1] == ' ' || stop[-1] == '\t'))
            stop--;
        size_t size = (size_t)(stop - text);
        if (size > 0 && *text != '#') {
            if (size < JOSE_SECRET_MIN)
                return "a secret has fewer than 32 characters";
            if (!add_secret(keys, text, size))
                return "too many secrets, or no memory";
        }
        text = next;
    }
    return keys->count > 0 ? NULL : "no key in it";
}

/* ---- what it is ---- */

struct jose_keys *jose_keys_parse(const char *text, size_t length, char error[JOSE_KEYS_ERROR_SIZE])
{
    static const char mark[] = "\xef\xbb\xbf";
    struct jose_keys *keys = jose_keys_new();
    const char *fault = "out of memory";
    if (length >= 3 && memcmp(text, mark, 3) == 0) {
        text += 3;
        length -= 3;
    }
    while (length > 0 && strchr(" \t\r\n", *text) != NULL && *text != '\0') {
        text++;
        length--;
    }
    if (keys != NULL && length > JOSE_KEYS_TEXT_MAX)
        fault = "longer than 256 KiB";
    else if (keys != NULL && length > 0 && *text == '{')
        fault = parse_json(keys, text, length);
    else if (keys != NULL && length > 10 && memcmp(text, "-----BEGIN", 10) == 0)
        fault = parse_pem(keys, text, length);
    else if (keys != NULL)
        fault = parse_secrets(keys, text, length);
    if (fault != NULL) {
        snprintf(error, JOSE_KEYS_ERROR_SIZE, "%s", fault);
        jose_keys_free(&keys);
    }
    return keys;
}

/* ---- sets that anybody can read ---- */

static bool is_secret(const struct jose_key *key)
{
    cjose_err ignored;
    const cjose_jwk_t *jwk = key->material.jwk;
    return jwk != NULL && cjose_jwk_get_kty(jwk, &ignored) == CJOSE_JWK_KTY_OCT;
}

/* Whoever can read them could sign. */
static void drop_secrets(struct jose_keys *keys)
{
    size_t kept = 0;
    for (size_t i = 0; i < keys->count; i++) {
        if (!is_secret(&keys->keys[i])) {
            keys->keys[kept++] = keys->keys[i];
            continue;
        }
        free_key(&keys->keys[i]);
    }
    keys->count = kept;
}

struct jose_keys *jose_keys_parse_public_set(const char *text, size_t length,
                                             char error[JOSE_KEYS_ERROR_SIZE])
{
    struct jose_keys *keys = jose_keys_new();
    const char *fault = keys == NULL ? "out of memory" : NULL;
    if (fault == NULL && length > JOSE_KEYS_TEXT_MAX)
        fault = "longer than 256 KiB";
    if (fault == NULL)
        fault = parse_json(keys, text, length);
    if (fault == NULL) {
        drop_secrets(keys);
        if (keys->count == 0)
            fault = "no public key that can verify a signature";
    }
    if (fault != NULL) {
        (void)snprintf(error, JOSE_KEYS_ERROR_SIZE, "%s", fault);
        jose_keys_free(&keys);
    }
    return keys;
}

/* ---- files ---- */

static bool has_secret(const struct jose_keys *keys)
{
    for (size_t i = 0; i < keys->count; i++)
        if (is_secret(&keys->keys[i]))
            return true;
    return false;
}

/* All of a regular file, at most a byte more than a set may have. */
static bool read_all(int file, struct bytes *out)
{
    while (bytes_reserve(out, 4096) && out->length <= JOSE_KEYS_TEXT_MAX) {
        ssize_t got = read(file, out->data + out->length, 4096);
        if (got == 0)
            return true;
        if (got < 0 && errno != EINTR)
            return false;
        if (got > 0)
            out->length += (size_t)got;
    }
    return !out->failed;
}

static bool read_file(const char *path, struct bytes *out, struct stat *status,
                      char error[JOSE_KEYS_ERROR_SIZE])
{
    _Static_assert((int)JOSE_KEYS_ERROR_SIZE >= (int)SECRET_ERROR_SIZE, "a sentence has to fit");
    int file = secret_public_file_open(path, error);
    if (file < 0)
        return false;
    bool good = fstat(file, status) == 0 && read_all(file, out);
    if (!good)
        (void)snprintf(error, JOSE_KEYS_ERROR_SIZE, "cannot read %s: %s", path, strerror(errno));
    (void)close(file);
    return good;
}

struct jose_keys *jose_keys_load(const char *path, char error[JOSE_KEYS_ERROR_SIZE])
{
    struct bytes text = BYTES_EMPTY;
    struct stat status;
    struct jose_keys *keys = NULL;
    char fault[JOSE_KEYS_ERROR_SIZE];
    if (read_file(path, &text, &status, error) &&
        (keys = jose_keys_parse(text.data != NULL ? text.data : "", text.length, fault)) == NULL) {
        snprintf(error, JOSE_KEYS_ERROR_SIZE, "%s: %.180s", path, fault);
    } else if (keys != NULL && has_secret(keys) && (status.st_mode & S_IRWXO) != 0) {
        snprintf(error, JOSE_KEYS_ERROR_SIZE,
                 "%s holds a secret and others can open it: chmod o= it", path);
        jose_keys_free(&keys);
    }
    if (text.data != NULL)
        OPENSSL_cleanse(text.data, text.length);
    bytes_free(&text);
    return keys;
}
