/* From the configuration to the database that has the outbox: section [outbox]. */
#ifndef ESN_OUTBOX_CONFIG_H
#define ESN_OUTBOX_CONFIG_H

#include "config/config.h"
#include "secret.h"
#include "sql/sql_types.h"

struct outbox_config {
    struct sql_options options;
    struct secret_list password;
};

/* The options borrow from both; neither may move or go before what was opened with them. False with
 * a sentence in error, and nothing to free. */
bool outbox_config_load(struct outbox_config *outbox, const struct config *config,
                        char error[SECRET_ERROR_SIZE]);
void outbox_config_free(struct outbox_config *outbox);

#endif
