#include "bind_key.h"

#include "big_endian.h"
#include "blank.h"
#include "secret.h"
#include "sessions/session_id.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BITS_MIN = 2048,
    BITS_MAX = 8192,
    SIZE_MAX_BYTES = BITS_MAX / 8,
    TEXT_MAX = 4 * ((SIZE_MAX_BYTES + 2) / 3),
    SECRET_SIZE = 32
};

struct bind_key_reader {
    struct bind_key_options options;
    EVP_PKEY *key;
    EVP_PKEY_CTX *context;
    EVP_MD_CTX *digest;
    size_t size;        /* bytes of modulus and ciphertext */
    size_t text_length; /* of a ciphertext in base64 */
    unsigned char modulus[SIZE_MAX_BYTES];
    unsigned char stand_in[SIZE_MAX_BYTES]; /* decrypted when what came is no ciphertext at all */
    char stand_in_text[TEXT_MAX + 1];       /* the same in base64 */
    unsigned char secret[SECRET_SIZE];      /* what made-up texts are made from */
};

static bool fail(char error[BIND_KEY_ERROR_SIZE], const char *file, const char *words)
{
    (void)snprintf(error, BIND_KEY_ERROR_SIZE, "%s: %s", file, words);
    ERR_clear_error();
    return false;
}

/* ---- key files ---- */

/* Instead of asking for a passphrase on the terminal. */
static int have_no_passphrase(char *buffer, int size, int writing, void *context)
{
    (void)buffer, (void)size, (void)writing, (void)context;
    return -1;
}

static EVP_PKEY *load_private_key(const char *path, char error[BIND_KEY_ERROR_SIZE])
{
    int file = secret_file_open(path, error);
    if (file < 0)
        return NULL;
    BIO *stream = BIO_new_fd(file, BIO_CLOSE);
    if (stream == NULL) {
        (void)close(file);
        (void)fail(error, path, "no memory");
        return NULL;
    }
    EVP_PKEY *key = PEM_read_bio_PrivateKey(stream, NULL, have_no_passphrase, NULL);
    BIO_free_all(stream);
    if (key == NULL)
        (void)fail(error, path, "is not a private key in PEM without passphrase");
    return key;
}

static EVP_PKEY *load_public_key(const char *path, char error[BIND_KEY_ERROR_SIZE])
{
    BIO *stream = BIO_new_file(path, "r");
    if (stream == NULL) {
        (void)fail(error, path, strerror(errno));
        return NULL;
    }
    EVP_PKEY *key = PEM_read_bio_PUBKEY(stream, NULL, have_no_passphrase, NULL);
    BIO_free_all(stream);
    return key != NULL ? key : load_private_key(path, error);
}

static bool key_is_usable(EVP_PKEY *key, const char *path, char error[BIND_KEY_ERROR_SIZE])
{
    if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA)
        return fail(error, path, "is not an RSA key");
    int bits = EVP_PKEY_get_bits(key);
    if (bits < BITS_MIN || bits > BITS_MAX)
        return fail(error, path, "has not between 2048 and 8192 bits");
    return true;
}

static bool set_padding(EVP_PKEY_CTX *context, enum bind_key_padding padding)
{
    int number = padding == BIND_KEY_OAEP ? RSA_PKCS1_OAEP_PADDING : RSA_PKCS1_PADDING;
    return EVP_PKEY_CTX_set_rsa_padding(context, number) > 0;
}

/* ---- opening ---- */

static bool prepare(struct bind_key_reader *reader)
{
    BIGNUM *modulus = NULL;
    reader->context = EVP_PKEY_CTX_new(reader->key, NULL);
    reader->digest = EVP_MD_CTX_new();
    reader->size = (size_t)EVP_PKEY_get_size(reader->key);
    reader->text_length = 4 * ((reader->size + 2) / 3);
    bool ready = reader->context != NULL && reader->digest != NULL &&
                 reader->size <= SIZE_MAX_BYTES && EVP_PKEY_decrypt_init(reader->context) > 0 &&
                 set_padding(reader->context, reader->options.padding) &&
                 EVP_PKEY_get_bn_param(reader->key, OSSL_PKEY_PARAM_RSA_N, &modulus) > 0 &&
                 BN_bn2binpad(modulus, reader->modulus, (int)reader->size) > 0 &&
                 secret_random(reader->secret, sizeof reader->secret) &&
                 secret_random(reader->stand_in, reader->size);
    reader->stand_in[0] = 0; /* below the modulus */
    BN_free(modulus);
    return ready && EVP_EncodeBlock((unsigned char *)reader->stand_in_text, reader->stand_in,
                                    (int)reader->size) == (int)reader->text_length;
}

