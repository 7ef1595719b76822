/* What may stand between words, in JSON (RFC 8259, section 2) and in our files alike: blank, tab and
 * the ends of lines. */
#ifndef ESN_BLANK_H
#define ESN_BLANK_H

#include <stdbool.h>

static inline bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

#endif
