/* What esn-outbox needs from configuration and files, read together. */
#ifndef ESN_OUTBOX_SETTINGS_H
#define ESN_OUTBOX_SETTINGS_H

#include "event_settings.h"
#include "outbox/outbox_config.h"
#include "publishers/publisher.h"
#include "sql/sql_types.h"

struct outbox_settings {
    struct event_settings event; /* first: of its secrets, publishers have their names alone */
    struct outbox_config database;
    struct publisher anybody; /* "*": may do everything */
};

/* NULL with a sentence in error. */
struct outbox_settings *outbox_settings_load(const char *path, char error[CONFIG_ERROR_SIZE]);
void outbox_settings_free(struct outbox_settings **settings);

/* Who publishes a row; NULL: nobody of [outbox] publishers. */
const struct publisher *outbox_settings_find(const struct outbox_settings *settings,
                                             const struct sql_text *name);

#endif
