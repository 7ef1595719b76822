#include "outbox_settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char anybody[] = "*";

static const struct publisher *find_named(const struct outbox_settings *settings, const char *name)
{
    return strcmp(name, anybody) == 0 ? &settings->anybody
                                      : publishers_find_name(settings->event.publishers, name);
}

const struct publisher *outbox_settings_find(const struct outbox_settings *settings,
                                             const struct sql_text *name)
{
    char *const *names = settings->event.config.outbox_publishers;
    if (name->length == 0)
        return find_named(settings, names[0]);
    for (size_t i = 0; names[i] != NULL; i++)
        if (strlen(names[i]) == name->length && memcmp(names[i], name->text, name->length) == 0)
            return find_named(settings, names[i]);
    return NULL;
}

static bool check_publishers(const struct outbox_settings *settings, char error[CONFIG_ERROR_SIZE])
{
    const struct config *config = &settings->event.config;
    if (config->outbox_publishers[0] == NULL) {
        snprintf(error, CONFIG_ERROR_SIZE,
                 "%s: [outbox] publishers says for nobody that rows are published: name some of "
                 "[publish] publishers_file, or * for rows that may do everything",
                 config->path);
        return false;
    }
    for (char **name = config->outbox_publishers; *name != NULL; name++) {
        if (find_named(settings, *name) != NULL)
            continue;
        snprintf(error, CONFIG_ERROR_SIZE, "%s: [outbox] publishers: %s is not in %s", config->path,
                 *name,
                 config->publishers_file != NULL ? config->publishers_file
                                                 : "[publish] publishers_file, which is not set");
        return false;
    }
    return true;
}

static bool load_bind_keys(const struct outbox_settings *settings, char error[CONFIG_ERROR_SIZE])
{
    struct bind_key_reader *reader;
    bool good = event_settings_open_bind_keys(&settings->event, &reader, error);
    bind_key_reader_close(&reader);
    return good;
}

static bool load(struct outbox_settings *settings, const char *path, char error[CONFIG_ERROR_SIZE])
{
    struct event_settings *event = &settings->event;
    if (!config_load(&event->config, path, error))
        return false;
    settings->anybody = (struct publisher){.id = secret_id("esn-outbox", strlen("esn-outbox")),
                                           .may = PUBLISHER_MAY_ALL};
    event->publishers = publishers_load_names(event->config.publishers_file, error);
    return event->publishers != NULL && check_publishers(settings, error) &&
           bus_config_load(&event->bus, &event->config, BUS_HANDLER, error) &&
           load_bind_keys(settings, error) && acl_config_load(&event->acl, &event->config, error) &&
           outbox_config_load(&settings->database, &event->config, error);
}

struct outbox_settings *outbox_settings_load(const char *path, char error[CONFIG_ERROR_SIZE])
{
    struct outbox_settings *settings = calloc(1, sizeof *settings);
    if (settings == NULL)
        snprintf(error, CONFIG_ERROR_SIZE, "out of memory");
    else if (!load(settings, path, error))
        outbox_settings_free(&settings);
    return settings;
}

void outbox_settings_free(struct outbox_settings **settings)
{
    struct outbox_settings *old = *settings;
    if (old == NULL)
        return;
    *settings = NULL;
    outbox_config_free(&old->database);
    publishers_free(&old->event.publishers);
    bus_config_free(&old->event.bus);
    acl_config_free(&old->event.acl);
    config_free(&old->event.config);
    free(old);
}
