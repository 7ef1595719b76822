#include "identity/http_signature.h"

#include "identity/ed25519.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <string.h>

void http_signature_free(struct http_signature *signature)
{
    bytes_free(&signature->parameters);
    *signature = (struct http_signature){0};
}

bool http_signature_covers(const struct http_signature *signature, const char *component)
{
    for (size_t i = 0; i < signature->component_count; i++)
        if (strcmp(signature->components[i], component) == 0)
            return true;
    return false;
}

/* ---- reading ---- */

static void write_string(struct bytes *out, const char *text)
{
    bytes_append(out, "\"", 1);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            bytes_append(out, "\\", 1);
        bytes_append(out, text, 1);
    }
    bytes_append(out, "\"", 1);
}

/* ("@method" "content-digest"), and the same again in `parameters`. */
static const char *read_components(struct http_signature *signature, struct structured_field *field)
{
    char name[STRUCTURED_FIELD_STRING_SIZE];
    if (!structured_field_take(field, '('))
        return "Signature-Input is no list of components";
    bytes_append(&signature->parameters, "(", 1);
    for (;;) {
        while (structured_field_take(field, ' '))
            ;
        if (structured_field_take(field, ')'))
            break;
        if (!structured_field_string(field, name) || strlen(name) >= STRUCTURED_FIELD_KEY_SIZE)
            return "a component of Signature-Input is no name";
        if (field->at < field->end && *field->at != ' ' && *field->at != ')')
            return "components with parameters are not taken";
        if (signature->component_count == HTTP_SIGNATURE_COMPONENTS_MAX)
            return "more than 16 components";
        if (http_signature_covers(signature, name))
            return "a component comes twice";
        if (signature->component_count > 0)
            bytes_append(&signature->parameters, " ", 1);
        write_string(&signature->parameters, name);
        memcpy(signature->components[signature->component_count++], name, strlen(name) + 1);
    }
    bytes_append(&signature->parameters, ")", 1);
    return NULL;
}

static bool keep_integer(struct http_signature *signature, const char *key, int64_t number)
{
    if (strcmp(key, "created") == 0)
        signature->created_s = number;
    else if (strcmp(key, "expires") == 0)
        signature->expires_s = number;
    else
        return strcmp(key, "keyid") != 0 && strcmp(key, "alg") != 0;
    return number >= 0;
}

static bool keep_string(struct http_signature *signature, const char *key, const char *text)
{
    if (strcmp(key, "keyid") == 0)
        memcpy(signature->keyid, text, strlen(text) + 1);
    else if (strcmp(key, "alg") == 0 && strlen(text) < sizeof signature->algorithm)
        memcpy(signature->algorithm, text, strlen(text) + 1);
    else
        return strcmp(key, "created") != 0 && strcmp(key, "expires") != 0 &&
               strcmp(key, "alg") != 0;
    return true;
}

static const char *read_parameters(struct http_signature *signature, struct structured_field *field)
{
    static const char fault[] = "a parameter of Signature-Input cannot be read";
    char key[STRUCTURED_FIELD_KEY_SIZE], text[STRUCTURED_FIELD_STRING_SIZE];
    int64_t number;
    while (structured_field_take(field, ';')) {
        while (structured_field_take(field, ' '))
            ;
        if (!structured_field_key(field, key) || !structured_field_take(field, '='))
            return fault;
        bytes_append_format(&signature->parameters, ";%s=", key);
        if (field->at < field->end && *field->at == '"') {
            if (!structured_field_string(field, text) || !keep_string(signature, key, text))
                return fault;
            write_string(&signature->parameters, text);
        } else {
            if (!structured_field_integer(field, &number) || !keep_integer(signature, key, number))
                return fault;
            bytes_append_format(&signature->parameters, "%lld", (long long)number);
        }
    }
    return NULL;
}

static const char *read_input(struct http_signature *signature, const char *input)
{
    struct structured_field field = {input, input + strlen(input)};
    structured_field_skip_blanks(&field);
    if (!structured_field_key(&field, signature->label) || !structured_field_take(&field, '='))
        return "Signature-Input is no dictionary";
    const char *fault = read_components(signature, &field);
    if (fault == NULL)
        fault = read_parameters(signature, &field);
    structured_field_skip_blanks(&field);
    if (fault == NULL && !structured_field_ended(&field))
        fault = "Signature-Input has more than one signature, or rests behind it";
    return fault;
}

