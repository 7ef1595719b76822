#include "event_settings.h"

#include <stdio.h>

static bool load_secrets(struct event_settings *settings, char error[CONFIG_ERROR_SIZE])
{
    char fault[SECRET_ERROR_SIZE];
    if (secret_list_load(&settings->tokens, settings->config.publish_token_file, fault) &&
        secret_bus_key_load(settings->bus_key, settings->config.bus_public_key_file, true, fault))
        return true;
    snprintf(error, CONFIG_ERROR_SIZE, "%s", fault);
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
    config_free(&settings->config);
}

struct bus_options event_settings_bus(const struct event_settings *settings)
{
    return (struct bus_options){
        .event_endpoints = (const char *const *)settings->config.bus_events,
        .ack_endpoints = (const char *const *)settings->config.bus_acks,
        .server_public_key = settings->bus_key[0] ? settings->bus_key : NULL,
    };
}
