#include "event_settings.h"

#include "acl/acl_examine.h"
#include "messages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)BUS_ERROR_SIZE <= (int)CONFIG_ERROR_SIZE, "a sentence has to fit");
_Static_assert((int)PUBLISHERS_ERROR_SIZE <= (int)CONFIG_ERROR_SIZE, "a sentence has to fit");
_Static_assert((int)BIND_KEY_ERROR_SIZE <= (int)CONFIG_ERROR_SIZE, "a sentence has to fit");

static bool load_secrets(struct event_settings *settings, char error[CONFIG_ERROR_SIZE])
{
    settings->publishers = publishers_load(settings->config.publish_token_file,
                                           settings->config.publishers_file, error);
    return settings->publishers != NULL &&
           bus_config_load(&settings->bus, &settings->config, BUS_HANDLER, error);
}

bool event_settings_open_bind_keys(const struct event_settings *settings,
                                   struct bind_key_reader **reader, char error[CONFIG_ERROR_SIZE])
{
    const struct bind_key_options options = bind_key_config_options(&settings->config);
    *reader = NULL;
    if (options.private_key_file == NULL)
        return true;
    *reader = bind_key_reader_open(&options, error);
    return *reader != NULL;
}

/* A key that cannot be read is to be known at the start. */
static bool check_bind_keys(const struct event_settings *settings, char error[CONFIG_ERROR_SIZE])
{
    struct bind_key_reader *reader;
    bool good = event_settings_open_bind_keys(settings, &reader, error);
    bind_key_reader_close(&reader);
    return good;
}

static void event_settings_unload(void *context)
{
    struct event_settings *settings = context;
    publishers_free(&settings->publishers);
    bus_config_free(&settings->bus);
    acl_config_free(&settings->acl);
    config_free(&settings->config);
    free(settings);
}

static void *event_settings_load(const char *path, char error[CONFIG_ERROR_SIZE])
{
    struct event_settings *settings = calloc(1, sizeof *settings);
    if (settings == NULL) {
        snprintf(error, CONFIG_ERROR_SIZE, "out of memory");
        return NULL;
    }
    if (config_load(&settings->config, path, error) && load_secrets(settings, error) &&
        check_bind_keys(settings, error) &&
        acl_config_load(&settings->acl, &settings->config, error))
        return settings;
    event_settings_unload(settings);
    return NULL;
}

static void print_fault(const char *sentence, void *context)
{
    (void)context;
    fprintf(stderr, "%s\n", sentence);
}

static bool event_settings_check(const void *context)
{
    const struct event_settings *settings = context;
    return !acl_examine_is_wanted(&settings->config) ||
           acl_examine(&settings->config, print_fault, NULL);
}

static void event_settings_warn(const void *context)
{
    const struct event_settings *settings = context;
    if (publishers_count(settings->publishers) == 0)
        message_warning("no entry token is configured: every post is answered 404");
}

static unsigned event_settings_threads(const struct config *config)
{
    return (unsigned)config->publish_threads;
}

static unsigned event_settings_kept(const struct config *config)
{
    return (unsigned)config->publish_kept_connections;
}

static const char *event_settings_metrics(const struct config *config)
{
    return config->metrics_listen_event;
}

const struct handler_settings event_settings_kind = {.load = event_settings_load,
                                                     .unload = event_settings_unload,
                                                     .check = event_settings_check,
                                                     .warn = event_settings_warn,
                                                     .threads = event_settings_threads,
                                                     .kept_connections = event_settings_kept,
                                                     .metrics_listen = event_settings_metrics,
                                                     .publishes = true};
