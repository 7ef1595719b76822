/* The secrets of streams. Each is made of the stream's connection id, of a generation, which grows
 * when the client has shown that it has the one before, and of random bytes, enciphered under the
 * key of the log on disk. So a daemon that was started again with that log
 * knows a secret that the one before it gave to a connection id, without a list of them; nobody
 * else can tell one from 16 random bytes, or make one.
 *
 * Several daemons may share a key. Then a client comes back to any of them, again and again: to the one that it shows
 * a secret which no later one has taken the place of, as far as they have told each other (moved_streams.h); the secret
 * says when it was made, and counts for a while. */
#ifndef ESN_STREAM_SECRETS_H
#define ESN_STREAM_SECRETS_H

#include "hash_table.h"
#include "secret.h"
#include "streams/moved_streams.h"

#include <stdbool.h>
#include <stdint.h>

enum { STREAM_SECRET_SIZE = 16, STREAM_SECRETS_KEY_SIZE = 16 };

struct evp_cipher_ctx_st; /* openssl/evp.h */
struct returned_stream;

struct stream_secrets {
    struct evp_cipher_ctx_st *encipher, *decipher;
    struct secret_pool random;
    struct hash_table by_connid; /* of an earlier daemon's streams that came back already ... */
    struct returned_stream *returned; /* ... all of them */
    uint64_t first_connid;            /* of this daemon */
    uint64_t opened_at_ms;
    uint64_t max_age_ms; /* set by the owner; how long those of an earlier daemon may come back */
    unsigned char key[STREAM_SECRETS_KEY_SIZE];
    bool is_shared;             /* the key is that of other daemons too */
    uint16_t node;              /* this one's number among them */
    uint64_t lives_ms;          /* of a shared one: how long a secret counts; set by the owner */
    struct moved_streams moved; /* likewise: which do not count any more */
};

/* False without memory. */
bool stream_secrets_open(struct stream_secrets *secrets,
                         const unsigned char key[STREAM_SECRETS_KEY_SIZE], uint64_t first_connid,
                         uint64_t now_ms);
/* They are made and taken as those of other daemons with this key; right after it was opened. */
void stream_secrets_share(struct stream_secrets *secrets, unsigned node);
void stream_secrets_close(struct stream_secrets *secrets);
/* A new one, different from each before, of the generation after that of `shown`, for which the
 * client gets it; NULL: its first. False when the system gives no random bytes. `secret` may be
 * `shown`. */
bool stream_secrets_make(struct stream_secrets *secrets, uint64_t connid,
                         const unsigned char *shown, unsigned char secret[STREAM_SECRET_SIZE]);
/* Whether a secret counts for a stream whose newest one is `newest`: it is of its generation, or of
 * the one before it, since the answer with the newest one may have been lost on the way. Once the
 * newest one was shown the next is made, and the one before it counts no more. */
bool stream_secrets_count(const struct stream_secrets *secrets, uint64_t connid,
                          const unsigned char newest[STREAM_SECRET_SIZE],
                          const unsigned char shown[STREAM_SECRET_SIZE]);
/* True when an earlier daemon gave this secret to this connection id, and nobody came back as that
 * since this one was started: once, so that only one can. Which of the stream's secrets it is, the
 * first or one that POST /alive gave, cannot be told. */
bool stream_secrets_take_back(struct stream_secrets *secrets, uint64_t connid,
                              const unsigned char secret[STREAM_SECRET_SIZE], uint64_t now_ms);
/* Of a shared key: true when this secret was made by any of the daemons, not too long ago, and none that was made
 * after it has counted for anybody; then it counts, and those before it no more, which the others are told. newest:
 * of the stream, where it was here last, and this one does not count by that; NULL: it was not. */
bool stream_secrets_take_over(struct stream_secrets *secrets, uint64_t connid,
                              const unsigned char *newest,
                              const unsigned char secret[STREAM_SECRET_SIZE], uint64_t now_ms);
/* Of a shared key: it has counted here (stream_secrets_count()), which the others are told. */
void stream_secrets_note_shown(struct stream_secrets *secrets, uint64_t connid,
                               const unsigned char secret[STREAM_SECRET_SIZE], uint64_t now_ms);
/* Of a shared key: which daemon has made this secret, so that it had the stream then. False: it is none of this
 * connection id, or the key is not shared. */
bool stream_secrets_maker(const struct stream_secrets *secrets, uint64_t connid,
                          const unsigned char secret[STREAM_SECRET_SIZE], unsigned *node);
/* Nobody comes back as this one of an earlier daemon's, or, with a shared key, of any of them. Harmless with one of
 * this daemon's. False without memory. */
bool stream_secrets_refuse(struct stream_secrets *secrets, uint64_t connid, uint64_t now_ms);
/* Memory of those that came back. */
uint64_t stream_secrets_bytes(const struct stream_secrets *secrets);
struct saved_reader;
struct saved_writer;

void stream_secrets_save(const struct stream_secrets *secrets, struct saved_writer *writer);
/* Instead of stream_secrets_open(): goes on with another program's. False when it is not as it
 * should be, or without memory; to be closed either way. */
bool stream_secrets_load(struct stream_secrets *secrets, struct saved_reader *reader);

#endif
