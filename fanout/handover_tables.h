/* What the daemon knows beside its clients, a section of the state for each. */
#ifndef ESN_HANDOVER_TABLES_H
#define ESN_HANDOVER_TABLES_H

#include "saved_state.h"

#include <stdbool.h>

struct server;

void handover_tables_save(const struct server *server, struct saved_writer *writer);
/* From sections by enum saved_section. False: the one that is not as it should be, or that there is no
 * memory for. */
bool handover_tables_load(struct server *server, struct saved_reader *sections,
                          enum saved_section *failed);

#endif
