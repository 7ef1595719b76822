#include "query.h"

#include "hex.h"

#include <stddef.h>
#include <string.h>

static bool is_level(const char *start, const char *at, const char *end)
{
    return (at == start || at[-1] == '/') && (at + 1 == end || at[1] == '/');
}

static char plain(enum query_plus plus, const char *start, const char *at, const char *end)
{
    if (*at != '+' || plus == QUERY_PLUS_IS_PLUS)
        return *at;
    return plus == QUERY_PLUS_IS_LEVEL && is_level(start, at, end) ? '+' : ' ';
}

static bool decode(const char *start, const char *end, enum query_plus plus, struct bytes *value)
{
    for (const char *at = start; at < end; at++) {
        char c = plain(plus, start, at, end);
        if (c == '%') {
            int high = end - at > 2 ? hex_value(at[1]) : -1;
            int low = end - at > 2 ? hex_value(at[2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = (char)(high * 16 + low);
            at += 2;
        }
        bytes_append(value, &c, 1);
    }
    return !value->failed;
}

/* The next parameter of this name, from *start to *end; moves *at behind it. */
static bool find(const char **at, const char *name, const char **start, const char **end)
{
    size_t name_length = strlen(name);
    while (**at != '\0') {
        const char *text = *at;
        size_t length = strcspn(text, "&");
        *at += length + (text[length] != '\0' ? 1 : 0);
        if (length >= name_length && strncmp(text, name, name_length) == 0 &&
            (length == name_length || text[name_length] == '=')) {
            *start = text + name_length + (length > name_length ? 1 : 0);
            *end = text + length;
            return true;
        }
    }
    return false;
}

enum query_result query_next(const char **at, const char *name, enum query_plus plus,
                             struct bytes *value)
{
    const char *start, *end;
    if (!find(at, name, &start, &end))
        return QUERY_END;
    return decode(start, end, plus, value) ? QUERY_FOUND : QUERY_BROKEN;
}

bool query_find(const char *query, const char *name, struct bytes *value)
{
    return query_next(&query, name, QUERY_PLUS_IS_BLANK, value) == QUERY_FOUND;
}

bool query_find_secret(const char *query, const char *name, struct bytes *value)
{
    return query_next(&query, name, QUERY_PLUS_IS_PLUS, value) == QUERY_FOUND;
}

bool query_has(const char *query, const char *name)
{
    const char *start, *end;
    return find(&query, name, &start, &end);
}