struct bind_key_reader *bind_key_reader_open(const struct bind_key_options *options,
                                             char error[BIND_KEY_ERROR_SIZE])
{
    struct bind_key_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL) {
        (void)fail(error, options->private_key_file, "no memory");
        return NULL;
    }
    reader->options = *options;
    reader->key = load_private_key(options->private_key_file, error);
    bool ready =
        reader->key != NULL && key_is_usable(reader->key, options->private_key_file, error);
    if (ready && !prepare(reader))
        ready = fail(error, options->private_key_file, "cannot be used for decryption");
    if (!ready)
        bind_key_reader_close(&reader);
    return reader;
}

void bind_key_reader_close(struct bind_key_reader **reader)
{
    if (*reader == NULL)
        return;
    EVP_MD_CTX_free((*reader)->digest);
    EVP_PKEY_CTX_free((*reader)->context);
    EVP_PKEY_free((*reader)->key);
    OPENSSL_cleanse(*reader, sizeof **reader);
    free(*reader);
    *reader = NULL;
}

/* ---- reading ---- */

static size_t count_end(const char *text, size_t length, char byte)
{
    size_t count = 0;
    while (count < length && text[length - count - 1] == byte)
        count++;
    return count;
}

/* Puts the ciphertext into out; when there is none, the stand-in, so that the same work follows. A
 * number that is not below the modulus was encrypted for another key (RFC 8017, section 5.1.2). */
static bool decode(const struct bind_key_reader *reader, const char *text, size_t length,
                   unsigned char out[SIZE_MAX_BYTES], bool *is_base64)
{
    unsigned char bytes[TEXT_MAX];
    size_t filling = (3 - reader->size % 3) % 3;
    bool whole = length == reader->text_length;
    const char *source = whole ? text : reader->stand_in_text;
    whole &= count_end(source, reader->text_length, '=') == filling;
    /* EVP_DecodeBlock(3) takes a '=' in the middle for an 'A'. */
    whole &= memchr(source, '=', reader->text_length - filling) == NULL;
    whole &= EVP_DecodeBlock(bytes, (const unsigned char *)source, (int)reader->text_length) ==
             (int)(reader->size + filling);
    *is_base64 = whole;
    whole = whole && memcmp(bytes, reader->modulus, reader->size) < 0;
    memcpy(out, whole ? bytes : reader->stand_in, reader->size);
    return whole;
}

/* Garbage that is always the same for the same ciphertext, and that nobody else can foretell: its
 * bytes, then its length. */
static bool make_up(struct bind_key_reader *reader, const unsigned char *cipher,
                    unsigned char out[SIZE_MAX_BYTES], size_t *length)
{
    unsigned char stream[SIZE_MAX_BYTES + 2];
    bool made = EVP_DigestInit_ex(reader->digest, EVP_shake256(), NULL) > 0 &&
                EVP_DigestUpdate(reader->digest, reader->secret, sizeof reader->secret) > 0 &&
                EVP_DigestUpdate(reader->digest, cipher, reader->size) > 0 &&
                EVP_DigestFinalXOF(reader->digest, stream, reader->size + 2) > 0;
    memcpy(out, stream, reader->size);
    *length = (size_t)big_endian_read(stream + reader->size, 2) % (reader->size - 10);
    return made;
}

/* Leaves in `text` what was encrypted, or something made up; which of them is not to be seen in the
 * time it takes. */
static bool decrypt(struct bind_key_reader *reader, const unsigned char *cipher,
                    unsigned char text[SIZE_MAX_BYTES], size_t *length)
{
    unsigned char plain[SIZE_MAX_BYTES] = {0};
    size_t plain_length = sizeof plain, made_length = 0;
    bool made = make_up(reader, cipher, text, &made_length);
    int padded = EVP_PKEY_decrypt(reader->context, plain, &plain_length, cipher, reader->size) == 1;
    ERR_clear_error();
    unsigned char keep = (unsigned char)-padded;
    size_t keep_length = (size_t)0 - (size_t)padded;
    for (size_t i = 0; i < reader->size; i++)
        text[i] = (unsigned char)((plain[i] & keep) | (text[i] & (unsigned char)~keep));
    *length = (plain_length & keep_length) | (made_length & ~keep_length);
    OPENSSL_cleanse(plain, sizeof plain);
    return padded & made;
}

