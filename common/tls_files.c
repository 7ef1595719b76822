#include "tls_files.h"

#include "secret.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <unistd.h>

/* With forward secrecy and authenticated encryption (RFC 9325, section 4.2); TLS 1.3 has no others. */
#define CIPHERS_OF_TLS12 "ECDHE+AESGCM:ECDHE+CHACHA20"

static bool fail(char error[TLS_FILES_ERROR_SIZE], const char *path, const char *what)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    (void)snprintf(error, TLS_FILES_ERROR_SIZE, "%s: %s%s%s", path, what,
                   reason != NULL ? ": " : "", reason != NULL ? reason : "");
    ERR_clear_error();
    return false;
}

/* A passphrase would be asked for on the terminal. */
static int no_passphrase(char *out, int size, int writing, void *context)
{
    (void)out, (void)size, (void)writing, (void)context;
    return -1;
}

static bool take_certificate(SSL_CTX *rules, const char *path, char error[TLS_FILES_ERROR_SIZE])
{
    return SSL_CTX_use_certificate_chain_file(rules, path) == 1 ||
           fail(error, path, "no certificate in PEM can be read there");
}

static EVP_PKEY *read_key(const char *path, char error[TLS_FILES_ERROR_SIZE])
{
    _Static_assert((int)TLS_FILES_ERROR_SIZE >= (int)SECRET_ERROR_SIZE, "a sentence has to fit");
    int descriptor = secret_file_open(path, error);
    if (descriptor < 0)
        return NULL;
    FILE *file = fdopen(descriptor, "r");
    if (file == NULL) {
        (void)close(descriptor);
        (void)fail(error, path, "cannot be read");
        return NULL;
    }
    EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, no_passphrase, NULL);
    (void)fclose(file); /* of a file that was read */
    if (key == NULL)
        (void)fail(error, path, "no private key in PEM without a passphrase can be read there");
    return key;
}

static bool take_key(SSL_CTX *rules, const char *certificate, const char *path,
                     char error[TLS_FILES_ERROR_SIZE])
{
    EVP_PKEY *key = read_key(path, error);

    if (key == NULL)
        return false;
    bool fits = SSL_CTX_use_PrivateKey(rules, key) == 1 && SSL_CTX_check_private_key(rules) == 1;
    EVP_PKEY_free(key);
    if (fits)
        return true;
    ERR_clear_error();
    (void)snprintf(error, TLS_FILES_ERROR_SIZE, "%s: is not the key of the certificate in %s", path,
                   certificate);
    return false;
}

static bool set_rules(SSL_CTX *rules, int minimum)
{
    static const unsigned char context[] = "es-web-notify";

    (void)SSL_CTX_set_options(rules, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                         SSL_OP_CIPHER_SERVER_PREFERENCE |
                                         SSL_OP_PRIORITIZE_CHACHA);
    (void)SSL_CTX_set_mode(rules, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    (void)SSL_CTX_set_session_cache_mode(rules, SSL_SESS_CACHE_OFF); /* tickets alone */
    return SSL_CTX_set_min_proto_version(rules, minimum) == 1 &&
           SSL_CTX_set_cipher_list(rules, CIPHERS_OF_TLS12) == 1 &&
           SSL_CTX_set_num_tickets(rules, 1) == 1 &&
           SSL_CTX_set_session_id_context(rules, context, sizeof context - 1) == 1;
}

SSL_CTX *tls_files_load(const char *certificate, const char *key, int minimum,
                        char error[TLS_FILES_ERROR_SIZE])
{
    ERR_clear_error();
    SSL_CTX *rules = SSL_CTX_new(TLS_server_method());
    bool made =
        rules != NULL && (set_rules(rules, minimum) || fail(error, "TLS", "cannot be set up"));
    if (rules == NULL)
        (void)fail(error, "TLS", "cannot be set up");
    if (made && take_certificate(rules, certificate, error) &&
        take_key(rules, certificate, key, error))
        return rules;
    SSL_CTX_free(rules);
    return NULL;
}
