/* Numbers as text, where printf(3) would cost more than all the rest. */
#ifndef ESN_DIGITS_H
#define ESN_DIGITS_H

#include <stddef.h>
#include <stdint.h>

enum { DIGITS_DECIMAL_MOST = 20, DIGITS_HEX_MOST = 16 };

/* How many were written; no NUL follows. */
size_t digits_write_decimal(char out[DIGITS_DECIMAL_MOST], uint64_t number);
size_t digits_write_hex(char out[DIGITS_HEX_MOST], uint64_t number);

#endif
