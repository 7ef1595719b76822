/* What esn-event needs from configuration and secret files, read together. */
#ifndef ESN_EVENT_SETTINGS_H
#define ESN_EVENT_SETTINGS_H

#include "acl/acl_config.h"
#include "bind_key.h"
#include "bus/bus.h"
#include "config/config.h"
#include "handler_main.h"
#include "publishers/publishers.h"
#include "secret.h"

struct event_settings {
    struct config config;
    struct publishers *publishers;
    struct secret_list bus_key; /* one value, or none */
    struct acl_config acl;
};

extern const struct handler_settings event_settings_kind;

/* Reads the bus's public key, when one is configured. False with a sentence in error. */
bool event_settings_load_bus_key(struct event_settings *settings, char error[CONFIG_ERROR_SIZE]);

/* Opens a reader of bind keys, for one thread; NULL in *reader when none are taken. False with a
 * sentence in error. */
bool event_settings_open_bind_keys(const struct event_settings *settings,
                                   struct bind_key_reader **reader, char error[CONFIG_ERROR_SIZE]);

/* The publisher's side of the bus; borrows from the settings. */
struct bus_options event_settings_bus(const struct event_settings *settings);

#endif
