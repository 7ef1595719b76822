/* Does the time that a refused bind key takes tell why it was refused? Reads keys that are wrong in
 * different ways, in random order, and compares the times of each way with those of expired keys.
 *
 *     bind_key_timing [pkcs1|oaep] [SAMPLES]
 *
 * t is Welch's: within about +-4.5 there is no difference to be seen with so many samples. */
#include "bind_key.h"

#include <math.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { NOW = 1700000000, SIZE = 256, KEYS = 64, TEXT_SIZE = 512 };

static void stop(const char *what)
{
    (void)fprintf(stderr, "bind_key_timing: %s\n", what);
    exit(1);
}

struct subject {
    EVP_PKEY *key;
    EVP_PKEY *other_key;
    int padding; /* of OpenSSL */
};

typedef void make_function(const struct subject *subject, int number, char key[TEXT_SIZE]);

static void encrypt(EVP_PKEY *key, int padding, const void *text, size_t length,
                    char out[TEXT_SIZE])
{
    unsigned char cipher[SIZE];
    size_t size = sizeof cipher;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
    if (context == NULL || EVP_PKEY_encrypt_init(context) <= 0 ||
        EVP_PKEY_CTX_set_rsa_padding(context, padding) <= 0 ||
        EVP_PKEY_encrypt(context, cipher, &size, text, length) <= 0)
        stop("cannot encrypt");
    EVP_PKEY_CTX_free(context);
    (void)EVP_EncodeBlock((unsigned char *)out, cipher, SIZE);
}

static void encrypt_claims(const struct subject *subject, EVP_PKEY *key, int iat, const char *uid,
                           char out[TEXT_SIZE])
{
    char text[128];
    int length = snprintf(text, sizeof text, "{\"iat\":%d,\"uid\":%s}", iat, uid);
    encrypt(key, subject->padding, text, (size_t)length, out);
}

static void make_valid(const struct subject *subject, int number, char key[TEXT_SIZE])
{
    (void)number;
    encrypt_claims(subject, subject->key, NOW, "\"somebody\"", key);
}

static void make_expired(const struct subject *subject, int number, char key[TEXT_SIZE])
{
    (void)number;
    encrypt_claims(subject, subject->key, NOW - 4, "\"somebody\"", key);
}

static void make_future(const struct subject *subject, int number, char key[TEXT_SIZE])
{
    (void)number;
    encrypt_claims(subject, subject->key, NOW + 1, "\"somebody\"", key);
}

static void make_no_user(const struct subject *subject, int number, char key[TEXT_SIZE])
{
    (void)number;
    encrypt_claims(subject, subject->key, NOW, "null", key);
}

static void make_bad_json(const struct subject *subject, int number, char key[TEXT_SIZE])
{
    unsigned char text[40];
    (void)number;
    if (RAND_bytes(text, sizeof text) != 1)
        stop("no random numbers");
    encrypt(subject->key, subject->padding, text, sizeof text, key);
}

static void make_somebody_elses(const struct subject *subject, int number, char key[TEXT_SIZE])
{
    (void)number;
    encrypt_claims(subject, subject->other_key, NOW, "\"somebody\"", key);
}

/* A block that starts and ends as a right one, but for one thing. */
static void make_block(const struct subject *subject, int change, int value, char key[TEXT_SIZE])
{
    static const char text[] = "{\"iat\":1700000000,\"uid\":\"somebody\"}";
    unsigned char block[SIZE];
    if (RAND_bytes(block, SIZE) != 1)
        stop("no random numbers");
    for (int i = 2; i < SIZE; i++)
        block[i] |= 1;
    block[0] = 0;
    block[1] = 2;
    if (value >= 0) {
        block[SIZE - sizeof text] = 0;
        memcpy(block + SIZE - sizeof text + 1, text, sizeof text - 1);
        block[change] = (unsigned char)value;
    }
    encrypt(subject->key, RSA_NO_PADDING, block, SIZE, key);
}

static void make_bad_type(const struct subject *subject, int number, char key[TEXT_SIZE])
{
    make_block(subject, 1, number % 2, key);
}

static void make_short_filling(const struct subject *subject, int number, char key[TEXT_SIZE])
{
    make_block(subject, 2 + number % 8, 0, key);
}

static void make_no_separator(const struct subject *subject, int number, char key[TEXT_SIZE])
{
    (void)number;
    make_block(subject, 0, -1, key);
}

/* Right PKCS#1 padding around a long garbage, the answer that an attack by chosen ciphertexts waits
 * for. */
static void make_conforming(const struct subject *subject, int number, char key[TEXT_SIZE])
{
    make_block(subject, 10 + number, 0, key);
}

static void make_random(const struct subject *subject, int number, char key[TEXT_SIZE])
{
    unsigned char cipher[SIZE];
    (void)subject, (void)number;
    if (RAND_bytes(cipher, SIZE) != 1)
        stop("no random numbers");
    cipher[0] = 0;
    (void)EVP_EncodeBlock((unsigned char *)key, cipher, SIZE);
}

static void make_truncated(const struct subject *subject, int number, char key[TEXT_SIZE])
{
    make_valid(subject, number, key);
    key[strlen(key) - 1 - (size_t)number] = '\0';
}

static void make_bad_base64(const struct subject *subject, int number, char key[TEXT_SIZE])
{
    make_valid(subject, number, key);
    key[number * 5] = '!';
}

static void make_too_large(const struct subject *subject, int number, char key[TEXT_SIZE])
{
    unsigned char cipher[SIZE];
    (void)subject, (void)number;
    memset(cipher, 0xff, SIZE);
    (void)EVP_EncodeBlock((unsigned char *)key, cipher, SIZE);
}

