/* Which topics anybody may hear: [subscribe] open and presence. Pure. */
#ifndef ESN_OPEN_TOPICS_H
#define ESN_OPEN_TOPICS_H

#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>

/* NULL, or a few static words on why the topic may not be heard without being bound or granted; a
 * pattern has to be open as a whole. proven: whoever asks has shown who it is. */
const char *open_topics_fault(const struct config *config, const char *topic, size_t length,
                              bool proven);

#endif
