#include "query.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool is_level(const char *start, const char *at, const char *end)
{
    return (at == start || at[-1] == '/') && (at + 1 == end || at[1] == '/');
}

static bool decode(const char *start, const char *end, bool is_topic, struct bytes *value)
{
    for (const char *at = start; at < end; at++) {
        char c = *at;
        if (c == '+' && !(is_topic && is_level(start, at, end)))
            c = ' ';
        if (c == '%') {
            int high = end - at > 2 ? hex_digit(at[1]) : -1,
                low = end - at > 2 ? hex_digit(at[2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = (char)(high * 16 + low);
            at += 2;
        }
        bytes_append(value, &c, 1);
    }
    return !value->failed;
}

static enum query_result next(const char **at, const char *name, bool is_topic, struct bytes *value)
{
    size_t name_length = strlen(name);

    while (**at) {
        const char *start = *at;
        size_t length = strcspn(start, "&");
        *at += length + (start[length] ? 1 : 0);
        if (length >= name_length && strncmp(start, name, name_length) == 0 &&
            (length == name_length || start[name_length] == '=')) {
            const char *text = start + name_length + (length > name_length ? 1 : 0);
            return decode(text, start + length, is_topic, value) ? QUERY_FOUND : QUERY_BROKEN;
        }
    }
    return QUERY_END;
}

enum query_result query_next(const char **at, const char *name, struct bytes *value)
{
    return next(at, name, false, value);
}

enum query_result query_next_topic(const char **at, const char *name, struct bytes *topic)
{
    return next(at, name, true, topic);
}
