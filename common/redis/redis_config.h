/* The section [redis] of the configuration, with the password that it names. */
#ifndef ESN_REDIS_CONFIG_H
#define ESN_REDIS_CONFIG_H

#include "config/config.h"
#include "redis/redis_client.h"
#include "secret.h"

#include <stdbool.h>

struct redis_config {
    struct secret_list password;
    struct redis_options options;
};

/* [redis] url is set and good. False with a sentence in error, and nothing to free. The
 * configuration outlives it. */
bool redis_config_load(struct redis_config *redis, const struct config *config,
                       char error[SECRET_ERROR_SIZE]);
void redis_config_free(struct redis_config *redis);

#endif
