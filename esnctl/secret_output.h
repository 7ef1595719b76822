/* Files of secrets that esnctl makes. */
#ifndef ESN_SECRET_OUTPUT_H
#define ESN_SECRET_OUTPUT_H

#include <stdbool.h>

/* Made by root, files would be for root's group, and the programs could not read them: takes the
 * group of the folder, or where that is root's, of the user that the services run as. The group is
 * chosen before they are made, so that none is ever another's to be swapped. False after it said
 * why. */
bool secret_output_take_group(const char *folder);

/* A new file with a random secret of 64 characters, for owner and group. False after it said why:
 * also when there is a file of this name. */
bool secret_output_write(const char *path);

#endif
