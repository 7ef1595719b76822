/* Passwords that operators give: read, then hashed. */
#ifndef ESN_PASSWORD_INPUT_H
#define ESN_PASSWORD_INPUT_H

#include "password.h"

/* Reads the first line of a file, or of standard input for "-" (asked for, twice and unseen, when
 * that is a terminal), and hashes it; cost 0: the usual one. False after it said why. */
bool password_input_hash(const char *path, unsigned cost, char hash[PASSWORD_HASH_SIZE]);

#endif
