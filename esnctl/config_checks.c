#include "config_checks.h"

#include "../fcgi-handlers/web_request.h"
#include "acl/acl_config.h"
#include "acl/acl_examine.h"
#include "bind_key.h"
#include "bus/bus.h"
#include "clock.h"
#include "config/config.h"
#include "config/config_check.h"
#include "identity/jws_signer.h"
#include "publishers/publishers.h"
#include "redis/redis_config.h"
#include "secret.h"
#include "sessions/session_events.h"
#include "tls_files.h"

#include <errno.h>
#include <limits.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { HANDLERS = CONFIG_READER_EVENT | CONFIG_READER_SUBSCRIBE };

/* Whose eyes look, and whether they were kept from something. */
struct look {
    unsigned readers;
    bool partly;
};

/* True when there is nothing to read here: no file is named, it is none of this reader's business, or
 * it is not for the eyes of this user, who does not run the programs. */
static bool is_out_of_reach(const char *path, unsigned readers, struct look *look)
{
    if (path == NULL || (look->readers & (readers | CONFIG_READER_STRANGER)) == 0)
        return true;
    if ((look->readers & CONFIG_READER_STRANGER) == 0 || access(path, R_OK) == 0 || errno != EACCES)
        return false;
    (void)fprintf(stderr, "%s: not checked: you may not read it\n", path);
    look->partly = true;
    return true;
}

static bool check_tokens(const char *path, unsigned readers, struct look *look)
{
    struct secret_list list;
    char error[SECRET_ERROR_SIZE];
    if (is_out_of_reach(path, readers, look))
        return true;
    if (!secret_list_load(&list, path, error)) {
        (void)fprintf(stderr, "%s\n", error);
        return false;
    }
    bool good = list.count > 0;
    if (!good)
        (void)fprintf(stderr, "%s: holds no token; write one a line\n", path);
    secret_list_free(&list);
    return good;
}

/* With the secrets that it names, for who reads those; the daemon reads names and rates. */
static bool check_publishers(const char *path, struct look *look)
{
    char error[PUBLISHERS_ERROR_SIZE];
    if (is_out_of_reach(path, CONFIG_READER_EVENT, look))
        return true;
    struct publishers *publishers = publishers_load(NULL, path, error);
    if (publishers == NULL)
        (void)fprintf(stderr, "%s\n", error);
    bool good = publishers != NULL;
    publishers_free(&publishers);
    return good;
}

static bool check_key(const char *path, bool is_public, unsigned readers, struct look *look)
{
    char key[SECRET_BUS_KEY_SIZE], error[SECRET_ERROR_SIZE];
    if (is_out_of_reach(path, readers, look))
        return true;
    bool good = secret_bus_key_load(key, path, is_public, error);
    if (!good)
        (void)fprintf(stderr, "%s\n", error);
    explicit_bzero(key, sizeof key);
    return good;
}

/* The public key lies beside the private one, by the name that `esnctl keygen bind` gives it; where
 * it does not, or is not for us, there is nothing to say. */
static bool check_bind_pair(const struct bind_key_options *options, struct bind_key_reader *reader)
{
    char path[PATH_MAX], user[USER_ID_SIZE], why[BIND_KEY_WHY_SIZE], error[BIND_KEY_ERROR_SIZE];
    struct bytes key = BYTES_EMPTY;
    uint64_t now_s = clock_wall_ms() / 1000;
    size_t length = strlen(options->private_key_file);
    if (length < 4 || length >= sizeof path ||
        strcmp(options->private_key_file + length - 4, ".key") != 0)
        return true;
    (void)snprintf(path, sizeof path, "%.*s.pub", (int)length - 4, options->private_key_file);
    if (access(path, R_OK) != 0)
        return true;
    bool good = bind_key_make(&key, path, options->padding, now_s, "check", error);
    if (!good) {
        (void)fprintf(stderr, "%s\n", error);
    } else if (!bind_key_read(reader, key.data, key.length, now_s, user, why)) {
        (void)fprintf(stderr, "%s: is not the public key of %s\n", path, options->private_key_file);
        good = false;
    }
    bytes_free(&key);
    return good;
}

