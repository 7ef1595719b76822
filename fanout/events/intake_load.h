/* What is on disk when the daemon starts: read into the log, the seen events and the drops. */
#ifndef ESN_INTAKE_LOAD_H
#define ESN_INTAKE_LOAD_H

#include "log/log_store.h"

#include <stdbool.h>
#include <stdint.h>

struct intake_parts;

/* They are open and empty. *lost_through: as that of the log. False with a sentence in error. */
bool intake_load(const struct intake_parts *parts, struct log_store *store, uint64_t *lost_through,
                 char error[LOG_DATABASE_ERROR_SIZE]);
/* They are those of the program before, when the parts go on. False with a sentence in error: the file's
 * state is not what that program wrote. */
bool intake_take_up(const struct intake_parts *parts, const struct log_state *state,
                    char error[LOG_DATABASE_ERROR_SIZE]);

#endif
