/* Access tokens: JWTs (RFC 7519) of the application that say who a page's user is, usable until
 * they expire. esn-subscribe verifies them; the daemon knows tickets only. The binding server's
 * object answer says the same things and is read by the same rules (docs/protocol.md).
 *
 *     {"sub": "ana", "exp": 1700000600, "sid": "9f2c", "iss": "...", "aud": "...",
 *      "esn": {"info": {"name": "Ana"}, "sub": ["orders/4711"], "pub": ["chat/7"], "clid": "page"}}
 */
#ifndef ESN_ACCESS_TOKEN_H
#define ESN_ACCESS_TOKEN_H

#include "identity/jose_keys.h"
#include "user_id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ACCESS_TOKEN_INFO_MAX = 1024,    /* bytes of JSON */
    ACCESS_TOKEN_SID_MAX = 255,      /* bytes */
    ACCESS_TOKEN_PATTERNS_MAX = 1000 /* in each list */
};

struct access_token_rules {
    const char *issuer;   /* NULL: any, or none */
    const char *audience; /* NULL: any, or none */
    uint64_t skew_ms;     /* between the clocks of who signs and ours */
};

/* Who somebody is, and what he may beside what the database says. Texts are owned by `json`. */
struct identity {
    char user[USER_ID_SIZE];  /* USER_ID_NO_USER: a session without user */
    uint64_t until_ms;        /* wall clock; UINT64_MAX: nobody said */
    uint64_t since_ms;        /* when it was signed, wall clock; 0: nobody said */
    const char *sid;          /* NULL: none */
    const char *clid;         /* NULL: none */
    char *info;               /* compact ASCII JSON, owned; NULL: none */
    const struct json_t *sub; /* arrays of texts, valid topics; NULL: none */
    const struct json_t *pub;
    struct json_t *json;
};

enum access_token_result {
    ACCESS_TOKEN_OK,
    ACCESS_TOKEN_UNKNOWN_KEY, /* the set may be too old: ask for a new one */
    ACCESS_TOKEN_REFUSED,
    ACCESS_TOKEN_NO_MEMORY
};

/* Reads and checks a token at `now_ms` of the wall clock. ACCESS_TOKEN_OK: *identity is filled, the
 * caller frees it with identity_free(). Else it is empty and *why has some static words for the
 * log; clients are all told the same. */
enum access_token_result access_token_read(struct identity *identity,
                                           const struct access_token_rules *rules,
                                           const struct jose_keys *keys, const char *text,
                                           size_t length, uint64_t now_ms, const char **why);

/* The same with several sets of keys, in turn. UNKNOWN_KEY is about the last one. */
enum access_token_result access_token_read_by_any(struct identity *identity,
                                                  const struct access_token_rules *rules,
                                                  const struct jose_keys *const *sets, size_t count,
                                                  const char *text, size_t length, uint64_t now_ms,
                                                  const char **why);

/* The same from the object that a binding server answers: {"uid", "until", "sid", "info", "sub",
 * "pub"}. "uid" has to be there, be it null; other members may not. NULL: all is well, and the
 * identity is to be freed; else why not, static, and it is empty. Takes over the reference to
 * `answer`. */
const char *identity_from_answer(struct identity *identity, struct json_t *answer, uint64_t now_ms);

/* The reason that is no fault of the answer: what it says has ended. Compare pointers. */
extern const char IDENTITY_IS_OVER[];

void identity_free(struct identity *identity);

/* Some pattern of the grant covers the requested topic, a requested pattern whole. */
bool identity_grants(const struct json_t *patterns, const char *topic, size_t length);

#endif
