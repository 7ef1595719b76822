#include "tls_pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void write_key(const char *path, EVP_PKEY *key)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0600), 0);
}

static void write_certificate(const char *path, EVP_PKEY *key)
{
    X509 *certificate = X509_new();

    assert_non_null(certificate);
    assert_int_equal(X509_set_version(certificate, 2), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(certificate), -60));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(certificate), 3600));
    X509_NAME *name = X509_get_subject_name(certificate);
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                                (const unsigned char *)"shop.example", -1, -1, 0),
                     1);
    assert_int_equal(X509_set_issuer_name(certificate, name), 1);
    assert_int_equal(X509_set_pubkey(certificate, key), 1);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, certificate), 1);
    assert_int_equal(fclose(file), 0);
    X509_free(certificate);
}

void tls_pair_make(struct tls_pair *pair)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");

    assert_non_null(key);
    memset(pair, 0, sizeof *pair);
    strcpy(pair->folder, "/tmp/esn-tls-XXXXXX");
    assert_non_null(mkdtemp(pair->folder));
    (void)snprintf(pair->certificate, sizeof pair->certificate, "%s/crt", pair->folder);
    (void)snprintf(pair->key, sizeof pair->key, "%s/key", pair->folder);
    write_certificate(pair->certificate, key);
    write_key(pair->key, key);
    EVP_PKEY_free(key);
    pair->certificates[0] = pair->certificate;
    pair->keys[0] = pair->key;
    pair->config.tls_cert = pair->certificates;
    pair->config.tls_key = pair->keys;
    pair->config.tls_ticket_time = 3600 * 1000;
}

void tls_pair_spoil(const struct tls_pair *pair)
{
    EVP_PKEY *other = EVP_EC_gen("P-256");

    assert_non_null(other);
    write_key(pair->key, other);
    EVP_PKEY_free(other);
}

void tls_pair_remove(const struct tls_pair *pair)
{
    assert_int_equal(unlink(pair->certificate), 0);
    assert_int_equal(unlink(pair->key), 0);
    assert_int_equal(rmdir(pair->folder), 0);
}

struct tls_context *tls_pair_open(const struct tls_pair *pair)
{
    char error[TLS_ERROR_SIZE] = "";
    struct tls_context *context = tls_context_open(&pair->config, error);

    assert_string_equal(error, "no certificate"); /* what it would have said without one */
    assert_non_null(context);
    return context;
}
