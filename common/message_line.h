/* One line of the messages, as text or as JSON (docs/operate.md): bounded, on one line, and whole
 * in its form whatever bytes stand in its values. Pure. */
#ifndef ESN_MESSAGE_LINE_H
#define ESN_MESSAGE_LINE_H

#include "message_field.h"

#include <stdbool.h>
#include <stddef.h>

enum { MESSAGE_LINE_LIMIT = 4096 };

struct message_line {
    char text[MESSAGE_LINE_LIMIT];
    size_t length;
    enum message_format format;
    bool cut;       /* takes no more */
    bool in_string; /* of JSON */
};

struct message_head {
    enum message_level level;
    const char *priority; /* of the journal; "": none */
    const char *time;     /* "": none */
    const char *program;
    const char *message;
};

void message_line_begin(struct message_line *line, enum message_format format,
                        const struct message_head *head);
/* What does not fit is cut, which the end of the line says. */
void message_line_add(struct message_line *line, const struct message_field *field);
/* With its newline; the line's length. */
size_t message_line_end(struct message_line *line);

#endif
