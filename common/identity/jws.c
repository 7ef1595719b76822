#include "identity/jws.h"

#include "identity/ed25519.h"
#include "identity/jose_key.h"

#include <cjose/base64.h>
#include <cjose/header.h>
#include <cjose/jws.h>
#include <cjose/util.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_MAX = 2048 /* characters */ };

/* What is looked at before libcjose sees a token, which reads, and in version 0.6.2 keeps memory,
 * before it refuses. */
struct jws_shape {
    json_t *header;
    const char *algorithm;
    const char *kid;         /* NULL: none */
    size_t signature_length; /* characters */
};

static bool has_shape(const char *text, size_t length, size_t *header_length,
                      size_t *signature_length)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t dots = 0, part = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '.') {
            if (part == 0 || part % 4 == 1)
                return false;
            if (dots++ == 0)
                *header_length = part;
            part = 0;
        } else if (text[i] == '\0' || strchr(letters, text[i]) == NULL) {
            return false;
        } else {
            part++;
        }
    }
    *signature_length = part;
    return dots == 2 && part > 0 && part % 4 != 1;
}

/* NULL: it is no JSON object, or one that names a member twice. */
static json_t *load_object(const char *text, size_t length)
{
    json_t *json = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(json)) {
        json_decref(json);
        return NULL;
    }
    return json;
}

static json_t *open_json(const char *text, size_t length)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    cjose_err ignored;
    if (!cjose_base64url_decode(text, length, &bytes, &size, &ignored))
        return NULL;
    json_t *json = load_object((const char *)bytes, size);
    cjose_get_dealloc()(bytes);
    return json;
}

/* The caller releases shape->header, also after false. */
static bool read_shape(struct jws_shape *shape, const char *text, size_t length)
{
    size_t header_length = 0;
    *shape = (struct jws_shape){0};
    if (length > JWS_SIZE_MAX ||
        !has_shape(text, length, &header_length, &shape->signature_length) ||
        header_length > HEADER_MAX || (shape->header = open_json(text, header_length)) == NULL)
        return false;
    const json_t *kid = json_object_get(shape->header, "kid");
    shape->algorithm = json_string_value(json_object_get(shape->header, "alg"));
    shape->kid = json_string_value(kid);
    return shape->algorithm != NULL && (kid == NULL || shape->kid != NULL) &&
           json_object_get(shape->header, "crit") == NULL;
}

static bool is_for(const struct jose_key *key, const char *algorithm)
{
    for (size_t i = 0; key->algorithms[i] != NULL; i++)
        if (strcmp(key->algorithms[i], algorithm) == 0)
            return true;
    return false;
}

/* libcjose 0.6.2 halves an ECDSA signature wherever its middle is, and reads past the end of one of
 * HMAC that is too short: their length is for us to check (RFC 7518, sections 3.2 and 3.4). */
static bool fits(const struct jws_shape *shape)
{
    static const struct {
        const char *algorithm;
        size_t characters;
    } lengths[] = {{"HS256", 43},  {"HS384", 64},  {"HS512", 86}, {"ES256", 86},
                   {"ES384", 128}, {"ES512", 176}, {"EdDSA", 86}, {"Ed25519", 86}};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        if (strcmp(lengths[i].algorithm, shape->algorithm) == 0)
            return shape->signature_length == lengths[i].characters;
    return true;
}

/* json_null(): signed, but no claims. */
static json_t *or_null(json_t *claims)
{
    return claims != NULL ? claims : json_null();
}

/* Of a text that has the shape. */
static json_t *open_with_ed25519(EVP_PKEY *key, const char *text, size_t length)
{
    const char *first = memchr(text, '.', length);
    const char *last = first;
    const char *end = text + length;
    for (const char *at = first; at != NULL; at = memchr(at + 1, '.', (size_t)(end - at) - 1))
        last = at;
    uint8_t *signature = NULL;
    size_t size = 0;
    cjose_err ignored;
    if (!cjose_base64url_decode(last + 1, (size_t)(end - last) - 1, &signature, &size, &ignored))
        return NULL;
    bool right = ed25519_verify(key, signature, size, text, (size_t)(last - text));
    cjose_get_dealloc()(signature);
    return right ? or_null(open_json(first + 1, (size_t)(last - first) - 1)) : NULL;
}

