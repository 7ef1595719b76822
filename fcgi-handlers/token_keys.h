/* The keys that verify access tokens: those of a file, and those that a server gives ([token]
 * jwks_url), which are kept for a while and asked for again when a token names one that is not
 * there. The last good set is kept while the server is away. */
#ifndef ESN_TOKEN_KEYS_H
#define ESN_TOKEN_KEYS_H

#include "config/config.h"
#include "identity/access_token.h"
#include "identity/jose_keys.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the threads of a process share, and what one thread asks with. */
struct token_keys_common;
struct token_keys;

enum {
    TOKEN_KEYS_UNKNOWN_MS = 10000, /* between two questions for keys that are not known, and how
                                      long one that was asked for in vain counts as none */
    TOKEN_KEYS_RETRY_MS = 1000 /* between two for a set that is too old, while the server is away */
};

/* Before any thread opens one. NULL without memory. */
struct token_keys_common *token_keys_common_open(const struct config *config);
void token_keys_common_close(struct token_keys_common **common);

/* Configuration, `common` and the sets of one's own outlive it; NULL among these counts as none.
 * Connects to nothing yet. NULL without memory. */
enum { TOKEN_KEYS_OWN = 2 };
struct token_keys *token_keys_open(const struct config *config, struct token_keys_common *common,
                                   const struct jose_keys *const own[TOKEN_KEYS_OWN]);
void token_keys_close(struct token_keys **keys);
/* Some keys are configured. */
bool token_keys_are_there(const struct token_keys *keys);

enum token_verdict {
    TOKEN_GOOD, /* *identity is filled, the caller frees it; else it is empty */
    TOKEN_REFUSED,
    TOKEN_UNAVAILABLE /* it may be one of a key that cannot be had, or asked for, now */
};

/* *why: some static words for the log. Waits for the server as long as [token] time_limit, or not
 * at all while it is known not to answer, or has a set already. */
enum token_verdict token_keys_verify(struct token_keys *keys, const char *token, size_t length,
                                     struct identity *identity, const char **why);

#endif
