/* Registered topics for people and, as JSON, for programs. */
#ifndef ESN_TOPIC_PRINT_H
#define ESN_TOPIC_PRINT_H

#include "database.h"

/* With its followers. Exit statuses. */
int topic_print_one(struct database *database, const char *topic, bool json);
int topic_print_all(struct database *database, bool json);

#endif
