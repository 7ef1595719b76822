/* Keys that verify signatures of JWTs, as files and addresses give them: a JWK Set or a single JWK
 * (RFC 7517), PEM (public keys and certificates, RFC 7468), or raw secrets, one a line. What a key
 * may be used for comes from the key: its "alg" when it has one, else its type and curve.
 * The files of this folder that begin with jose_ and jws are the only ones that know libcjose. */
#ifndef ESN_JOSE_KEYS_H
#define ESN_JOSE_KEYS_H

#include <stdbool.h>
#include <stddef.h>

enum {
    JOSE_KEYS_ERROR_SIZE = 256,
    JOSE_KEYS_MAX = 100,         /* keys in a set */
    JOSE_KEYS_TEXT_MAX = 262144, /* bytes of a set: a server's answer is read no further */
    JOSE_SECRET_MIN = 32         /* bytes of an HMAC key: RFC 7518, section 3.2 */
};

struct jose_keys;

/* A set of the keys in `text` that can verify; those for other purposes ("use", "key_ops") and of
 * kinds that are not known are passed over, as RFC 7517 section 5 asks. NULL with a sentence in
 * error: nothing that can be read, no key left, a secret too short, or no memory. */
struct jose_keys *jose_keys_parse(const char *text, size_t length,
                                  char error[JOSE_KEYS_ERROR_SIZE]);
/* The same of a JWK Set that everybody may read, as a server gives it: nothing but JSON, and none of its
 * secrets. */
struct jose_keys *jose_keys_parse_public_set(const char *text, size_t length,
                                             char error[JOSE_KEYS_ERROR_SIZE]);
/* The same for a file, which others may read only when it holds no secret. */
struct jose_keys *jose_keys_load(const char *path, char error[JOSE_KEYS_ERROR_SIZE]);
void jose_keys_free(struct jose_keys **keys);

size_t jose_keys_count(const struct jose_keys *keys);
/* Some key has this id ("kid"). */
bool jose_keys_has(const struct jose_keys *keys, const char *kid);

#endif
