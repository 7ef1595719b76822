/* Bytes as hexadecimal text, two digits each. Pure. */
#ifndef ESN_HEX_H
#define ESN_HEX_H

#include <stdbool.h>
#include <stddef.h>

/* 0 to 15 for a digit in either case, -1 for any other character. */
int hex_value(char digit);

/* Lower-case digits of `size` bytes and a NUL; out has room for 2 * size + 1. */
void hex_write(char *out, const void *bytes, size_t size);

/* Reads exactly `size` bytes from the NUL-ended text; false when it is longer or shorter, or no
 * hexadecimal. Then `out` holds nothing of worth. */
bool hex_read(void *out, size_t size, const char *text);

#endif
