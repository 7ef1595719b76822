/* Where families of refresh tokens are kept: all tokens that came from one proof, of which one is
 * good. Of a token nothing is kept but its hash. A store is used by one thread, and several
 * processes may have one of the same file or Redis: what it does to a family happens as a whole. */
#ifndef ESN_REFRESH_STORE_H
#define ESN_REFRESH_STORE_H

#include "config/config.h"
#include "redis/redis_config.h"
#include "user_id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    REFRESH_FAMILY_SIZE = 33,      /* 16 bytes in hexadecimal, and NUL */
    REFRESH_HASH_SIZE = 65,        /* 32 bytes likewise */
    REFRESH_REPEAT_MS = 10000,     /* in which a lost answer is repeated */
    REFRESH_SQLITE_BUSY_MS = 2000, /* that one waits for another's transaction */
    REFRESH_STORE_ERROR_SIZE = 256
};

struct refresh_family {
    char id[REFRESH_FAMILY_SIZE];
    char user[USER_ID_SIZE];
    char *claims;        /* what "esn" of its access tokens is, JSON; owned; NULL: nothing */
    char *session;       /* of which it came, sealed; owned; NULL: of none in Redis */
    uint64_t expires_ms; /* wall clock */
    uint64_t used_ms; /* when the token was used that led to the one that is good; of one that was
                         read */
};

/* A token that somebody brings. */
struct refresh_use {
    const char *family, *hash; /* of the token */
    const char *next_hash;     /* of the one that takes its place */
    const char *proof;         /* hash of what a client says to be known by; "": nothing */
    bool was_ours;             /* it was made here, now or once */
    uint64_t now_ms;
};

enum refresh_result {
    REFRESH_DONE,     /* *family is filled: the next token is good, this one no more */
    REFRESH_REPEATED, /* the same: the answer was lost */
    REFRESH_REUSED, /* somebody has used it before: the family is gone; *family says which it was */
    REFRESH_UNKNOWN,
    REFRESH_UNAVAILABLE /* with a sentence in error */
};

struct refresh_store;

struct refresh_store_kind {
    /* Connects to nothing yet, or opens its file. NULL with a sentence in error. */
    struct refresh_store *(*open)(const struct config *config, const struct redis_config *redis,
                                  char error[REFRESH_STORE_ERROR_SIZE]);
    void (*close)(struct refresh_store *store);
    /* A new family, whose good token has this hash. False with a sentence in error. */
    bool (*begin)(struct refresh_store *store, const struct refresh_family *family,
                  const char *hash, char error[REFRESH_STORE_ERROR_SIZE]);
    enum refresh_result (*use)(struct refresh_store *store, const struct refresh_use *use,
                               struct refresh_family *family, char error[REFRESH_STORE_ERROR_SIZE]);
    /* Ends the family of a token: DONE when there was one that this token is or was of, else
     * UNKNOWN, or UNAVAILABLE. */
    enum refresh_result (*revoke)(struct refresh_store *store, const struct refresh_use *use,
                                  struct refresh_family *family,
                                  char error[REFRESH_STORE_ERROR_SIZE]);
};

extern const struct refresh_store_kind refresh_sqlite, refresh_redis;

void refresh_family_free(struct refresh_family *family);

#endif
