/* Bind keys: valid ones name their user; all others are refused alike. */
#include "bind_key.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { NOW = 1700000000, SIZE = 256, RAW = -1 };

static struct {
    char folder[32];
    char private_file[64], public_file[64];
    EVP_PKEY *key;
    struct bind_key_reader *readers[2]; /* by padding */
} fixture;

static struct bind_key_options options_with(enum bind_key_padding padding)
{
    return (struct bind_key_options){fixture.private_file, padding, 3, 0};
}

static int open_fixture(void **state)
{
    (void)state;
    char error[BIND_KEY_ERROR_SIZE];
    strcpy(fixture.folder, "/tmp/esn-bind-XXXXXX");
    assert_non_null(mkdtemp(fixture.folder));
    (void)snprintf(fixture.private_file, sizeof fixture.private_file, "%s/private", fixture.folder);
    (void)snprintf(fixture.public_file, sizeof fixture.public_file, "%s/public", fixture.folder);
    assert_true(bind_key_generate(fixture.private_file, fixture.public_file, 2048, error));
    for (int padding = 0; padding < 2; padding++) {
        struct bind_key_options options = options_with((enum bind_key_padding)padding);
        fixture.readers[padding] = bind_key_reader_open(&options, error);
        assert_non_null(fixture.readers[padding]);
    }
    FILE *file = fopen(fixture.private_file, "r");
    assert_non_null(file);
    fixture.key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    assert_non_null(fixture.key);
    return fclose(file);
}

static int close_fixture(void **state)
{
    (void)state;
    EVP_PKEY_free(fixture.key);
    for (int padding = 0; padding < 2; padding++) {
        bind_key_reader_close(&fixture.readers[padding]);
        assert_null(fixture.readers[padding]);
        bind_key_reader_close(&fixture.readers[padding]);
    }
    char command[64];
    (void)snprintf(command, sizeof command, "rm -rf %s", fixture.folder);
    return system(command);
}

/* ---- helpers ---- */

/* What OpenSSL was given last to decrypt (the program is linked with --wrap=EVP_PKEY_decrypt). */
static unsigned char given[SIZE];

int __real_EVP_PKEY_decrypt(EVP_PKEY_CTX *context, unsigned char *out, size_t *out_length,
                            const unsigned char *in, size_t length);
int __wrap_EVP_PKEY_decrypt(EVP_PKEY_CTX *context, unsigned char *out, size_t *out_length,
                            const unsigned char *in, size_t length);

int __wrap_EVP_PKEY_decrypt(EVP_PKEY_CTX *context, unsigned char *out, size_t *out_length,
                            const unsigned char *in, size_t length)
{
    assert_int_equal(length, SIZE);
    memcpy(given, in, SIZE);
    return __real_EVP_PKEY_decrypt(context, out, out_length, in, length);
}

static int openssl_padding(int padding)
{
    if (padding == RAW)
        return RSA_NO_PADDING;
    return padding == BIND_KEY_OAEP ? RSA_PKCS1_OAEP_PADDING : RSA_PKCS1_PADDING;
}

/* What an application's own encryption gives, of any text. */
static void encrypt(unsigned char cipher[SIZE], int padding, const void *text, size_t length)
{
    size_t size = SIZE;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(fixture.key, NULL);
    assert_non_null(context);
    assert_true(EVP_PKEY_encrypt_init(context) > 0);
    assert_true(EVP_PKEY_CTX_set_rsa_padding(context, openssl_padding(padding)) > 0);
    assert_true(EVP_PKEY_encrypt(context, cipher, &size, text, length) > 0);
    assert_int_equal(size, SIZE);
    EVP_PKEY_CTX_free(context);
}

static void encode(char text[512], const unsigned char *cipher, size_t size)
{
    assert_true(EVP_EncodeBlock((unsigned char *)text, cipher, (int)size) > 0);
}

static void make(char key[512], int padding, const char *text)
{
    unsigned char cipher[SIZE];
    encrypt(cipher, padding, text, strlen(text));
    encode(key, cipher, SIZE);
}

static bool read_key(int padding, const char *key, uint64_t now, char user[USER_ID_SIZE])
{
    memset(user, 'x', USER_ID_SIZE);
    return bind_key_read(fixture.readers[padding], key, strlen(key), now, user, NULL);
}

