#include "bus/bus_config.h"

#include <string.h>

_Static_assert((int)SECRET_ERROR_SIZE <= (int)BUS_ERROR_SIZE, "a sentence has to fit");

/* Escaping to ASCII makes a byte of a body six bytes at most. */
enum { ESCAPED = 6, BESIDE_THE_BODY = 65536 };

static struct bus_redis_options redis_options(const struct bus_config *bus,
                                              const struct config *config)
{
    return (struct bus_redis_options){
        .redis = &bus->redis.options,
        .prefix = config->bus_prefix,
        .url = config->node_url,
        .lease_ms = config->bus_lease,
        .start_ms = config->bus_start_time,
        .window_ms = config->log_max_age,
        .window_bytes = (size_t)config->log_max_bytes,
        .max_events = config->bus_max_events,
        .remember_ms = config->remember_time,
        .receivers_ms = config->bus_receivers_time,
        .wait_replicas = (unsigned)config->redis_wait_replicas,
        .max_kept = config->log_max_kept,
        .rate = config->publish_rate,
        .burst = config->publish_burst,
    };
}

static struct bus_options zeromq_options(const struct bus_config *bus, const struct config *config)
{
    return (struct bus_options){
        .event_endpoints = (const char *const *)config->bus_events,
        .ack_endpoints = (const char *const *)config->bus_acks,
        .topic_prefixes = (const char *const *)config->bus_topics,
        .socket_mode = (unsigned)config->bus_mode,
        .server_public_key = bus->public_key[0] != '\0' ? bus->public_key : NULL,
        .server_secret_key = bus->secret_key[0] != '\0' ? bus->secret_key : NULL,
    };
}

static bool load_keys(struct bus_config *bus, const struct config *config, enum bus_side side,
                      char error[BUS_ERROR_SIZE])
{
    /* Who has the daemon's public key can publish: handlers guard it as a secret. */
    return secret_bus_key_load(bus->public_key, config->bus_public_key_file, side == BUS_DAEMON,
                               error) &&
           (side == BUS_HANDLER ||
            secret_bus_key_load(bus->secret_key, config->bus_secret_key_file, false, error));
}

bool bus_config_load(struct bus_config *bus, const struct config *config, enum bus_side side,
                     char error[BUS_ERROR_SIZE])
{
    memset(bus, 0, sizeof *bus);
    if (config->bus_engine == CONFIG_BUS_REDIS) {
        if (!redis_config_load(&bus->redis, config, error))
            return false;
        bus->options.redis = redis_options(bus, config);
    } else {
        if (!load_keys(bus, config, side, error))
            return false;
        bus->options = zeromq_options(bus, config);
    }
    bus->options.engine = config->bus_engine == CONFIG_BUS_REDIS ? BUS_REDIS : BUS_ZEROMQ;
    bus->options.max_message_bytes = (size_t)config->max_event_body * ESCAPED + BESIDE_THE_BODY;
    return true;
}

void bus_config_free(struct bus_config *bus)
{
    redis_config_free(&bus->redis);
    explicit_bzero(bus->secret_key, sizeof bus->secret_key);
}
