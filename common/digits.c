#include "digits.h"

#include <string.h>

size_t digits_write_decimal(char out[DIGITS_DECIMAL_MOST], uint64_t number)
{
    char digits[DIGITS_DECIMAL_MOST];
    size_t start = sizeof digits;

    do {
        digits[--start] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    memcpy(out, digits + start, sizeof digits - start);
    return sizeof digits - start;
}

size_t digits_write_hex(char out[DIGITS_HEX_MOST], uint64_t number)
{
    char digits[DIGITS_HEX_MOST];
    size_t start = sizeof digits;

    do {
        digits[--start] = "0123456789abcdef"[number & 15];
        number >>= 4;
    } while (number > 0);
    memcpy(out, digits + start, sizeof digits - start);
    return sizeof digits - start;
}
