/* What esn-event needs from configuration and secret files, read together. */
#ifndef ESN_EVENT_SETTINGS_H
#define ESN_EVENT_SETTINGS_H

#include "acl/acl_config.h"
#include "bind_key.h"
#include "bus/bus_config.h"
#include "config/config.h"
#include "handler_main.h"
#include "publishers/publishers.h"

struct event_settings {
    struct config config;
    struct publishers *publishers;
    struct bus_config bus;
    struct acl_config acl;
};

extern const struct handler_settings event_settings_kind;

/* Opens a reader of bind keys, for one thread; NULL in *reader when none are taken. False with a
 * sentence in error. */
bool event_settings_open_bind_keys(const struct event_settings *settings,
                                   struct bind_key_reader **reader, char error[CONFIG_ERROR_SIZE]);

#endif