/* What a bind key names beside its time: a user, or a session of the application. */
enum named { NAMED_USER, NAMED_SESSION };

struct claims {
    bool is_json;
    bool read; /* it is JSON of the right shape */
    int64_t iat_s;
    char name[USER_ID_SIZE];
};

_Static_assert((int)SESSION_ID_SIZE == (int)USER_ID_SIZE, "both names have the same room");

/* Whole seconds of a JSON number, as PHP's time() gives them. */
static bool read_seconds(const json_t *value, int64_t *seconds)
{
    double number = json_number_value(value);
    if (!json_is_number(value) || !(number >= 0 && number < 9007199254740992.0))
        return false;
    *seconds = (int64_t)number;
    return true;
}

static bool read_session(char out[SESSION_ID_SIZE], const json_t *value)
{
    bool valid = json_is_string(value) &&
                 session_id_is_valid(json_string_value(value), json_string_length(value));
    if (valid)
        memcpy(out, json_string_value(value), json_string_length(value) + 1);
    return valid;
}

static struct claims read_claims(const char *text, size_t length, enum named kind)
{
    struct claims claims = {0};
    json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
    bool dated = read_seconds(json_object_get(root, "iat"), &claims.iat_s);
    bool named =
        kind == NAMED_USER
            ? user_id_from_json(claims.name, json_object_get(root, "uid")) != USER_ID_INVALID
            : read_session(claims.name, json_object_get(root, "session_id"));
    claims.is_json = root != NULL;
    claims.read = dated & named;
    json_decref(root);
    return claims;
}

/* By how many seconds a key is too old; negative: by how many it is too new; 0: neither. */
static int64_t lateness(const struct bind_key_options *options, int64_t iat_s, uint64_t now_s)
{
    int64_t now = (int64_t)now_s;
    int64_t oldest = now - (int64_t)options->tolerance_s - (int64_t)options->skew_s;
    int64_t newest = now + (int64_t)options->skew_s;
    int64_t old = oldest - iat_s, early = iat_s - newest;
    return (old > 0 ? old : 0) - (early > 0 ? early : 0);
}

static void explain(char why[BIND_KEY_WHY_SIZE], const struct bind_key_reader *reader,
                    bool is_base64, bool readable, const struct claims *claims, int64_t late)
{
    if (!is_base64)
        (void)snprintf(why, BIND_KEY_WHY_SIZE, "it is not the base64 of %zu bytes", reader->size);
    else if (!readable)
        (void)snprintf(why, BIND_KEY_WHY_SIZE,
                       "made for another key, with another padding, or "
                       "damaged");
    else if (!claims->read)
        (void)snprintf(why, BIND_KEY_WHY_SIZE,
                       "it holds no iat and no uid of a user, or session_id");
    else if (late > 0)
        (void)snprintf(why, BIND_KEY_WHY_SIZE, "expired by %lld s", (long long)late);
    else
        (void)snprintf(why, BIND_KEY_WHY_SIZE, "from a clock that is %lld s ahead",
                       (long long)-late);
}

static void trim(const char **key, size_t *length)
{
    while (*length > 0 && is_blank(**key)) {
        ++*key;
        --*length;
    }
    while (*length > 0 && is_blank((*key)[*length - 1]))
        --*length;
}

static bool read_key(struct bind_key_reader *reader, const char *key, size_t length, uint64_t now_s,
                     enum named kind, char name[USER_ID_SIZE], char why[BIND_KEY_WHY_SIZE])
{
    static const char *const samples[] = {
        "{\"iat\":1700000000,\"uid\":\"somebody\"}",
        "{\"iat\":1700000000,\"session_id\":\"kq2vgq1m8t4fjk0rn3h6p5s7ua\"}"};
    static const char garbage[] = "\x02\x80";
    unsigned char cipher[SIZE_MAX_BYTES], text[SIZE_MAX_BYTES];
    size_t text_length;
    trim(&key, &length);
    bool is_base64;
    bool whole = decode(reader, key, length, cipher, &is_base64);
    bool decrypted = decrypt(reader, cipher, text, &text_length);
    struct claims claims = read_claims((const char *)text, text_length, kind);
    /* Each key costs the reading of one good text and of one bad text. */
    struct claims other = claims.is_json ? read_claims(garbage, sizeof garbage - 1, kind)
                                         : read_claims(samples[kind], strlen(samples[kind]), kind);
    int64_t late = lateness(&reader->options, claims.is_json ? claims.iat_s : other.iat_s, now_s);
    bool valid = whole & decrypted & claims.read & (late == 0);
    memcpy(name, claims.name, USER_ID_SIZE);
    if (!valid)
        name[0] = '\0';
    if (!valid && why != NULL)
        explain(why, reader, is_base64, whole & decrypted & claims.is_json, &claims, late);
    OPENSSL_cleanse(text, sizeof text);
    OPENSSL_cleanse(&claims, sizeof claims);
    return valid;
}

