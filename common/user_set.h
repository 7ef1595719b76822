/* A set of user ids over a run of bytes, each id followed by NUL, as the bus carries them. Made for
 * one event: cheap to fill, and looking up costs the same for ten users and for ten thousand. */
#ifndef ESN_USER_SET_H
#define ESN_USER_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct user_set {
    const char *users; /* borrowed */
    uint32_t *slots;   /* offset + 1 of an id in `users`; 0: free */
    size_t mask;       /* number of slots - 1 */
    uint64_t seed;     /* random, so that nobody can choose names that collide */
};

/* Fills the set; the bytes stay the caller's and must outlive it. Bytes behind the last NUL are not
 * part of the set. False without memory or random numbers (the set is then empty). The caller
 * frees. */
bool user_set_fill(struct user_set *set, const char *users, size_t length);
bool user_set_has(const struct user_set *set, const char *user);
void user_set_free(struct user_set *set);

#endif
