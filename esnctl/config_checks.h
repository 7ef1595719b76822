/* What the configuration names, as the programs read it: tokens and keys, the database of registered
 * topics, the folder of the log. */
#ifndef ESN_CONFIG_CHECKS_H
#define ESN_CONFIG_CHECKS_H

#include <stdbool.h>

struct config;

/* Who reads it. A stranger runs none of the programs: what it may not read is passed over. */
enum config_reader {
    CONFIG_READER_FANOUT = 1,
    CONFIG_READER_EVENT = 2,
    CONFIG_READER_SUBSCRIBE = 4,
    CONFIG_READER_STRANGER = 8,
};

/* Looks, as the user that this process runs as, at what these readers need, a stranger at all of it;
 * says each fault on standard error, and in partly whether something was passed over. */
bool config_checks_pass(const struct config *config, unsigned readers, bool *partly);

#endif