static const char *read_value(struct http_signature *signature, const char *value)
{
    struct structured_field field = {value, value + strlen(value)};
    char label[STRUCTURED_FIELD_KEY_SIZE];
    structured_field_skip_blanks(&field);
    if (!structured_field_key(&field, label) || !structured_field_take(&field, '='))
        return "Signature is no dictionary";
    if (strcmp(label, signature->label) != 0)
        return "Signature and Signature-Input name different signatures";
    signature->value_length = sizeof signature->value;
    if (!structured_field_bytes(&field, signature->value, &signature->value_length))
        return "Signature is no bytes, or too long";
    structured_field_skip_blanks(&field);
    return structured_field_ended(&field) ? NULL : "Signature has rests behind it";
}

const char *http_signature_read(struct http_signature *signature, const char *input,
                                const char *value)
{
    *signature = (struct http_signature){.created_s = -1, .expires_s = -1};
    const char *fault = read_input(signature, input);
    if (fault == NULL)
        fault = read_value(signature, value);
    if (fault == NULL && signature->parameters.failed)
        fault = "no memory";
    if (fault != NULL)
        http_signature_free(signature);
    return fault;
}

/* ---- the signature base ---- */

static const char *write_derived(struct bytes *out, const char *name,
                                 const struct http_signature_request *request)
{
    size_t path = strcspn(request->target, "?");
    if (strcmp(name, "@method") == 0)
        bytes_append_text(out, request->method);
    else if (strcmp(name, "@scheme") == 0)
        bytes_append_text(out, request->scheme);
    else if (strcmp(name, "@authority") == 0)
        bytes_append_text(out, request->authority);
    else if (strcmp(name, "@request-target") == 0)
        bytes_append_text(out, request->target);
    else if (strcmp(name, "@path") == 0)
        bytes_append(out, request->target, path);
    else if (strcmp(name, "@query") == 0)
        bytes_append_text(out, request->target[path] == '?' ? request->target + path : "?");
    else if (strcmp(name, "@target-uri") == 0)
        bytes_append_format(out, "%s://%s%s", request->scheme, request->authority, request->target);
    else
        return "a derived component that is not known";
    return NULL;
}

/* One line of the base. */
static const char *write_component(struct bytes *out, const char *name,
                                   const struct http_signature_request *request)
{
    write_string(out, name);
    bytes_append_text(out, ": ");
    const char *fault = NULL;
    if (*name == '@') {
        fault = write_derived(out, name, request);
    } else {
        const char *value = request->header(request->context, name);
        if (value == NULL)
            fault = "a header that is signed is missing";
        else
            bytes_append_text(out, value);
    }
    bytes_append_text(out, "\n");
    return fault;
}

const char *http_signature_write_base(struct bytes *out, const struct http_signature *signature,
                                      const struct http_signature_request *request)
{
    for (size_t i = 0; i < signature->component_count; i++) {
        const char *fault = write_component(out, signature->components[i], request);
        if (fault != NULL)
            return fault;
    }
    bytes_append_text(out, "\"@signature-params\": ");
    bytes_append(out, signature->parameters.data, signature->parameters.length);
    return out->failed ? "no memory" : NULL;
}

/* ---- verifying ---- */

bool http_signature_is_hmac_sha256(const struct http_signature *signature, const struct bytes *base,
                                   const void *secret, size_t secret_length)
{
    unsigned char made[SHA256_DIGEST_LENGTH];
    unsigned length = 0;
    return HMAC(EVP_sha256(), secret, (int)secret_length, (const unsigned char *)base->data,
                base->length, made, &length) != NULL &&
           signature->value_length == sizeof made &&
           CRYPTO_memcmp(made, signature->value, sizeof made) == 0;
}

bool http_signature_is_ed25519(const struct http_signature *signature, const struct bytes *base,
                               const unsigned char key[32])
{
    EVP_PKEY *public = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, ED25519_KEY_SIZE);
    bool right = public != NULL && ed25519_verify(public, signature->value, signature->value_length,
                                                  base->data, base->length);
    EVP_PKEY_free(public);
    return right;
}

bool http_signature_digest_matches(const char *content_digest, const void *body, size_t length)
{
    struct structured_field field = {content_digest, content_digest + strlen(content_digest)};
    unsigned char made[SHA256_DIGEST_LENGTH], said[HTTP_SIGNATURE_SIZE_MAX];
    char name[STRUCTURED_FIELD_KEY_SIZE];
    bool found = false;
    SHA256(body, length, made);
    do {
        size_t size = sizeof said;
        structured_field_skip_blanks(&field);
        if (!structured_field_key(&field, name) || !structured_field_take(&field, '=') ||
            !structured_field_bytes(&field, said, &size))
            return false;
        if (strcmp(name, "sha-256") == 0) {
            if (size != sizeof made || CRYPTO_memcmp(said, made, size) != 0)
                return false;
            found = true;
        }
        structured_field_skip_blanks(&field);
    } while (structured_field_take(&field, ','));
    return found && structured_field_ended(&field);
}
