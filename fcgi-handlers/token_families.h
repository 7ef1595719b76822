/* The families of refresh tokens, in whatever store [token] names, behind a gate: a store that does
 * not answer holds up nobody for long, and is said in the log once. */
#ifndef ESN_TOKEN_FAMILIES_H
#define ESN_TOKEN_FAMILIES_H

#include "refresh_store.h"

#include <stdbool.h>

/* What the threads of a process share, and one thread's. */
struct token_families_common;
struct token_families;

/* NULL without memory. */
struct token_families_common *token_families_common_open(const struct config *config);
void token_families_common_close(struct token_families_common **common);

/* Opens nothing yet; all three outlive it. NULL without memory. */
struct token_families *token_families_open(const struct config *config,
                                           const struct redis_config *redis,
                                           struct token_families_common *common);
void token_families_close(struct token_families **families);

/* As those of a store (refresh_store.h); *family is to be freed in any case. */
bool token_families_begin(struct token_families *families, const struct refresh_family *family,
                          const char *hash);
enum refresh_result token_families_use(struct token_families *families,
                                       const struct refresh_use *use,
                                       struct refresh_family *family);
enum refresh_result token_families_revoke(struct token_families *families,
                                          const struct refresh_use *use,
                                          struct refresh_family *family);

#endif
