/* JSON as aligned lines for people. */
#ifndef ESN_TABLE_H
#define ESN_TABLE_H

#include <jansson.h>

/* Prints one line for each value inside: its path (names joined by dots), then the value. What a
 * client may have written cannot command the terminal. */
void table_print(json_t *tree);
/* Prints an object of numbers as two columns under the given heads, largest first. */
void table_print_counts(json_t *counts, const char *name_head, const char *count_head);

#endif
