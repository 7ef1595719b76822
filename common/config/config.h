/* es-web-notify.conf: one INI file for all programs, read through one table of keys
 * (config_keys.h). */
#ifndef ESN_CONFIG_H
#define ESN_CONFIG_H

#include "config/config_keys.h"

#include <stdio.h>

/* Every key at its default. False only without memory. */
bool config_set_defaults(struct config *config);
/* Defaults, then the file's values, then those of the environment (config_environment.h). On
 * failure config is empty and error holds one line for each fault, "FILE:LINE: what is wrong, and
 * what would be right", or with the variable in front; as many as fit. */
bool config_load(struct config *config, const char *path, char error[CONFIG_ERROR_SIZE]);
void config_free(struct config *config);

/* The path to use: `option` when given, else $ESN_CONF, else the one compiled in
 * (SYSCONFDIR/es-web-notify.conf). */
const char *config_path(const char *option);

/* Writes a commented sample file with every key at its default. */
void config_print_sample(FILE *out);
/* Write docs/configuration.md and the manual page es-web-notify.conf(5). */
void config_print_markdown(FILE *out);
void config_print_manual(FILE *out);
/* Copies into *running every reloadable value of *fresh; for each other key that differs calls
 * told(key, context). Takes over the memory it needs from *fresh, which is still to be freed. */
void config_apply_reload(struct config *running, struct config *fresh,
                         void (*told)(const struct config_key *key, void *context), void *context);

#endif
