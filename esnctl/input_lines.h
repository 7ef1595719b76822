/* Lines of a descriptor as they come: what is there is given at once, so that a pipe that is slow is
 * no slower here. */
#ifndef ESN_INPUT_LINES_H
#define ESN_INPUT_LINES_H

#include "bytes.h"

#include <stdbool.h>
#include <stddef.h>

enum { INPUT_LINES_MOST = 64 };

struct input_line {
    size_t number; /* from 1 */
    const char *text;
    size_t length; /* without its end */
    bool too_long; /* the text is not all of it */
};

struct input_lines {
    int descriptor;
    size_t longest; /* bytes of a line */
    struct bytes bytes;
    size_t taken;  /* bytes of it that were given */
    size_t number; /* of the line that is next */
    bool ended;    /* no more will come */
    bool skips;    /* the rest of a line that is too long */
    struct input_line lines[INPUT_LINES_MOST];
};

/* Waits until there is a line, and gives all that are there, in order; empty ones are passed over.
 * They stay until it is called again. 0: the end; -1: reading failed, or there is no memory
 * (errno). */
int input_lines_next(struct input_lines *lines);

#endif