static const struct way {
    const char *name;
    make_function *make;
    bool valid;
} ways[] = {
    {"expired (compared with)", make_expired, false},
    {"expired, once more", make_expired, false},
    {"from the future", make_future, false},
    {"no user id", make_no_user, false},
    {"right padding, bad JSON", make_bad_json, false},
    {"another public key", make_somebody_elses, false},
    {"PKCS#1: wrong type byte", make_bad_type, false},
    {"PKCS#1: filling too short", make_short_filling, false},
    {"PKCS#1: no separator", make_no_separator, false},
    {"PKCS#1: right, long garbage", make_conforming, false},
    {"random ciphertext", make_random, false},
    {"truncated", make_truncated, false},
    {"not base64", make_bad_base64, false},
    {"not below the modulus", make_too_large, false},
    {"valid", make_valid, true},
};
enum { WAYS = sizeof ways / sizeof *ways };

static char keys[WAYS][KEYS][TEXT_SIZE];

static double time_one(struct bind_key_reader *reader, int way, int number)
{
    struct timespec begin, end;
    char user[USER_ID_SIZE];
    const char *key = keys[way][number];
    (void)clock_gettime(CLOCK_MONOTONIC, &begin);
    bool valid = bind_key_read(reader, key, strlen(key), NOW, user, NULL);
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    if (valid && !ways[way].valid)
        stop("a wrong key was taken");
    return (double)(end.tv_sec - begin.tv_sec) * 1e6 + (double)(end.tv_nsec - begin.tv_nsec) / 1e3;
}

static int compare(const void *a, const void *b)
{
    double left, right;
    memcpy(&left, a, sizeof left);
    memcpy(&right, b, sizeof right);
    return (left > right) - (left < right);
}

struct figures {
    double median, mean, variance;
    int count;
};

/* Of the faster half: the slower one tells more of the machine's other work than of ours. */
static struct figures sum_up(double *times, int samples)
{
    struct figures figures = {.count = samples / 2};
    qsort(times, (size_t)samples, sizeof *times, compare);
    figures.median = times[samples / 2];
    for (int i = 0; i < figures.count; i++)
        figures.mean += times[i] / figures.count;
    for (int i = 0; i < figures.count; i++)
        figures.variance +=
            (times[i] - figures.mean) * (times[i] - figures.mean) / (figures.count - 1);
    return figures;
}

/* Steps through all ways, so that each has each for its neighbour now and then. */
static int coprime_step(void)
{
    int step = 0, a, b;
    do {
        step = 1 + rand() % (WAYS - 1);
        for (a = WAYS, b = step; b != 0;) {
            int rest = a % b;
            a = b;
            b = rest;
        }
    } while (a != 1);
    return step;
}

static void measure(struct bind_key_reader *reader, int samples)
{
    double *times = calloc((size_t)samples * WAYS, sizeof *times);
    struct figures first = {0};
    if (times == NULL)
        stop("no memory");
    for (int i = 0; i < samples; i++) {
        for (int turn = 0, start = rand() % WAYS, step = coprime_step(); turn < WAYS; turn++) {
            int way = (start + turn * step) % WAYS;
            times[way * samples + i] = time_one(reader, way, rand() % KEYS);
        }
    }
    (void)printf("%-30s %10s %10s %10s %7s\n", "", "median us", "mean us", "differs ns", "t");
    for (int way = 0; way < WAYS; way++) {
        struct figures own = sum_up(times + (size_t)way * (size_t)samples, samples);
        if (way == 0)
            first = own;
        double t =
            (own.mean - first.mean) / sqrt(own.variance / own.count + first.variance / first.count);
        (void)printf("%-30s %10.2f %10.2f %10.0f %7.1f\n", ways[way].name, own.median, own.mean,
                     (own.mean - first.mean) * 1000, way == 0 ? 0.0 : t);
    }
    free(times);
}

int main(int count, char **arguments)
{
    char folder[] = "/tmp/esn-timing-XXXXXX", private_file[64], public_file[64], command[64];
    char error[BIND_KEY_ERROR_SIZE];
    bool oaep = count > 1 && strcmp(arguments[1], "oaep") == 0;
    int samples = count > 2 ? atoi(arguments[2]) : 2000;
    if (samples < 100 || mkdtemp(folder) == NULL)
        stop("no folder, or too few samples");
    (void)snprintf(private_file, sizeof private_file, "%s/private", folder);
    (void)snprintf(public_file, sizeof public_file, "%s/public", folder);
    if (!bind_key_generate(private_file, public_file, 2048, error))
        stop(error);
    const struct bind_key_options options = {private_file, oaep ? BIND_KEY_OAEP : BIND_KEY_PKCS1, 3,
                                             0};
    struct bind_key_reader *reader = bind_key_reader_open(&options, error);
    FILE *file = fopen(private_file, "r");
    struct subject subject = {file != NULL ? PEM_read_PrivateKey(file, NULL, NULL, NULL) : NULL,
                              EVP_RSA_gen(2048), oaep ? RSA_PKCS1_OAEP_PADDING : RSA_PKCS1_PADDING};
    if (reader == NULL || subject.key == NULL || subject.other_key == NULL || fclose(file) != 0)
        stop("no keys");
    for (int way = 0; way < WAYS; way++)
        for (int i = 0; i < KEYS; i++)
            ways[way].make(&subject, i, keys[way][i]);
    measure(reader, samples);
    EVP_PKEY_free(subject.key);
    EVP_PKEY_free(subject.other_key);
    bind_key_reader_close(&reader);
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}
