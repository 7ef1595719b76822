/* The section [bus] of the configuration, and [redis] when that is its engine, with the secrets that they name, as
 * options of the bus: of the daemon, of the handlers, of esn-outbox and esnctl. */
#ifndef ESN_BUS_CONFIG_H
#define ESN_BUS_CONFIG_H

#include "bus/bus.h"
#include "config/config.h"
#include "redis/redis_config.h"
#include "secret.h"

#include <stdbool.h>

/* The options borrow from it and from the configuration: it stays where it is. */
struct bus_config {
    char public_key[SECRET_BUS_KEY_SIZE], secret_key[SECRET_BUS_KEY_SIZE];
    struct redis_config redis;
    struct bus_options options;
};

/* False with a sentence in error, and nothing to free. */
bool bus_config_load(struct bus_config *bus, const struct config *config, enum bus_side side,
                     char error[BUS_ERROR_SIZE]);
void bus_config_free(struct bus_config *bus);

#endif