static void expect_refused(int padding, const char *key)
{
    char user[USER_ID_SIZE];
    if (read_key(padding, key, NOW, user))
        fail_msg("taken: %s", key);
    assert_string_equal(user, "");
}

static void expect_user(int padding, const char *text, const char *wanted)
{
    char key[512], user[USER_ID_SIZE];
    make(key, padding, text);
    if (!read_key(padding, key, NOW, user))
        fail_msg("refused: %s", text);
    assert_string_equal(user, wanted);
}

/* ---- tests ---- */

static void test_valid_keys(void **state)
{
    (void)state;
    for (int padding = 0; padding < 2; padding++) {
        expect_user(padding, "{\"iat\":1700000000,\"uid\":\"ana\"}", "ana");
        expect_user(padding, "{\"uid\":7,\"iat\":1699999997}", "7");
        expect_user(padding, " { \"iat\" : 1700000000.9 , \"uid\" : \"\\u00f1\", \"x\": [] } ",
                    "\xc3\xb1");
        expect_user(padding, "{\"iat\":1699999999,\"uid\":\"[][][]\"}", "[][][]");
    }
}

static void test_keys_of_our_own_making(void **state)
{
    (void)state;
    char error[BIND_KEY_ERROR_SIZE], user[USER_ID_SIZE], longest[USER_ID_SIZE];
    const char *const files[] = {fixture.public_file, fixture.private_file};
    for (int i = 0; i < 4; i++) {
        struct bytes key = BYTES_EMPTY;
        assert_true(bind_key_make(&key, files[i / 2], (enum bind_key_padding)(i % 2), NOW,
                                  "a \"b\" \xc3\xb1", error));
        assert_true(read_key(i % 2, bytes_terminate(&key), NOW, user));
        assert_string_equal(user, "a \"b\" \xc3\xb1");
        bytes_free(&key);
    }
    struct bytes key = BYTES_EMPTY;
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_false(bind_key_make(&key, fixture.public_file, BIND_KEY_PKCS1, NOW, longest, error));
    assert_non_null(strstr(error, "too long"));
    assert_false(bind_key_make(&key, fixture.public_file, BIND_KEY_PKCS1, NOW, "\xff", error));
    assert_false(bind_key_make(&key, "/does/not/exist", BIND_KEY_PKCS1, NOW, "a", error));
    assert_int_equal(key.length, 0);
    bytes_free(&key);
}

static void test_time(void **state)
{
    (void)state;
    char key[512], user[USER_ID_SIZE], error[BIND_KEY_ERROR_SIZE];
    struct bind_key_options options = options_with(BIND_KEY_PKCS1);
    options.skew_s = 2;
    struct bind_key_reader *patient = bind_key_reader_open(&options, error);
    assert_non_null(patient);
    make(key, BIND_KEY_PKCS1, "{\"iat\":1700000000,\"uid\":\"ana\"}");
    for (int age = -5; age <= 8; age++) {
        uint64_t now = (uint64_t)(NOW + age);
        assert_int_equal(read_key(BIND_KEY_PKCS1, key, now, user), age >= 0 && age <= 3);
        assert_int_equal(bind_key_read(patient, key, strlen(key), now, user, NULL),
                         age >= -2 && age <= 5);
    }
    assert_false(read_key(BIND_KEY_PKCS1, key, 0, user));
    assert_false(read_key(BIND_KEY_PKCS1, key, 1, user));
    bind_key_reader_close(&patient);
}

