/* The text of a file of publishers, changed by sections: all else in it stays as it is. Pure. */
#ifndef ESN_PUBLISHERS_EDIT_H
#define ESN_PUBLISHERS_EDIT_H

#include "bytes.h"

#include <stdbool.h>
#include <stddef.h>

/* Whether the text has a section of this name. */
bool publishers_edit_has(const char *text, const char *name);

/* Appends the text without the sections of this name to `out`. Comments between its last key and
 * the next section are that one's, and stay. */
void publishers_edit_remove(struct bytes *out, const char *text, const char *name);

#endif
