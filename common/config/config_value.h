/* One value of the configuration: between the text of the file and the member of struct config.
 * Pure but for memory. */
#ifndef ESN_CONFIG_VALUE_H
#define ESN_CONFIG_VALUE_H

#include "config/config_keys.h"

#include <stdio.h>

enum { CONFIG_FAULT_SIZE = 320 };

/* Sets key's member from text, freeing what it held. `folder` is put before relative paths. False
 * leaves the member as it was, with "what is wrong and what would be right" in fault. */
bool config_value_set(struct config *config, const struct config_key *key, const char *text,
                      const char *folder, char fault[CONFIG_FAULT_SIZE]);
/* Adds the words of text to a CONFIG_LIST. False without memory. */
bool config_value_append(struct config *config, const struct config_key *key, const char *text);
bool config_value_equal(const struct config *a, const struct config *b,
                        const struct config_key *key);
void config_value_swap(struct config *a, struct config *b, const struct config_key *key);
/* Frees what the member owns and clears it. */
void config_value_free(struct config *config, const struct config_key *key);

/* Writes one key's value as it would stand in the file. */
void config_print_value(FILE *out, const struct config *config, const struct config_key *key);
/* Write a number in the unit in which one would write it: 8M, 50s, 0660, 1000. */
void config_number_print(FILE *out, enum config_type type, uint64_t number);
void config_number_format(char *out, size_t size, enum config_type type, uint64_t number);

#endif