static void test_wrong_contents(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "{}",
                                      "[]",
                                      "null",
                                      "\"ana\"",
                                      "ana",
                                      "{\"iat\":1700000000}",
                                      "{\"uid\":\"ana\"}",
                                      "{\"iat\":\"1700000000\",\"uid\":\"ana\"}",
                                      "{\"iat\":null,\"uid\":\"ana\"}",
                                      "{\"iat\":1e400,\"uid\":\"ana\"}",
                                      "{\"iat\":1e300,\"uid\":\"ana\"}",
                                      "{\"iat\":-1700000000,\"uid\":\"ana\"}",
                                      "{\"iat\":1700000000000,\"uid\":\"ana\"}",
                                      "{\"iat\":99999999999999999999,\"uid\":\"ana\"}",
                                      "{\"iat\":1700000000,\"uid\":null}",
                                      "{\"iat\":1700000000,\"uid\":\"\"}",
                                      "{\"iat\":1700000000,\"uid\":true}",
                                      "{\"iat\":1700000000,\"uid\":1.5}",
                                      "{\"iat\":1700000000,\"uid\":[\"ana\"]}",
                                      "{\"iat\":1700000000,\"uid\":\"*\"}",
                                      "{\"iat\":1700000000,\"uid\":\"+\"}",
                                      "{\"iat\":1700000000,\"uid\":\"__DONT__\"}",
                                      "{\"iat\":1700000000,\"uid\":\"a\\u0000b\"}",
                                      "{\"iat\":1700000000,\"uid\":\"ana\",\"uid\":\"luis\"}",
                                      "{\"iat\":1700000000,\"uid\":\"ana\"",
                                      "{\"iat\":1700000000,\"uid\":\"ana\"} x",
                                      "{\"iat\":1700000000,\"uid\":\"\xff\"}",
                                      "{\"iat\":1700000000,\"session_id\":\"abc\"}"};
    char key[512];
    for (int padding = 0; padding < 2; padding++) {
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
            make(key, padding, bad[i]);
            expect_refused(padding, key);
        }
    }
}

static void test_wrong_wrapping(void **state)
{
    (void)state;
    char key[512], changed[720];
    make(key, BIND_KEY_PKCS1, "{\"iat\":1700000000,\"uid\":\"ana\"}");
    size_t length = strlen(key);
    expect_refused(BIND_KEY_OAEP, key); /* the other padding */
    for (size_t cut = 1; cut <= length; cut += cut < 8 ? 1 : 37) {
        (void)snprintf(changed, sizeof changed, "%.*s", (int)(length - cut), key);
        expect_refused(BIND_KEY_PKCS1, changed);
        expect_refused(BIND_KEY_PKCS1, key + cut);
    }
    const char *const additions[] = {"=", ".", "A", "AAAA", "====", key};
    for (size_t i = 0; i < sizeof additions / sizeof *additions; i++) {
        (void)snprintf(changed, sizeof changed, "%s%.200s", key, additions[i]);
        expect_refused(BIND_KEY_PKCS1, changed);
        (void)snprintf(changed, sizeof changed, "%.4s%s", additions[i], key);
        expect_refused(BIND_KEY_PKCS1, changed);
    }
    static const char wrong[] = " \n-_*%\x80\xff=.";
    for (size_t i = 0; i < sizeof wrong - 1; i++) {
        (void)snprintf(changed, sizeof changed, "%s", key);
        changed[i * 30] = wrong[i];
        expect_refused(BIND_KEY_PKCS1, changed);
    }
    /* A '=' that a careless decoder would take for the 'A' that it stands for. */
    while (strchr(key, 'A') == NULL)
        make(key, BIND_KEY_PKCS1, "{\"iat\":1700000000,\"uid\":\"ana\"}");
    (void)snprintf(changed, sizeof changed, "%s", key);
    *strchr(changed, 'A') = '=';
    expect_refused(BIND_KEY_PKCS1, changed);
    char user[USER_ID_SIZE];
    assert_false(
        bind_key_read(fixture.readers[0], key, length + 1, NOW, user, NULL)); /* its NUL too */
    assert_false(bind_key_read(fixture.readers[0], "", 0, NOW, user, NULL));
    assert_true(bind_key_read(fixture.readers[0], key, length, NOW, user, NULL));
}

/* As PHP's trim(): a key that was read from a file or printed by a program has an end of line. */
static void test_blanks_around(void **state)
{
    (void)state;
    char key[512], around[600], user[USER_ID_SIZE];
    make(key, BIND_KEY_PKCS1, "{\"iat\":1700000000,\"uid\":\"ana\"}");
    static const char *const ends[] = {"", "\n", "\r\n", " \t", " \n\n"};
    for (size_t i = 0; i < 25; i++) {
        (void)snprintf(around, sizeof around, "%s%s%s", ends[i / 5], key, ends[i % 5]);
        assert_true(read_key(BIND_KEY_PKCS1, around, NOW, user));
        assert_string_equal(user, "ana");
    }
    expect_refused(BIND_KEY_PKCS1, "\n \t\r\n");
}

static void expect_why(const char *key, uint64_t now, const char *wanted)
{
    char user[USER_ID_SIZE], why[BIND_KEY_WHY_SIZE] = "";
    assert_false(bind_key_read(fixture.readers[BIND_KEY_PKCS1], key, strlen(key), now, user, why));
    assert_string_equal(why, wanted);
}

