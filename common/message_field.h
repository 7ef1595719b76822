/* What lines of the messages are made of. */
#ifndef ESN_MESSAGE_FIELD_H
#define ESN_MESSAGE_FIELD_H

#include <stdint.h>

enum message_level {
    MESSAGE_LEVEL_ERROR,
    MESSAGE_LEVEL_WARNING,
    MESSAGE_LEVEL_INFO,
    MESSAGE_LEVEL_DEBUG
};
enum message_format { MESSAGE_AS_TEXT, MESSAGE_AS_JSON };

struct message_field {
    const char *key;  /* NULL ends the list */
    const char *text; /* NULL: the value is `number` */
    int64_t number;
};

#endif
