/* esnctl emit --lines: the posts of standard input, one a line, and what became of each. */
#ifndef ESN_EMIT_LINES_H
#define ESN_EMIT_LINES_H

#include "settings.h"

/* Publishes all of standard input as it comes, in its order, and prints the answer to each line.
 * `post`: where to post, by HTTP; NULL: on the bus. The exit status: good when all were sent. */
int emit_lines(const struct settings *settings, const struct http_client_request *post);

#endif