static void test_why(void **state)
{
    (void)state;
    const char *const other = "made for another key, with another padding, or damaged";
    char key[512];
    make(key, BIND_KEY_PKCS1, "{\"iat\":1700000000,\"uid\":\"ana\"}");
    expect_why(key, NOW + 7, "expired by 4 s");
    expect_why(key, NOW - 2, "from a clock that is 2 s ahead");
    expect_why("nonsense", NOW, "it is not the base64 of 256 bytes");
    make(key, BIND_KEY_PKCS1, "{\"iat\":1700000000,\"session_id\":\"x\"}");
    expect_why(key, NOW, "it holds no iat and no uid of a user, or session_id");
    /* These two must not be told apart: that is what decrypts other people's keys. */
    make(key, BIND_KEY_OAEP, "{\"iat\":1700000000,\"uid\":\"ana\"}");
    expect_why(key, NOW, other);
    make(key, BIND_KEY_PKCS1, "garbage");
    expect_why(key, NOW, other);
    /* For a key with a larger modulus: any number that is not below this one's. */
    memset(key, '/', sizeof key);
    memcpy(key + 340, "/w==", sizeof "/w==");
    expect_why(key, NOW, other);
}

static void test_flipped_bits(void **state)
{
    (void)state;
    static const char text[] = "{\"iat\":1700000000,\"uid\":\"ana\"}";
    unsigned char cipher[SIZE];
    char key[512];
    for (int padding = 0; padding < 2; padding++) {
        encrypt(cipher, padding, text, strlen(text));
        for (int bit = 0; bit < SIZE * 8; bit += 7) {
            cipher[bit / 8] ^= (unsigned char)(1 << bit % 8);
            encode(key, cipher, SIZE);
            expect_refused(padding, key);
            cipher[bit / 8] ^= (unsigned char)(1 << bit % 8);
        }
        encode(key, cipher, SIZE);
        char user[USER_ID_SIZE];
        assert_true(read_key(padding, key, NOW, user));
    }
}

