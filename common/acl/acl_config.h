/* From the configuration to what acl.h and bind_key.h want to be opened with: sections [acl] and
 * [bind_key]. */
#ifndef ESN_ACL_CONFIG_H
#define ESN_ACL_CONFIG_H

#include "acl/acl.h"
#include "bind_key.h"
#include "config/config.h"
#include "secret.h"

struct acl_config {
    struct sql_options options;
    struct secret_list password;
};

/* For those who only read, as the handlers do. The options borrow from both; neither may move or go
 * before what was opened with them. False with a sentence in error, and nothing to free. */
bool acl_config_load(struct acl_config *acl, const struct config *config,
                     char error[SECRET_ERROR_SIZE]);
void acl_config_free(struct acl_config *acl);

/* private_key_file is NULL when no bind keys are to be read. */
struct bind_key_options bind_key_config_options(const struct config *config);
/* The same for the keys that subscribers bring: [binding] mode redis has a key of its own. */
struct bind_key_options bind_key_config_options_of_subscribers(const struct config *config);

#endif
