#include "event_settings.h"

#include <stdio.h>
#include <string.h>

enum { BUS_KEY_LENGTH = 40 };

static bool load_secrets(struct event_settings *settings, char error[CONFIG_ERROR_SIZE])
{
    char fault[SECRET_ERROR_SIZE];
    const char *key_file = settings->config.bus_public_key_file;
    if (!secret_list_load(&settings->tokens, settings->config.publish_token_file, fault) ||
        !secret_list_load(&settings->bus_key, key_file, fault)) {
        snprintf(error, CONFIG_ERROR_SIZE, "%s", fault);
        return false;
    }
    const struct secret_list *key = &settings->bus_key;
    if (key_file == NULL || (key->count == 1 && strlen(key->values[0]) == BUS_KEY_LENGTH))
        return true;
    snprintf(error, CONFIG_ERROR_SIZE, "%s: should hold one key of %d characters", key_file,
             BUS_KEY_LENGTH);
    return false;
}

bool event_settings_load(struct event_settings *settings, const char *path,
                         char error[CONFIG_ERROR_SIZE])
{
    *settings = (struct event_settings){0};
    if (!config_load(&settings->config, path, error))
        return false;
    if (load_secrets(settings, error))
        return true;
    event_settings_free(settings);
    return false;
}

void event_settings_free(struct event_settings *settings)
{
    secret_list_free(&settings->tokens);
    secret_list_free(&settings->bus_key);
    config_free(&settings->config);
}

struct bus_options event_settings_bus(const struct event_settings *settings)
{
    return (struct bus_options){
        .event_endpoints = (const char *const *)settings->config.bus_events,
        .ack_endpoints = (const char *const *)settings->config.bus_acks,
        .server_public_key = settings->bus_key.count > 0 ? settings->bus_key.values[0] : NULL,
    };
}
