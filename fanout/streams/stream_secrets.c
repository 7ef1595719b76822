#include "streams/stream_secrets.h"

#include "clock.h"
#include "saved_state.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct returned_stream {
    struct hash_node by_connid;
    struct returned_stream *next;
};

/* What is enciphered, one block of AES-128. That a made-up secret has the right connection id in
 * its first half is as likely as to guess 64 bits. */
struct content {
    uint64_t connid;
    uint16_t generation;
    union {
        unsigned char random[6];
        struct {                     /* of a shared key */
            unsigned char made_s[4]; /* by the wall clock, modulo */
            unsigned char maker[2];  /* which of the daemons has made it */
        };
    };
};

_Static_assert(sizeof(struct content) == STREAM_SECRET_SIZE, "it is one block");

static EVP_CIPHER_CTX *start_cipher(const unsigned char key[STREAM_SECRETS_KEY_SIZE], int encipher)
{
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();

    if (cipher != NULL &&
        EVP_CipherInit_ex2(cipher, EVP_aes_128_ecb(), key, NULL, encipher, NULL) == 1 &&
        EVP_CIPHER_CTX_set_padding(cipher, 0) == 1)
        return cipher;
    EVP_CIPHER_CTX_free(cipher);
    return NULL;
}

static bool run_cipher(EVP_CIPHER_CTX *cipher, void *out, const void *in)
{
    int length = 0;

    return EVP_CipherUpdate(cipher, out, &length, in, STREAM_SECRET_SIZE) == 1 &&
           length == STREAM_SECRET_SIZE;
}

bool stream_secrets_open(struct stream_secrets *secrets,
                         const unsigned char key[STREAM_SECRETS_KEY_SIZE], uint64_t first_connid,
                         uint64_t now_ms)
{
    secrets->encipher = start_cipher(key, 1);
    secrets->decipher = start_cipher(key, 0);
    memcpy(secrets->key, key, sizeof secrets->key);
    secrets->first_connid = first_connid;
    secrets->opened_at_ms = now_ms;
    return secrets->encipher != NULL && secrets->decipher != NULL;
}

void stream_secrets_share(struct stream_secrets *secrets, unsigned node)
{
    secrets->is_shared = true;
    secrets->node = (uint16_t)node;
    moved_streams_open(&secrets->moved);
}

static void forget_returned(struct stream_secrets *secrets)
{
    hash_table_free(&secrets->by_connid);
    while (secrets->returned != NULL) {
        struct returned_stream *next = secrets->returned->next;
        free(secrets->returned);
        secrets->returned = next;
    }
}

void stream_secrets_close(struct stream_secrets *secrets)
{
    EVP_CIPHER_CTX_free(secrets->encipher);
    EVP_CIPHER_CTX_free(secrets->decipher);
    secrets->encipher = secrets->decipher = NULL;
    OPENSSL_cleanse(&secrets->random, sizeof secrets->random);
    OPENSSL_cleanse(secrets->key, sizeof secrets->key);
    forget_returned(secrets);
    moved_streams_free(&secrets->moved);
}

static uint32_t wall_s(void)
{
    return (uint32_t)(clock_wall_ms() / 1000);
}

static bool read_content(const struct stream_secrets *secrets, struct content *content,
                         uint64_t connid, const unsigned char secret[STREAM_SECRET_SIZE])
{
    return run_cipher(secrets->decipher, content, secret) &&
           secret_equal(&content->connid, &connid, sizeof connid);
}

bool stream_secrets_make(struct stream_secrets *secrets, uint64_t connid,
                         const unsigned char *shown, unsigned char secret[STREAM_SECRET_SIZE])
{
    struct content content = {.connid = connid}, former;

    if (shown != NULL && read_content(secrets, &former, connid, shown))
        content.generation = (uint16_t)(former.generation + 1);
    if (!secret_pool_take(&secrets->random, content.random, sizeof content.random))
        return false;
    uint32_t now_s = wall_s();
    if (secrets->is_shared) {
        memcpy(content.made_s, &now_s, sizeof content.made_s);
        memcpy(content.maker, &secrets->node, sizeof content.maker);
    }
    return run_cipher(secrets->encipher, secret, &content);
}

bool stream_secrets_count(const struct stream_secrets *secrets, uint64_t connid,
                          const unsigned char newest[STREAM_SECRET_SIZE],
                          const unsigned char shown[STREAM_SECRET_SIZE])
{
    struct content last, content;

    if (!read_content(secrets, &last, connid, newest) ||
        !read_content(secrets, &content, connid, shown))
        return false;
    uint16_t older_by = (uint16_t)(last.generation - content.generation);
    return older_by <= 1;
}

bool stream_secrets_maker(const struct stream_secrets *secrets, uint64_t connid,
                          const unsigned char secret[STREAM_SECRET_SIZE], unsigned *node)
{
    struct content content;
    uint16_t maker;

    if (!secrets->is_shared || !read_content(secrets, &content, connid, secret))
        return false;
    memcpy(&maker, content.maker, sizeof maker);
    *node = maker;
    return true;
}

