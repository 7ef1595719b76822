#include "net/tls_context.h"

#include "clock.h"
#include "secret.h"
#include "tls_files.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* RFC 5077, section 4: its name, and keys for AES-256 and HMAC-SHA-256. */
struct ticket_key {
    unsigned char name[16], cipher[32], mac[32];
};

struct tls_context {
    SSL_CTX **rules; /* one for each certificate, in the order of the configuration */
    size_t count;
    struct ticket_key now, before; /* tickets of `before` are opened, but made anew */
    uint64_t keys_since;           /* of `now`, monotonic */
    uint64_t ticket_time;
    struct tls_counters counters;
    char opened[TLS_RECORD], gathered[TLS_RECORD];
    struct tls_batch batch;
};

const char *tls_failure_name(enum tls_failure failure)
{
    static const char *const names[TLS_FAILURES] = {"plain", "version", "cipher",
                                                    "alert", "other",   "unfinished"};

    return names[failure];
}

/* ---- tickets ---- */

/* Forgets keys that are too old for any ticket to be good. */
static bool renew_keys(struct tls_context *context)
{
    uint64_t now = clock_monotonic_ms(), age = now - context->keys_since;
    struct ticket_key fresh, unknown;

    if (context->keys_since != 0 && age < context->ticket_time)
        return true;
    bool is_late = context->keys_since == 0 || age >= 2 * context->ticket_time;
    if (!secret_random(&fresh, sizeof fresh) ||
        (is_late && !secret_random(&unknown, sizeof unknown)))
        return false;
    context->before = is_late ? unknown : context->now;
    context->now = fresh;
    context->keys_since = now;
    explicit_bzero(&fresh, sizeof fresh);
    return true;
}

static bool set_mac(EVP_MAC_CTX *mac, struct ticket_key *key)
{
    char digest[] = "sha256";
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, sizeof key->mac),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end()};

    return EVP_MAC_CTX_set_params(mac, parameters) == 1;
}

/* SSL_CTX_set_tlsext_ticket_key_evp_cb(3): -1 an error, 0 the ticket is not ours, 1 good, 2 good but
 * to be made anew. */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int makes)
{
    struct tls_context *context = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    struct ticket_key *key = &context->now;

    if (!renew_keys(context))
        return -1;
    if (makes) {
        int size = EVP_CIPHER_get_iv_length(EVP_aes_256_cbc());
        memcpy(name, key->name, sizeof key->name);
        return secret_random(iv, (size_t)size) && set_mac(mac, key) &&
                       EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv) == 1
                   ? 1
                   : -1;
    }
    if (memcmp(name, key->name, sizeof key->name) != 0)
        key = &context->before;
    if (memcmp(name, key->name, sizeof key->name) != 0)
        return 0;
    if (!set_mac(mac, key) ||
        EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv) != 1)
        return -1;
    return key == &context->now ? 1 : 2;
}

/* ---- certificates ---- */

/* The first certificate that is good for the name; without one the first of all. */
static int on_server_name(SSL *ssl, int *alert, void *argument)
{
    const struct tls_context *context = argument;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    (void)alert;
    if (name == NULL)
        return SSL_TLSEXT_ERR_NOACK;
    for (size_t i = 0; i < context->count; i++) {
        X509 *certificate = SSL_CTX_get0_certificate(context->rules[i]);
        if (X509_check_host(certificate, name, strlen(name), 0, NULL) == 1)
            return SSL_set_SSL_CTX(ssl, context->rules[i]) != NULL ? SSL_TLSEXT_ERR_OK
                                                                   : SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    return SSL_TLSEXT_ERR_NOACK;
}

/* Nothing but HTTP/1.1 is spoken; who offers only others (RFC 7301) gets none and may go on. */
static int on_protocols(SSL *ssl, const unsigned char **chosen, unsigned char *length,
                        const unsigned char *offered, unsigned offered_length, void *argument)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *found;

    (void)ssl, (void)argument;
    if (SSL_select_next_proto(&found, length, ours, sizeof ours - 1, offered, offered_length) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *chosen = found;
    return SSL_TLSEXT_ERR_OK;
}

static void free_rules(SSL_CTX **rules, size_t count)
{
    for (size_t i = 0; i < count; i++)
        SSL_CTX_free(rules[i]);
    free(rules);
}

static void prepare(struct tls_context *context, SSL_CTX *rules, const struct config *config)
{
    (void)SSL_CTX_set_app_data(rules, context);
    (void)SSL_CTX_set_timeout(rules, (long)(config->tls_ticket_time / 1000));
    (void)SSL_CTX_set_tlsext_ticket_key_evp_cb(rules, on_ticket);
    (void)SSL_CTX_set_tlsext_servername_callback(rules, on_server_name);
    (void)SSL_CTX_set_tlsext_servername_arg(rules, context);
    SSL_CTX_set_alpn_select_cb(rules, on_protocols, NULL);
}

bool tls_context_reload(struct tls_context *context, const struct config *config,
                        char error[TLS_ERROR_SIZE])
{
    const int minimum = config->tls_min == CONFIG_TLS_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
    size_t count = 0, made = 0;

    _Static_assert((int)TLS_ERROR_SIZE == (int)TLS_FILES_ERROR_SIZE, "a sentence has to fit");
    while (config->tls_cert[count] != NULL && config->tls_key[count] != NULL)
        count++;
    SSL_CTX **rules = calloc(count + 1, sizeof(SSL_CTX *));
    (void)snprintf(error, TLS_ERROR_SIZE, rules == NULL ? "out of memory" : "no certificate");
    while (rules != NULL && made < count &&
           (rules[made] = tls_files_load(config->tls_cert[made], config->tls_key[made], minimum,
                                         error)) != NULL)
        prepare(context, rules[made++], config);
    if (rules == NULL || count == 0 || made < count) {
        free_rules(rules, made);
        return false;
    }
    free_rules(context->rules, context->count);
    context->rules = rules;
    context->count = count;
    context->ticket_time = config->tls_ticket_time;
    return true;
}

struct tls_context *tls_context_open(const struct config *config, char error[TLS_ERROR_SIZE])
{
    struct tls_context *context = calloc(1, sizeof *context);

    if (context == NULL) {
        (void)snprintf(error, TLS_ERROR_SIZE, "out of memory");
        return NULL;
    }
    if (!tls_context_reload(context, config, error))
        tls_context_close(&context);
    return context;
}

void tls_context_close(struct tls_context **context)
{
    if (*context == NULL)
        return;
    free_rules((*context)->rules, (*context)->count);
    explicit_bzero(*context, sizeof **context);
    free(*context);
    *context = NULL;
}

SSL *tls_context_accept(struct tls_context *context, BIO *bio)
{
    SSL *ssl = SSL_new(context->rules[0]);

    if (ssl == NULL)
        return NULL;
    SSL_set_bio(ssl, bio, bio);
    SSL_set_accept_state(ssl);
    return ssl;
}

char *tls_context_opened(struct tls_context *context)
{
    return context->opened;
}

char *tls_context_gathered(struct tls_context *context)
{
    return context->gathered;
}

struct tls_batch *tls_context_batch(struct tls_context *context)
{
    return &context->batch;
}

struct tls_counters *tls_context_counters(struct tls_context *context)
{
    return &context->counters;
}
