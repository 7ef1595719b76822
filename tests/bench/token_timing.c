/* What it costs to verify an access token with each algorithm, beside reading a bind key of 2,048
 * bits, in microseconds of processor time: the median of many. `make bench-tools &&
 * tests/bench/token_timing [SAMPLES]` */
#include "../unit/forged_jwt.h"
#include "bind_key.h"
#include "identity/access_token.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECRET "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

enum { NOW_S = 1700000000 };

static const struct access_token_rules rules = {NULL, NULL, 0};

static void stop(const char *words)
{
    (void)fprintf(stderr, "%s\n", words);
    exit(EXIT_FAILURE);
}

static double processor_us(void)
{
    struct timespec time;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) != 0)
        stop("no clock");
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static int compare(const void *one, const void *other)
{
    double a = *(const double *)one, b = *(const double *)other;
    return (a > b) - (a < b);
}

static double median(double *times, int count)
{
    qsort(times, (size_t)count, sizeof *times, compare);
    return times[count / 2];
}

static EVP_PKEY *key_for(const char *algorithm)
{
    if (*algorithm == 'H')
        return NULL;
    if (*algorithm != 'E')
        return EVP_RSA_gen(2048);
    if (algorithm[1] == 'd')
        return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    return EVP_EC_gen(algorithm[2] == '2' ? "P-256" : algorithm[2] == '3' ? "P-384" : "P-521");
}

static struct jose_keys *keys_of(EVP_PKEY *key)
{
    char error[JOSE_KEYS_ERROR_SIZE], *pem;
    if (key == NULL)
        return jose_keys_parse(SECRET, sizeof SECRET - 1, error);
    BIO *out = BIO_new(BIO_s_mem());
    if (out == NULL || PEM_write_bio_PUBKEY(out, key) != 1)
        stop("no memory");
    long length = BIO_get_mem_data(out, &pem);
    struct jose_keys *keys = jose_keys_parse(pem, (size_t)length, error);
    BIO_free(out);
    return keys;
}

static double measure_algorithm(const char *algorithm, double *times, int samples)
{
    static const char claims[] = "{\"sub\":\"ana\",\"exp\":1700000600,\"sid\":\"9f2c\"}";
    char header[64];
    EVP_PKEY *key = key_for(algorithm);
    struct jose_keys *keys = keys_of(key);
    (void)snprintf(header, sizeof header, "{\"alg\":\"%s\",\"typ\":\"JWT\"}", algorithm);
    char *text = forged_jwt(header, claims, algorithm, SECRET, key);
    if (keys == NULL || text == NULL)
        stop("no keys");
    for (int i = 0; i < samples; i++) {
        struct identity identity;
        const char *why;
        double begin = processor_us();
        if (access_token_read(&identity, &rules, keys, text, strlen(text), NOW_S * 1000ULL, &why) !=
            ACCESS_TOKEN_OK)
            stop(why);
        times[i] = processor_us() - begin;
        identity_free(&identity);
    }
    free(text);
    jose_keys_free(&keys);
    EVP_PKEY_free(key);
    return median(times, samples);
}

static double measure_bind_key(double *times, int samples)
{
    char folder[] = "/tmp/esn-timing-XXXXXX", private_file[64], public_file[64], command[64];
    char error[BIND_KEY_ERROR_SIZE], user[USER_ID_SIZE];
    struct bytes key = BYTES_EMPTY;
    if (mkdtemp(folder) == NULL)
        stop("no folder");
    (void)snprintf(private_file, sizeof private_file, "%s/private", folder);
    (void)snprintf(public_file, sizeof public_file, "%s/public", folder);
    const struct bind_key_options options = {private_file, BIND_KEY_PKCS1, 3, 0};
    struct bind_key_reader *reader = NULL;
    if (!bind_key_generate(private_file, public_file, 2048, error) ||
        !bind_key_make(&key, public_file, BIND_KEY_PKCS1, NOW_S, "ana", error) ||
        (reader = bind_key_reader_open(&options, error)) == NULL)
        stop(error);
    for (int i = 0; i < samples; i++) {
        double begin = processor_us();
        if (!bind_key_read(reader, key.data, key.length, NOW_S, user, NULL))
            stop("a good key is refused");
        times[i] = processor_us() - begin;
    }
    bind_key_reader_close(&reader);
    bytes_free(&key);
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0)
        stop("the folder stays");
    return median(times, samples);
}

int main(int count, char **arguments)
{
    static const char *const algorithms[] = {"HS256", "HS384", "HS512", "RS256", "RS384",
                                             "RS512", "PS256", "PS384", "PS512", "ES256",
                                             "ES384", "ES512", "EdDSA"};
    int samples = count > 1 ? atoi(arguments[1]) : 2000;
    double *times = samples > 0 ? calloc((size_t)samples, sizeof *times) : NULL;
    if (times == NULL)
        stop("no memory");
    (void)printf("bind key %7.1f us\n", measure_bind_key(times, samples));
    for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++)
        (void)printf("%-8s %7.1f us\n", algorithms[i],
                     measure_algorithm(algorithms[i], times, samples));
    free(times);
    return EXIT_SUCCESS;
}