/* Blocks as somebody sends them who tries out what the padding check takes. */
static void test_crafted_paddings(void **state)
{
    (void)state;
    static const char text[] = "{\"iat\":1700000000,\"uid\":\"ana\"}";
    unsigned char block[SIZE], cipher[SIZE];
    char key[512], user[USER_ID_SIZE];
    const size_t start = SIZE - (sizeof text - 1);
    /* Each case changes one byte of a right block; -1: none. */
    static const struct {
        int place, value;
        bool right;
    } cases[] = {{-1, 0, true},  {0, 1, false},  {1, 1, false}, {1, 0, false},
                 {1, 3, false},  {2, 0, false},  {5, 0, false}, {9, 0, false},
                 {10, 0, false}, {20, 0, false}, {0, 0, true},  {-2, 7, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memset(block, 0xaa, SIZE);
        block[0] = 0;
        block[1] = 2;
        block[start - 1] = 0;
        memcpy(block + start, text, sizeof text - 1);
        if (cases[i].place >= 0)
            block[cases[i].place] = (unsigned char)cases[i].value;
        if (cases[i].place == -2) /* no end of the padding at all */
            memset(block + 2, 0x55, SIZE - 2);
        encrypt(cipher, RAW, block, SIZE);
        encode(key, cipher, SIZE);
        assert_int_equal(read_key(BIND_KEY_PKCS1, key, NOW, user), cases[i].right);
        assert_string_equal(user, cases[i].right ? "ana" : "");
        expect_refused(BIND_KEY_OAEP, key);
    }
}

static void test_numbers_that_are_no_ciphertext(void **state)
{
    (void)state;
    unsigned char cipher[SIZE];
    char key[512];
    static const int fillings[] = {0x00, 0x01, 0x80, 0xff};
    for (size_t i = 0; i < sizeof fillings / sizeof *fillings; i++) {
        memset(cipher, fillings[i], SIZE);
        encode(key, cipher, SIZE);
        for (int padding = 0; padding < 2; padding++)
            expect_refused(padding, key);
        cipher[SIZE - 1] ^= 1;
        encode(key, cipher, SIZE);
        for (int padding = 0; padding < 2; padding++)
            expect_refused(padding, key);
    }
}

/* OpenSSL refuses a number that is not below the modulus before it does any work: another one is
 * decrypted in its place, so that it takes as long as all others. */
static void test_numbers_around_the_modulus(void **state)
{
    (void)state;
    unsigned char modulus[SIZE], cipher[SIZE];
    char key[512];
    BIGNUM *number = NULL;
    assert_true(EVP_PKEY_get_bn_param(fixture.key, OSSL_PKEY_PARAM_RSA_N, &number) > 0);
    assert_int_equal(BN_bn2binpad(number, modulus, SIZE), SIZE);
    assert_int_equal(BN_sub_word(number, 1), 1);
    for (int more = -1; more <= 1; more++, BN_add_word(number, 1)) {
        assert_int_equal(BN_bn2binpad(number, cipher, SIZE), SIZE);
        encode(key, cipher, SIZE);
        for (int padding = 0; padding < 2; padding++) {
            expect_refused(padding, key);
            assert_int_equal(memcmp(given, cipher, SIZE) == 0, more < 0);
            assert_true(memcmp(given, modulus, SIZE) < 0);
        }
    }
    BN_free(number);
}

static void test_key_of_somebody_else(void **state)
{
    (void)state;
    char other[64], other_public[64], error[BIND_KEY_ERROR_SIZE];
    struct bytes key = BYTES_EMPTY;
    (void)snprintf(other, sizeof other, "%s/other", fixture.folder);
    (void)snprintf(other_public, sizeof other_public, "%s/other.pub", fixture.folder);
    assert_true(bind_key_generate(other, other_public, 2048, error));
    for (int padding = 0; padding < 2; padding++) {
        bytes_clear(&key);
        assert_true(
            bind_key_make(&key, other_public, (enum bind_key_padding)padding, NOW, "ana", error));
        expect_refused(padding, bytes_terminate(&key));
    }
    bytes_free(&key);
}

static void write_key(const char *path, EVP_PKEY *key, const char *passphrase)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(PEM_write_PrivateKey(file, key, passphrase != NULL ? EVP_aes_128_cbc() : NULL,
                                          (const unsigned char *)passphrase,
                                          passphrase != NULL ? (int)strlen(passphrase) : 0, NULL,
                                          NULL),
                     1);
    assert_int_equal(fclose(file), 0);
}

static void expect_unusable(const char *path, const char *words)
{
    char error[BIND_KEY_ERROR_SIZE] = "";
    const struct bind_key_options options = {path, BIND_KEY_PKCS1, 3, 0};
    assert_null(bind_key_reader_open(&options, error));
    if (strstr(error, words) == NULL || strstr(error, path) == NULL)
        fail_msg("'%s' says nothing of '%s'", error, words);
}

