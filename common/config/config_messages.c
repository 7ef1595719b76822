#include "config/config_messages.h"

#include "messages.h"

void config_messages_apply(const struct config *config, const char *program)
{
    message_configure(program, (enum message_level)config->message_level,
                      (enum message_destination)config->message_destination);
    message_set_format((enum message_format)config->message_format);
    message_limit(config->message_burst, config->message_rate);
}
