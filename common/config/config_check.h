/* What the values of a configuration must be to each other, and the lists' syntax. Pure but
 * for config_check_log_folder(). */
#ifndef ESN_CONFIG_CHECK_H
#define ESN_CONFIG_CHECK_H

#include "config/config_keys.h"

/* Receives each fault: the key to change and a sentence with what would be right. */
typedef void config_check_report(void *context, const struct config_key *key, const char *sentence);

/* Whether this process may write where [log] path is to be. True as well when there is no such
 * folder yet, which the unit makes at the start. False with a sentence in error. */
bool config_check_log_folder(const struct config *config, char error[CONFIG_ERROR_SIZE]);

void config_check(const struct config *config, config_check_report *report, void *context);

#endif
