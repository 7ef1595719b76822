#include "subscribe_settings.h"

#include "acl/acl_config.h"
#include "acl/acl_examine.h"
#include "messages.h"

#include <stdio.h>
#include <stdlib.h>

_Static_assert((int)SECRET_ERROR_SIZE <= (int)CONFIG_ERROR_SIZE, "a sentence has to fit");
_Static_assert((int)JOSE_KEYS_ERROR_SIZE <= (int)CONFIG_ERROR_SIZE, "a sentence has to fit");
_Static_assert((int)BIND_KEY_ERROR_SIZE <= (int)CONFIG_ERROR_SIZE, "a sentence has to fit");

struct ticket_rules subscribe_settings_rules(const struct subscribe_settings *settings)
{
    return ticket_rules_of(&settings->config, &settings->ticket_secrets);
}

static bool load_ticket_secrets(struct subscribe_settings *settings, char error[CONFIG_ERROR_SIZE])
{
    const char *file = settings->config.ticket_secret_file;
    if (file == NULL) {
        snprintf(error, CONFIG_ERROR_SIZE,
                 "%s: [ticket] secret_file is not set: esn-subscribe cannot hand anybody over; "
                 "`esnctl keygen` makes one",
                 settings->config.path);
        return false;
    }
    if (!secret_list_load(&settings->ticket_secrets, file, error))
        return false;
    const struct ticket_rules rules = subscribe_settings_rules(settings);
    const char *fault = ticket_rules_fault(&rules);
    if (fault != NULL)
        snprintf(error, CONFIG_ERROR_SIZE, "%s: %s", file, fault);
    return fault == NULL;
}

bool subscribe_settings_open_bind_keys(const struct subscribe_settings *settings,
                                       struct bind_key_reader **reader,
                                       char error[CONFIG_ERROR_SIZE])
{
    const struct bind_key_options options =
        bind_key_config_options_of_subscribers(&settings->config);
    *reader = NULL;
    if (settings->config.binding_mode == CONFIG_BINDING_SERVER)
        return true;
    *reader = bind_key_reader_open(&options, error);
    return *reader != NULL;
}

/* A key that cannot be read is to be known at the start. */
static bool check_bind_keys(const struct subscribe_settings *settings,
                            char error[CONFIG_ERROR_SIZE])
{
    struct bind_key_reader *reader;
    bool good = subscribe_settings_open_bind_keys(settings, &reader, error);
    bind_key_reader_close(&reader);
    return good;
}

static bool load_token_keys(struct subscribe_settings *settings, char error[CONFIG_ERROR_SIZE])
{
    const char *file = settings->config.token_keys_file;
    if (file == NULL)
        return true;
    settings->token_keys = jose_keys_load(file, error);
    return settings->token_keys != NULL;
}

static bool load_signer(struct subscribe_settings *settings, char error[CONFIG_ERROR_SIZE])
{
    const char *file = settings->config.token_sign_file;
    if (file == NULL)
        return true;
    settings->signer = jws_signer_load(file, error);
    return settings->signer != NULL &&
           bus_config_load(&settings->bus, &settings->config, BUS_HANDLER, error);
}

static bool load_redis(struct subscribe_settings *settings, char error[CONFIG_ERROR_SIZE])
{
    return settings->config.redis_url == NULL ||
           redis_config_load(&settings->redis, &settings->config, error);
}

static void subscribe_settings_unload(void *context)
{
    struct subscribe_settings *settings = context;
    secret_list_free(&settings->ticket_secrets);
    jose_keys_free(&settings->token_keys);
    jws_signer_free(&settings->signer);
    redis_config_free(&settings->redis);
    bus_config_free(&settings->bus);
    if (settings->knows_acl)
        acl_config_free(&settings->acl);
    config_free(&settings->config);
    free(settings);
}

static void *subscribe_settings_load(const char *path, char error[CONFIG_ERROR_SIZE])
{
    struct subscribe_settings *settings = calloc(1, sizeof *settings);
    if (settings == NULL) {
        snprintf(error, CONFIG_ERROR_SIZE, "out of memory");
        return NULL;
    }
    if (config_load(&settings->config, path, error) && load_ticket_secrets(settings, error) &&
        check_bind_keys(settings, error) && load_token_keys(settings, error) &&
        load_signer(settings, error) && load_redis(settings, error)) {
        settings->knows_acl =
            acl_config_load(&settings->acl, &settings->config, settings->acl_fault);
        return settings;
    }
    subscribe_settings_unload(settings);
    return NULL;
}

static void subscribe_settings_warn(const void *context)
{
    const struct subscribe_settings *settings = context;
    const struct config *config = &settings->config;
    if (!settings->knows_acl && acl_examine_is_wanted(config))
        message_warning("bound events that clients missed are held back",
                        message_text("reason", settings->acl_fault));
    if (config->binding_mode == CONFIG_BINDING_SERVER && config->binding_url == NULL)
        message_warning("no binding server is configured: subscribers with a bind key are refused");
}

static unsigned subscribe_settings_threads(const struct config *config)
{
    return (unsigned)config->subscribe_threads;
}

static const char *subscribe_settings_metrics(const struct config *config)
{
    return config->metrics_listen_subscribe;
}

const struct handler_settings subscribe_settings_kind = {.load = subscribe_settings_load,
                                                         .unload = subscribe_settings_unload,
                                                         .warn = subscribe_settings_warn,
                                                         .threads = subscribe_settings_threads,
                                                         .metrics_listen =
                                                             subscribe_settings_metrics};
