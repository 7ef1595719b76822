#include "user_id.h"

#include "utf8.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static bool text_is(const char *text, size_t length, const char *word)
{
    return length == strlen(word) && memcmp(text, word, length) == 0;
}

enum user_id_kind user_id_kind(const char *text, size_t length)
{
    if (length == 0 || length > USER_ID_MAX || memchr(text, '\0', length) != NULL ||
        !utf8_is_valid(text, length))
        return USER_ID_INVALID;
    if (text_is(text, length, USER_ID_NO_USER))
        return USER_ID_SESSION;
    if (text_is(text, length, USER_ID_EVERYONE) || text_is(text, length, USER_ID_ANY_USER) ||
        text_is(text, length, USER_ID_REFUSED))
        return USER_ID_INVALID;
    return USER_ID_USER;
}

/* Beyond 2^53 neighbouring whole numbers are the same float, and so would be two users. */
static bool float_is_whole(double number, int64_t *whole)
{
    const double limit = 9007199254740992.0;
    if (!(number >= -limit && number <= limit))
        return false;
    *whole = (int64_t)number;
    return (double)*whole >= number && (double)*whole <= number;
}

enum user_id_kind user_id_from_json(char out[USER_ID_SIZE], const json_t *value)
{
    out[0] = '\0';
    int64_t number = 0;
    if (json_is_string(value)) {
        const char *text = json_string_value(value);
        size_t length = json_string_length(value);
        enum user_id_kind kind = user_id_kind(text, length);
        if (kind != USER_ID_INVALID)
            memcpy(out, text, length + 1);
        return kind;
    }
    if (json_is_integer(value))
        number = json_integer_value(value);
    else if (!json_is_real(value) || !float_is_whole(json_real_value(value), &number))
        return USER_ID_INVALID;
    (void)snprintf(out, USER_ID_SIZE, "%lld", (long long)number);
    return USER_ID_USER;
}
