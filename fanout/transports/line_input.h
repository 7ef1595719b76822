/* Lines that come in, bounded. Bytes in, lines out: touches no socket. */
#ifndef ESN_LINE_INPUT_H
#define ESN_LINE_INPUT_H

#include "bytes.h"
#include "http/input_budget.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum line_verdict {
    LINE_NEED_MORE,
    LINE_COMPLETE,
    LINE_TOO_LONG, /* what follows cannot be told from this line: answer, then close */
    LINE_TOO_MANY, /* no room among what all clients are sending: likewise */
    LINE_NO_MEMORY
};

struct line_limits {
    uint64_t max_line;           /* bytes, without its end */
    struct input_budget *bodies; /* NULL: no bound */
};

/* Begin with a zeroed one. It holds memory only while a line comes in in pieces. */
struct line_input {
    struct bytes pending;       /* the beginning of a line */
    struct input_charge charge; /* to the budget */
    const char *line;           /* the last whole one: in what was fed, or in `pending` */
    size_t length;
};

/* Takes bytes as they come, in pieces of any size, until a line is whole; *consumed says how many.
 * A line ends with LF; CR before it is ignored. Not to be called again after a verdict that is
 * neither of the first two. */
enum line_verdict line_input_feed(struct line_input *input, const struct line_limits *limits,
                                  const char *bytes, size_t length, size_t *consumed);
/* After LINE_COMPLETE, until the next call and while the bytes fed are there. */
const char *line_input_text(const struct line_input *input, size_t *length);
/* Nothing of a line is there yet. */
bool line_input_is_idle(const struct line_input *input);
/* It was copied to where it is now. */
void line_input_move(struct line_input *input, const struct line_limits *limits);
/* Forgets everything, and leaves it usable. */
void line_input_clear(struct line_input *input, const struct line_limits *limits);

#endif
