#include "identity/numeric_date.h"

#include <jansson.h>
#include <stddef.h>

#define LAST_SECOND 253402300799.0 /* of the year 9999 */

bool numeric_date_read(uint64_t *out_ms, const struct json_t *value, uint64_t otherwise)
{
    *out_ms = otherwise;
    if (value == NULL || json_is_null(value))
        return true;
    if (!json_is_number(value))
        return false;
    double seconds = json_number_value(value);
    if (!(seconds >= 0 && seconds <= LAST_SECOND))
        return false;
    *out_ms = (uint64_t)(seconds * 1000 + 0.5); /* the double of 0.409 s is a bit less than that */
    return true;
}
