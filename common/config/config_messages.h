/* [messages] of the configuration, for messages.h. */
#ifndef ESN_CONFIG_MESSAGES_H
#define ESN_CONFIG_MESSAGES_H

#include "config/config_keys.h"

/* For the whole process; program is kept, not copied. */
void config_messages_apply(const struct config *config, const char *program);

#endif
