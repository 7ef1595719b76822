/* What esn-event needs from configuration and secret files, read together. */
#ifndef ESN_EVENT_SETTINGS_H
#define ESN_EVENT_SETTINGS_H

#include "bus.h"
#include "config.h"
#include "secret.h"

struct event_settings {
    struct config config;
    struct secret_list tokens;
    char bus_key[SECRET_BUS_KEY_SIZE]; /* "": none */
};

/* False with a sentence in error, and nothing to free. */
bool event_settings_load(struct event_settings *settings, const char *path,
                         char error[CONFIG_ERROR_SIZE]);
void event_settings_free(struct event_settings *settings);

/* The publisher's side of the bus; borrows from the settings. */
struct bus_options event_settings_bus(const struct event_settings *settings);

#endif
