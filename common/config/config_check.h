/* What the values of a configuration must be to each other, and the lists' syntax. Pure. */
#ifndef ESN_CONFIG_CHECK_H
#define ESN_CONFIG_CHECK_H

#include "config/config.h"

/* Receives each fault: the key to change and a sentence with what would be right. */
typedef void config_check_report(void *context, const struct config_key *key, const char *sentence);

void config_check(const struct config *config, config_check_report *report, void *context);

#endif
