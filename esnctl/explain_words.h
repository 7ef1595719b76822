/* What the daemon answers to `esnctl explain`, in sentences. */
#ifndef ESN_EXPLAIN_WORDS_H
#define ESN_EXPLAIN_WORDS_H

#include <jansson.h>

/* Prints the answer to GET /explain. The exit status. */
int explain_words_print(const json_t *answer);
/* Prints what the handlers' messages in a file ("-": standard input) say of refusals: of this topic or
 * user, where they are not NULL. */
int explain_words_print_messages(const char *file, const char *topic, const char *user);

#endif
