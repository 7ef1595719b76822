#include "subscribe_settings.h"

#include "acl/acl_config.h"

#include <stdio.h>
#include <stdlib.h>

_Static_assert((int)SECRET_ERROR_SIZE <= (int)CONFIG_ERROR_SIZE, "a sentence has to fit");
_Static_assert((int)BIND_KEY_ERROR_SIZE <= (int)CONFIG_ERROR_SIZE, "a sentence has to fit");

struct ticket_rules subscribe_settings_rules(const struct subscribe_settings *settings)
{
    const struct config *config = &settings->config;
    return (struct ticket_rules){.secrets = &settings->ticket_secrets,
                                 .life_s = (unsigned)(config->ticket_life / 1000),
                                 .life_max_s = (unsigned)(config->ticket_life_max / 1000),
                                 .skew_s = (unsigned)(config->ticket_skew / 1000)};
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
    const struct bind_key_options options = bind_key_config_options(&settings->config);
    *reader = NULL;
    if (settings->config.binding_mode != CONFIG_BINDING_RSA)
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

struct subscribe_settings *subscribe_settings_load(const char *path, char error[CONFIG_ERROR_SIZE])
{
    struct subscribe_settings *settings = calloc(1, sizeof *settings);
    if (settings == NULL) {
        snprintf(error, CONFIG_ERROR_SIZE, "out of memory");
        return NULL;
    }
    if (!config_load(&settings->config, path, error) || !load_ticket_secrets(settings, error) ||
        !check_bind_keys(settings, error))
        subscribe_settings_free(&settings);
    return settings;
}

void subscribe_settings_free(struct subscribe_settings **settings)
{
    struct subscribe_settings *old = *settings;
    if (old == NULL)
        return;
    *settings = NULL;
    secret_list_free(&old->ticket_secrets);
    config_free(&old->config);
    free(old);
}
