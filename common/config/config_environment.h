/* Settings by the environment, for containers and the like: ESN_FANOUT_LISTEN is `listen` of
 * [fanout]. */
#ifndef ESN_CONFIG_ENVIRONMENT_H
#define ESN_CONFIG_ENVIRONMENT_H

#include "config/config_keys.h"

#include <stdbool.h>
#include <stddef.h>

enum { CONFIG_VARIABLE_SIZE = 80 };

/* The name of its variable; gives out. */
const char *config_variable_name(const struct config_key *key, char out[CONFIG_VARIABLE_SIZE]);
/* Whose variable a name of so many bytes is; NULL: of none. */
const struct config_key *config_variable_key(const char *name, size_t length);
/* It looks as if it were to set something: it begins with ESN_ and the name of a section, and is
 * none of those that examples and applications have for themselves. */
bool config_variable_claims(const char *name, size_t length);

#endif
