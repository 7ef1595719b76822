/* Whether the database of the configuration can be used, for who checks a configuration. */
#ifndef ESN_ACL_EXAMINE_H
#define ESN_ACL_EXAMINE_H

#include "config/config.h"

#include <stdbool.h>

/* Receives a sentence with what is wrong and what would be right. */
typedef void acl_examine_report(const char *sentence, void *context);

/* True when bound topics are configured: there are bind keys, or a database to look them up in. */
bool acl_examine_is_wanted(const struct config *config);
/* Connects and looks, as the user that this process is: is it there and are its tables, with their
 * character set, collation and journal; may this user do what the handlers do? True: nothing was
 * reported. */
bool acl_examine(const struct config *config, acl_examine_report *report, void *context);

#endif