static bool check_bind_key(const struct bind_key_options *options, unsigned readers,
                           struct look *look)
{
    char error[BIND_KEY_ERROR_SIZE];
    if (is_out_of_reach(options->private_key_file, readers, look))
        return true;
    struct bind_key_reader *reader = bind_key_reader_open(options, error);
    if (reader == NULL)
        (void)fprintf(stderr, "%s\n", error);
    bool good = reader != NULL && check_bind_pair(options, reader);
    bind_key_reader_close(&reader);
    return good;
}

static bool check_bind_keys(const struct config *config, struct look *look)
{
    const struct bind_key_options publishers = bind_key_config_options(config);
    const struct bind_key_options subscribers = bind_key_config_options_of_subscribers(config);
    bool good = check_bind_key(&publishers, CONFIG_READER_EVENT, look);
    return (config->binding_mode == CONFIG_BINDING_SERVER ||
            check_bind_key(&subscribers, CONFIG_READER_SUBSCRIBE, look)) &&
           good;
}

static bool check_token_keys(const char *path, struct look *look)
{
    char error[JOSE_KEYS_ERROR_SIZE];
    if (is_out_of_reach(path, CONFIG_READER_SUBSCRIBE, look))
        return true;
    struct jose_keys *keys = jose_keys_load(path, error);
    if (keys == NULL)
        (void)fprintf(stderr, "%s\n", error);
    bool good = keys != NULL;
    jose_keys_free(&keys);
    return good;
}

/* That the server gives keys, to us. */
static bool check_jwks(const struct config *config, const struct look *look)
{
    const struct web_request_options options = {
        .url = config->token_jwks_url,
        .ca_file = config->token_ca_file,
        .limit_ms = config->token_time,
        .max_answer = JOSE_KEYS_TEXT_MAX,
        .too_large = "the answer is larger than 256 KiB, or its headers are too large"};
    char error[JOSE_KEYS_ERROR_SIZE];
    const struct bytes *answer;
    const char *reason = "no memory";
    struct jose_keys *keys = NULL;
    long status;
    if (config->token_jwks_url == NULL ||
        (look->readers & (CONFIG_READER_SUBSCRIBE | CONFIG_READER_STRANGER)) == 0)
        return true;
    struct web_request *request = web_request_open(&options);
    if (request != NULL && web_request_send(request, NULL, 0, &answer, &reason, &status)) {
        keys = jose_keys_parse_public_set(answer->data != NULL ? answer->data : "", answer->length,
                                          error);
        reason = error;
    }
    bool good = keys != NULL;
    if (!good)
        (void)fprintf(stderr, "[token] jwks_url: %s\n", reason);
    jose_keys_free(&keys);
    web_request_close(&request);
    return good;
}

static bool check_token_signer(const char *path, struct look *look)
{
    char error[JOSE_KEYS_ERROR_SIZE];
    if (is_out_of_reach(path, CONFIG_READER_SUBSCRIBE, look))
        return true;
    struct jws_signer *signer = jws_signer_load(path, error);
    if (signer == NULL)
        (void)fprintf(stderr, "%s\n", error);
    bool good = signer != NULL;
    jws_signer_free(&signer);
    return good;
}

/* Who reads both of the bus's keys sees whether they are one pair. */
static bool check_bus_keys(const struct config *config, struct look *look)
{
    const char *open = config->bus_public_key_file, *closed = config->bus_secret_key_file;
    char public_key[SECRET_BUS_KEY_SIZE], secret_key[SECRET_BUS_KEY_SIZE], error[SECRET_ERROR_SIZE];
    bool good = check_key(open, true, CONFIG_READER_FANOUT | CONFIG_READER_EVENT, look);
    good = check_key(closed, false, CONFIG_READER_FANOUT, look) && good;
    if (!good || open == NULL || closed == NULL || access(closed, R_OK) != 0 ||
        !secret_bus_key_load(public_key, open, true, error) ||
        !secret_bus_key_load(secret_key, closed, false, error))
        return good;
    good = bus_keys_are_pair(public_key, secret_key);
    explicit_bzero(secret_key, sizeof secret_key);
    if (!good)
        (void)fprintf(stderr, "%s: is not the public key of %s\n", open, closed);
    return good;
}

static void print_fault(const char *sentence, void *context)
{
    (void)context;
    (void)fprintf(stderr, "%s\n", sentence);
}

static bool check_database(const struct config *config, struct look *look)
{
    const char *password = config->acl_password_file;
    return look->readers == CONFIG_READER_FANOUT || !acl_examine_is_wanted(config) ||
           (password != NULL && is_out_of_reach(password, HANDLERS, look)) ||
           acl_examine(config, print_fault, NULL);
}