static bool remember(struct stream_secrets *secrets, uint64_t connid)
{
    struct returned_stream *stream = calloc(1, sizeof *stream);

    if (stream == NULL || !hash_table_add(&secrets->by_connid, &stream->by_connid, connid)) {
        free(stream);
        return false;
    }
    stream->next = secrets->returned;
    secrets->returned = stream;
    return true;
}

bool stream_secrets_take_back(struct stream_secrets *secrets, uint64_t connid,
                              const unsigned char secret[STREAM_SECRET_SIZE], uint64_t now_ms)
{
    if (now_ms - secrets->opened_at_ms > secrets->max_age_ms) {
        forget_returned(secrets);
        return false;
    }
    struct content content;
    return connid < secrets->first_connid && read_content(secrets, &content, connid, secret) &&
           hash_table_find(&secrets->by_connid, connid) == NULL && remember(secrets, connid);
}

/* Clocks of the daemons may differ a little. */
static bool is_old(const struct stream_secrets *secrets, const struct content *content)
{
    uint32_t made_s;

    memcpy(&made_s, content->made_s, sizeof made_s);
    int64_t age_s = (int32_t)(wall_s() - made_s);
    return age_s > 0 && (uint64_t)age_s * 1000 > secrets->lives_ms;
}

bool stream_secrets_take_over(struct stream_secrets *secrets, uint64_t connid,
                              const unsigned char *newest,
                              const unsigned char secret[STREAM_SECRET_SIZE], uint64_t now_ms)
{
    struct content content, last;

    if (!read_content(secrets, &content, connid, secret) || is_old(secrets, &content) ||
        !moved_streams_count(&secrets->moved, connid, content.generation))
        return false;
    if (newest != NULL && read_content(secrets, &last, connid, newest) &&
        (int16_t)(uint16_t)(content.generation - last.generation) <= 0)
        return false;
    return moved_streams_note_here(&secrets->moved, connid, content.generation, now_ms);
}

void stream_secrets_note_shown(struct stream_secrets *secrets, uint64_t connid,
                               const unsigned char secret[STREAM_SECRET_SIZE], uint64_t now_ms)
{
    struct content content;

    if (secrets->is_shared && read_content(secrets, &content, connid, secret))
        (void)moved_streams_note_here(&secrets->moved, connid, content.generation, now_ms);
}

bool stream_secrets_refuse(struct stream_secrets *secrets, uint64_t connid, uint64_t now_ms)
{
    if (secrets->is_shared)
        return moved_streams_note_here(&secrets->moved, connid, MOVED_STREAM_NONE, now_ms);
    return connid >= secrets->first_connid ||
           hash_table_find(&secrets->by_connid, connid) != NULL || remember(secrets, connid);
}

uint64_t stream_secrets_bytes(const struct stream_secrets *secrets)
{
    return hash_table_bytes_with(&secrets->by_connid, sizeof(struct returned_stream)) +
           moved_streams_bytes(&secrets->moved);
}

void stream_secrets_save(const struct stream_secrets *secrets, struct saved_writer *writer)
{
    saved_put_bytes(writer, secrets->key, sizeof secrets->key);
    saved_put(writer, secrets->first_connid);
    saved_put(writer, secrets->opened_at_ms);
    saved_put(writer, secrets->by_connid.count);
    for (const struct returned_stream *stream = secrets->returned; stream != NULL;
         stream = stream->next)
        saved_put(writer, stream->by_connid.hash);
    saved_put(writer, secrets->is_shared);
    saved_put(writer, secrets->node);
    moved_streams_save(&secrets->moved, writer);
}

bool stream_secrets_load(struct stream_secrets *secrets, struct saved_reader *reader)
{
    unsigned char key[STREAM_SECRETS_KEY_SIZE];

    saved_take_exactly(reader, key, sizeof key);
    uint64_t first_connid = saved_take(reader), opened_at_ms = saved_take(reader);
    bool opened = stream_secrets_open(secrets, key, first_connid, opened_at_ms);
    OPENSSL_cleanse(key, sizeof key);
    for (size_t left = saved_take_count(reader, sizeof(uint64_t)); opened && left > 0; left--) {
        uint64_t connid = saved_take(reader);
        opened = hash_table_find(&secrets->by_connid, connid) == NULL && remember(secrets, connid);
    }
    if (!opened)
        return false;
    bool is_shared = saved_take_within(reader, 1) != 0;
    unsigned node = (unsigned)saved_take_within(reader, UINT16_MAX);
    if (is_shared)
        stream_secrets_share(secrets, node);
    else
        TAILQ_INIT(&secrets->moved.by_age);
    return moved_streams_load(&secrets->moved, reader) && !reader->failed;
}
