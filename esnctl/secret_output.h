/* Files of secrets that esnctl makes. */
#ifndef ESN_SECRET_OUTPUT_H
#define ESN_SECRET_OUTPUT_H

#include <stdbool.h>

/* Made by root, a file would be for root's group, and no program could read it: takes the group of
 * those who are to read it (deploy/sysusers), or where the folder's is not root's, or there is no such
 * group, the folder's. Before a file is made, so that none is ever another's to be swapped. False
 * after it said why. */
bool secret_output_take_group(const char *folder, const char *readers);
/* Gives a file that was made so to another group of readers. False after it said why. */
bool secret_output_give(const char *path, const char *folder, const char *readers);

/* A new file with a random secret of 64 characters, for owner and group. False after it said why:
 * also when there is a file of this name. */
bool secret_output_write(const char *path);

#endif
