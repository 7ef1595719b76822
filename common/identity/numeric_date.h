/* Points in time as JWTs have them: NumericDate, seconds since 1970 that may have a fraction (RFC
 * 7519, section 2). */
#ifndef ESN_NUMERIC_DATE_H
#define ESN_NUMERIC_DATE_H

#include <stdbool.h>
#include <stdint.h>

struct json_t; /* jansson.h */

/* Milliseconds; `otherwise` for NULL and JSON's null. False when the value is no number, negative,
 * or beyond the year 9999. */
bool numeric_date_read(uint64_t *out_ms, const struct json_t *value, uint64_t otherwise);

#endif