bool bind_key_read(struct bind_key_reader *reader, const char *key, size_t length, uint64_t now_s,
                   char user[USER_ID_SIZE], char why[BIND_KEY_WHY_SIZE])
{
    return read_key(reader, key, length, now_s, NAMED_USER, user, why);
}

bool bind_key_read_session(struct bind_key_reader *reader, const char *key, size_t length,
                           uint64_t now_s, char session[SESSION_ID_SIZE],
                           char why[BIND_KEY_WHY_SIZE])
{
    return read_key(reader, key, length, now_s, NAMED_SESSION, session, why);
}

/* ---- making ---- */

static bool encrypt(struct bytes *out, EVP_PKEY *key, enum bind_key_padding padding,
                    const char *text)
{
    unsigned char cipher[SIZE_MAX_BYTES];
    size_t size = sizeof cipher;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
    bool done =
        context != NULL && EVP_PKEY_encrypt_init(context) > 0 && set_padding(context, padding) &&
        EVP_PKEY_encrypt(context, cipher, &size, (const unsigned char *)text, strlen(text)) > 0;
    EVP_PKEY_CTX_free(context);
    if (!done || !bytes_reserve(out, TEXT_MAX + 1))
        return false;
    out->length +=
        (size_t)EVP_EncodeBlock((unsigned char *)out->data + out->length, cipher, (int)size);
    return true;
}

bool bind_key_make(struct bytes *out, const char *key_file, enum bind_key_padding padding,
                   uint64_t iat_s, const char *user, char error[BIND_KEY_ERROR_SIZE])
{
    EVP_PKEY *key = load_public_key(key_file, error);
    bool made = key != NULL && key_is_usable(key, key_file, error);
    char *text = NULL;
    json_t *root = json_pack("{sI ss}", "iat", (json_int_t)iat_s, "uid", user);
    if (made && (root == NULL || (text = json_dumps(root, JSON_COMPACT)) == NULL))
        made = fail(error, "bind key", "the user id is not UTF-8");
    if (made && !encrypt(out, key, padding, text))
        made = fail(error, key_file, "the user id is too long for this key");
    json_decref(root);
    free(text);
    EVP_PKEY_free(key);
    return made;
}

static BIO *create_file(const char *path, mode_t mode, char error[BIND_KEY_ERROR_SIZE])
{
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    BIO *stream = file >= 0 && fchmod(file, mode) == 0 ? BIO_new_fd(file, BIO_CLOSE) : NULL;
    if (stream != NULL)
        return stream;
    (void)fail(error, path, strerror(errno));
    if (file >= 0)
        (void)close(file);
    return NULL;
}

bool bind_key_generate(const char *private_file, const char *public_file, unsigned bits,
                       char error[BIND_KEY_ERROR_SIZE])
{
    EVP_PKEY *key = bits >= BITS_MIN && bits <= BITS_MAX ? EVP_RSA_gen(bits) : NULL;
    if (key == NULL)
        return fail(error, private_file, "a key has between 2048 and 8192 bits");
    BIO *private_stream = create_file(private_file, 0640, error);
    BIO *public_stream = private_stream != NULL ? create_file(public_file, 0640, error) : NULL;
    bool done = public_stream != NULL;
    if (done && (PEM_write_bio_PrivateKey(private_stream, key, NULL, NULL, 0, NULL, NULL) <= 0 ||
                 PEM_write_bio_PUBKEY(public_stream, key) <= 0))
        done = fail(error, private_file, "cannot be written");
    BIO_free_all(public_stream);
    BIO_free_all(private_stream);
    EVP_PKEY_free(key);
    return done;
}