/* A new one for each key: a used one keeps the digest of before. */
static json_t *open_with_cjose(const cjose_jwk_t *key, const char *text, size_t length)
{
    cjose_err ignored;
    json_t *claims = NULL;
    uint8_t *payload;
    size_t size;
    cjose_jws_t *jws = cjose_jws_import(text, length, &ignored);
    if (jws != NULL && cjose_jws_verify(jws, key, &ignored) &&
        cjose_jws_get_plaintext(jws, &payload, &size, &ignored))
        claims = or_null(load_object((const char *)payload, size));
    cjose_jws_release(jws);
    return claims;
}

/* NULL: not its signature. */
static json_t *open_with(const struct jose_material *key, const char *text, size_t length)
{
    return key->ed25519 != NULL ? open_with_ed25519(key->ed25519, text, length)
                                : open_with_cjose(key->jwk, text, length);
}

enum jws_result jws_verify(const struct jose_keys *keys, const char *text, size_t length,
                           struct json_t **claims)
{
    struct jws_shape shape;
    enum jws_result result = JWS_REFUSED;
    *claims = NULL;
    if (!read_shape(&shape, text, length)) {
        json_decref(shape.header);
        return JWS_NO_JWS;
    }
    bool named = shape.kid != NULL && jose_keys_has(keys, shape.kid);
    bool candidates = false;
    for (size_t i = 0; i < keys->count && *claims == NULL && fits(&shape); i++) {
        const struct jose_key *key = &keys->keys[i];
        bool meant = named ? key->kid != NULL && strcmp(key->kid, shape.kid) == 0
                           : shape.kid == NULL || key->kid == NULL;
        candidates = candidates || meant;
        if (meant && is_for(key, shape.algorithm))
            *claims = open_with(&key->material, text, length);
    }
    if (*claims != NULL)
        result = json_is_null(*claims) ? JWS_NO_JWS : JWS_OK;
    else if (shape.kid != NULL && !candidates && fits(&shape))
        result = JWS_UNKNOWN_KEY;
    if (result != JWS_OK)
        *claims = NULL; /* json_null() is not counted */
    json_decref(shape.header);
    return result;
}

enum jws_result jws_verify_hs256(char *const *secrets, size_t count, const char *text,
                                 size_t length, struct json_t **claims)
{
    struct jws_shape shape;
    enum jws_result result = JWS_REFUSED;
    *claims = NULL;
    if (!read_shape(&shape, text, length)) {
        json_decref(shape.header);
        return JWS_NO_JWS;
    }
    for (size_t i = 0; i < count && result == JWS_REFUSED; i++) {
        cjose_err ignored;
        struct jose_key key = {.algorithms = {"HS256"}};
        if (!is_for(&key, shape.algorithm) || !fits(&shape))
            break;
        key.material.jwk =
            cjose_jwk_create_oct_spec((const uint8_t *)secrets[i], strlen(secrets[i]), &ignored);
        if (key.material.jwk == NULL) {
            result = JWS_NO_MEMORY;
            break;
        }
        *claims = open_with(&key.material, text, length);
        if (*claims != NULL)
            result = json_is_object(*claims) ? JWS_OK : JWS_NO_JWS;
        jose_material_release(&key.material);
    }
    if (result != JWS_OK)
        *claims = NULL; /* json_null() is not counted */
    json_decref(shape.header);
    return result;
}

char *jws_sign(const char *secret, const char *payload)
{
    cjose_err ignored;
    char *text = NULL;
    const char *compact;
    cjose_jwk_t *key = cjose_jwk_create_oct_spec((const uint8_t *)secret, strlen(secret), &ignored);
    cjose_header_t *header = cjose_header_new(&ignored);
    cjose_jws_t *jws = NULL;
    if (key != NULL && header != NULL &&
        cjose_header_set(header, CJOSE_HDR_ALG, CJOSE_HDR_ALG_HS256, &ignored) &&
        cjose_header_set(header, "typ", "JWT", &ignored))
        jws = cjose_jws_sign(key, header, (const uint8_t *)payload, strlen(payload), &ignored);
    if (jws != NULL && cjose_jws_export(jws, &compact, &ignored))
        text = strdup(compact);
    cjose_jws_release(jws);
    if (header != NULL)
        cjose_header_release(header);
    if (key != NULL)
        cjose_jwk_release(key);
    return text;
}
