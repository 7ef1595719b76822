#include "digits.h"

#include <string.h>

static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                            "25262728293031323334353637383940414243444546474849"
                            "50515253545556575859606162636465666768697071727374"
                            "75767778798081828384858687888990919293949596979899";

size_t digits_write_decimal(char out[DIGITS_DECIMAL_MOST], uint64_t number)
{
    char digits[DIGITS_DECIMAL_MOST];
    size_t start = sizeof digits;

    while (number >= 100) {
        const char *pair = pairs + 2 * (number % 100);
        digits[--start] = pair[1];
        digits[--start] = pair[0];
        number /= 100;
    }
    if (number >= 10)
        digits[--start] = (char)('0' + number % 10);
    digits[--start] = (char)('0' + (number >= 10 ? number / 10 : number));
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