static void test_key_files(void **state)
{
    (void)state;
    char path[64], error[BIND_KEY_ERROR_SIZE];
    struct stat status;
    assert_int_equal(stat(fixture.private_file, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0640);
    assert_int_equal(stat(fixture.public_file, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0640);
    (void)snprintf(path, sizeof path, "%s/key", fixture.folder);
    assert_false(bind_key_generate(fixture.private_file, path, 2048, error)); /* never overwrites */
    assert_false(bind_key_generate(path, path, 1024, error));
    assert_int_equal(access(path, F_OK), -1);
    expect_unusable(path, "No such file");

    write_key(path, fixture.key, NULL);
    assert_int_equal(chmod(path, 0604), 0);
    expect_unusable(path, "everybody");
    write_key(path, fixture.key, "passphrase");
    expect_unusable(path, "passphrase");
    EVP_PKEY *small = EVP_RSA_gen(1024), *curve = EVP_EC_gen("P-256");
    write_key(path, small, NULL);
    expect_unusable(path, "2048");
    write_key(path, curve, NULL);
    expect_unusable(path, "RSA");
    EVP_PKEY_free(small);
    EVP_PKEY_free(curve);
    FILE *file = fopen(path, "w");
    assert_true(file != NULL && fputs("no key at all\n", file) >= 0 && fclose(file) == 0);
    expect_unusable(path, "PEM");
}

/* Nobody has the private one that would belong to it. */
static bool make_for_modulus_of(int bits, char error[BIND_KEY_ERROR_SIZE])
{
    char path[64];
    EVP_PKEY *key = NULL;
    BIGNUM *modulus = BN_new(), *exponent = BN_new();
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    OSSL_PARAM_BLD *parts = OSSL_PARAM_BLD_new();
    assert_true(BN_rand(modulus, bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD) == 1 &&
                BN_set_word(exponent, 65537) == 1 &&
                OSSL_PARAM_BLD_push_BN(parts, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
                OSSL_PARAM_BLD_push_BN(parts, OSSL_PKEY_PARAM_RSA_E, exponent) == 1);
    OSSL_PARAM *list = OSSL_PARAM_BLD_to_param(parts);
    assert_true(EVP_PKEY_fromdata_init(context) == 1 &&
                EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, list) == 1);
    (void)snprintf(path, sizeof path, "%s/large", fixture.folder);
    FILE *file = fopen(path, "w");
    assert_true(file != NULL && PEM_write_PUBKEY(file, key) == 1 && fclose(file) == 0);
    struct bytes made = BYTES_EMPTY;
    bool good = bind_key_make(&made, path, BIND_KEY_OAEP, NOW, "ana", error);
    bytes_free(&made);
    EVP_PKEY_free(key);
    OSSL_PARAM_free(list);
    OSSL_PARAM_BLD_free(parts);
    EVP_PKEY_CTX_free(context);
    BN_free(exponent);
    BN_free(modulus);
    assert_int_equal(unlink(path), 0);
    return good;
}

static void test_largest_key(void **state)
{
    (void)state;
    char error[BIND_KEY_ERROR_SIZE] = "";
    if (!make_for_modulus_of(8192, error))
        fail_msg("%s", error);
    assert_false(make_for_modulus_of(8193, error));
    assert_non_null(strstr(error, "has not between 2048 and 8192 bits"));
}

static void test_keys_of_sessions(void **state)
{
    (void)state;
    static const struct {
        const char *text, *session; /* "": refused */
    } keys[] = {
        {"{\"iat\":1700000000,\"session_id\":\"kq2vgq1m8t4fjk0rn3h6p5s7ua\"}",
         "kq2vgq1m8t4fjk0rn3h6p5s7ua"},
        {"{\"iat\":1700000000,\"session_id\":\"a,-Z9\",\"uid\":\"ana\"}", "a,-Z9"},
        {"{\"iat\":1700000000,\"uid\":\"ana\"}", ""},
        {"{\"iat\":1600000000,\"session_id\":\"abc\"}", ""},
        {"{\"session_id\":\"abc\"}", ""},
        {"{\"iat\":1700000000,\"session_id\":\"\"}", ""},
        {"{\"iat\":1700000000,\"session_id\":\"a:b\"}", ""},
        {"{\"iat\":1700000000,\"session_id\":\"a*\"}", ""},
        {"{\"iat\":1700000000,\"session_id\":\"a\\u0000b\"}", ""},
        {"{\"iat\":1700000000,\"session_id\":7}", ""},
        {"{\"iat\":1700000000,\"session_id\":null}", ""},
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        char key[512], session[SESSION_ID_SIZE];
        make(key, BIND_KEY_PKCS1, keys[i].text);
        bool taken = bind_key_read_session(fixture.readers[BIND_KEY_PKCS1], key, strlen(key), NOW,
                                           session, NULL);
        assert_int_equal(taken, *keys[i].session != '\0');
        assert_string_equal(session, keys[i].session);
    }
    char long_id[SESSION_ID_SIZE];
    memset(long_id, 'x', sizeof long_id);
    assert_true(session_id_is_valid(long_id, SESSION_ID_MAX));
    assert_false(session_id_is_valid(long_id, SESSION_ID_MAX + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_largest_key),
        cmocka_unit_test(test_keys_of_sessions),
        cmocka_unit_test(test_valid_keys),
        cmocka_unit_test(test_keys_of_our_own_making),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_wrong_contents),
        cmocka_unit_test(test_wrong_wrapping),
        cmocka_unit_test(test_blanks_around),
        cmocka_unit_test(test_why),
        cmocka_unit_test(test_flipped_bits),
        cmocka_unit_test(test_crafted_paddings),
        cmocka_unit_test(test_numbers_that_are_no_ciphertext),
        cmocka_unit_test(test_numbers_around_the_modulus),
        cmocka_unit_test(test_key_of_somebody_else),
        cmocka_unit_test(test_key_files),
    };
    return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
