/* Passwords of registered topics: checks them against hashes as PHP's password_hash() makes them
 * (bcrypt $2y$ $2b$ $2a$, argon2i, argon2id).
 *
 * Hashing is slow by intent, so a password that was right is remembered for a short time, as an
 * HMAC of hash and password under a key that lives in this process only: a changed hash in the
 * database forgets it at once. Wrong ones are rationed for each topic. Both memories are of a fixed
 * size and belong to one process: with several workers each has its own. */
#ifndef ESN_PASSWORD_H
#define ESN_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum password_result {
    PASSWORD_RIGHT,
    PASSWORD_WRONG,
    PASSWORD_LIMITED,     /* too many wrong ones for this topic lately: not even tried */
    PASSWORD_BAD_HASH,    /* the hash is of no known format, or costs more than is allowed: nothing
                             matches it */
    PASSWORD_NO_RESOURCES /* no memory: answer 503 */
};

struct password_options {
    uint64_t remember_ms;   /* 0: never remember */
    unsigned wrong_at_once; /* how many wrong ones a topic has before it must wait; 0: no limit */
    uint64_t wrong_ms;      /* after which one more may be tried */
};

struct password_checker;

/* NULL without memory or random numbers. */
struct password_checker *password_checker_open(const struct password_options *options);
void password_checker_close(struct password_checker **checker);

/* `now_ms` is clock_monotonic_ms(). A NULL password (none was given) is wrong, but not counted
 * among the wrong ones. While a topic is out of tries, only a remembered right password gets
 * through. */
enum password_result password_check(struct password_checker *checker, const char *topic,
                                    size_t topic_length, const char *hash, const char *password,
                                    size_t password_length, uint64_t now_ms);

/* Is this a hash that password_check() takes? */
bool password_hash_is_known(const char *hash);

/* Makes a bcrypt hash ($2y$, as PHP does) of the given cost (4 to PASSWORD_COST_MAX). False when
 * the password is empty, longer than bcrypt looks at (72 bytes) or holds a NUL. */
enum { PASSWORD_HASH_SIZE = 64, PASSWORD_COST_MAX = 15, PASSWORD_COST_DEFAULT = 12 };
bool password_make(char out[PASSWORD_HASH_SIZE], const char *password, size_t length,
                   unsigned cost);

#endif