/* That it answers, to us. */
static bool ask_redis(const struct redis_config *redis)
{
    static const struct redis_word ping[] = {{"PING", 4}};
    char error[REDIS_CLIENT_ERROR_SIZE] = "no memory";
    struct redis_client *client = redis_client_open(&redis->options);
    struct redis_answer *answer = client != NULL ? redis_client_ask(client, ping, 1, error) : NULL;
    bool good = answer != NULL;
    /* That logging out ends no streams is for the operator to know, and may be as he wants it. */
    if (!good || session_events_ask(client, error) != SESSION_EVENTS_ON)
        (void)fprintf(stderr, "[redis] url: %s\n", error);
    redis_answer_free(&answer);
    redis_client_close(&client);
    return good;
}

static bool check_redis(const struct config *config, struct look *look)
{
    const char *password = config->redis_password_file;
    struct redis_config redis;
    char error[SECRET_ERROR_SIZE];
    if (config->redis_url == NULL ||
        (look->readers & (CONFIG_READER_SUBSCRIBE | CONFIG_READER_STRANGER)) == 0 ||
        (password != NULL && is_out_of_reach(password, CONFIG_READER_SUBSCRIBE, look)))
        return true;
    if (!redis_config_load(&redis, config, error)) {
        (void)fprintf(stderr, "%s\n", error);
        return false;
    }
    bool good = ask_redis(&redis);
    redis_config_free(&redis);
    return good;
}

/* As the daemon reads them, and whether browsers take them today. */
static bool check_certificate(const char *certificate, const char *key, struct look *look)
{
    char error[TLS_FILES_ERROR_SIZE];
    if (is_out_of_reach(certificate, CONFIG_READER_FANOUT, look) ||
        is_out_of_reach(key, CONFIG_READER_FANOUT, look))
        return true;
    SSL_CTX *rules = tls_files_load(certificate, key, TLS1_2_VERSION, error);
    if (rules == NULL) {
        (void)fprintf(stderr, "%s\n", error);
        return false;
    }
    const X509 *own = SSL_CTX_get0_certificate(rules);
    bool expired = own != NULL && X509_cmp_current_time(X509_get0_notAfter(own)) < 0;
    if (expired)
        (void)fprintf(stderr, "%s: the certificate has expired\n", certificate);
    SSL_CTX_free(rules);
    return !expired;
}

static bool check_certificates(const struct config *config, struct look *look)
{
    bool good = true;
    for (size_t i = 0; config->tls_cert != NULL && config->tls_cert[i] != NULL &&
                       config->tls_key != NULL && config->tls_key[i] != NULL;
         i++)
        good = check_certificate(config->tls_cert[i], config->tls_key[i], look) && good;
    return good;
}

static bool check_log(const struct config *config, const struct look *look)
{
    if ((look->readers & (CONFIG_READER_FANOUT | CONFIG_READER_STRANGER)) == 0)
        return true;

    char error[CONFIG_ERROR_SIZE];
    bool good = config_check_log_folder(config, error);
    if (!good)
        (void)fprintf(stderr, "%s\n", error);
    return good;
}

bool config_checks_pass(const struct config *config, unsigned readers, bool *partly)
{
    struct look look = {.readers = readers};
    bool good = check_tokens(config->publish_token_file, CONFIG_READER_EVENT, &look);
    good = check_publishers(config->publishers_file, &look) && good;
    good = check_tokens(config->admin_token_file, CONFIG_READER_FANOUT, &look) && good;
    good = check_tokens(config->ticket_secret_file, CONFIG_READER_FANOUT | CONFIG_READER_SUBSCRIBE,
                        &look) &&
           good;
    good = check_tokens(config->acl_password_file, HANDLERS, &look) && good;
    good = check_bind_keys(config, &look) && good;
    good = check_token_keys(config->token_keys_file, &look) && good;
    good = check_jwks(config, &look) && good;
    good = check_token_signer(config->token_sign_file, &look) && good;
    good = check_bus_keys(config, &look) && good;
    good = check_database(config, &look) && good;
    good = check_redis(config, &look) && good;
    good = check_certificates(config, &look) && good;
    good = check_log(config, &look) && good;
    *partly = look.partly;
    return good;
}
