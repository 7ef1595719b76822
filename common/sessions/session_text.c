#include "sessions/session_text.h"

#include <errno.h>
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 64, NUMBER_MAX = 32 };

/* What is left of a text, and of a path. */
struct session_reader {
    const char *at;
    const char *end;
};

struct session_span {
    const char *start;
    size_t length;
};

/* ---- pieces of serialize() ---- */

static bool take(struct session_reader *reader, char wanted)
{
    if (reader->at == reader->end || *reader->at != wanted)
        return false;
    reader->at++;
    return true;
}

static bool take_count(struct session_reader *reader, size_t *out)
{
    size_t value = 0;
    const char *begin = reader->at;
    while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9') {
        if (value > SIZE_MAX / 16)
            return false;
        value = value * 10 + (size_t)(*reader->at++ - '0');
    }
    *out = value;
    return reader->at > begin;
}

/* :LENGTH:"BYTES" */
static bool take_string(struct session_reader *reader, struct session_span *out)
{
    size_t length;
    if (!take(reader, ':') || !take_count(reader, &length) || !take(reader, ':') ||
        !take(reader, '"') || length > (size_t)(reader->end - reader->at))
        return false;
    *out = (struct session_span){reader->at, length};
    reader->at += length;
    return take(reader, '"');
}

/* :DIGITS; */
static bool take_scalar(struct session_reader *reader, struct session_span *out)
{
    if (!take(reader, ':'))
        return false;
    const char *stop = memchr(reader->at, ';', (size_t)(reader->end - reader->at));
    if (stop == NULL || stop == reader->at || (size_t)(stop - reader->at) > NUMBER_MAX)
        return false;
    *out = (struct session_span){reader->at, (size_t)(stop - reader->at)};
    reader->at = stop + 1;
    return true;
}

static bool skip_value(struct session_reader *reader, unsigned depth);

/* {KEY VALUE KEY VALUE ...} */
static bool skip_members(struct session_reader *reader, size_t count, unsigned depth)
{
    if (!take(reader, '{'))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!skip_value(reader, depth + 1) || !skip_value(reader, depth + 1))
            return false;
    return take(reader, '}');
}

/* Behind the letter: a:COUNT:, or O:LENGTH:"CLASS":COUNT: */
static bool take_head(struct session_reader *reader, char kind, size_t *count)
{
    struct session_span class;
    if (kind == 'O' && !take_string(reader, &class))
        return false;
    return take(reader, ':') && take_count(reader, count) && take(reader, ':');
}

/* C:LENGTH:"CLASS":LENGTH:{BYTES}, of classes that write themselves. */
static bool skip_custom(struct session_reader *reader)
{
    struct session_span class;
    size_t length;
    if (!take_string(reader, &class) || !take(reader, ':') || !take_count(reader, &length) ||
        !take(reader, ':') || !take(reader, '{') || length > (size_t)(reader->end - reader->at))
        return false;
    reader->at += length;
    return take(reader, '}');
}

static bool skip_value(struct session_reader *reader, unsigned depth)
{
    struct session_span ignored;
    size_t count;
    if (reader->at == reader->end || depth > DEPTH_MAX)
        return false;
    char kind = *reader->at++;
    switch (kind) {
    case 'N':
        return take(reader, ';');
    case 'b':
    case 'i':
    case 'd':
    case 'r':
    case 'R':
        return take_scalar(reader, &ignored);
    case 's':
    case 'E':
        return take_string(reader, &ignored) && take(reader, ';');
    case 'a':
    case 'O':
        return take_head(reader, kind, &count) && skip_members(reader, count, depth);
    case 'C':
        return skip_custom(reader);
    default:
        return false;
    }
}

/* ---- the way along a path ---- */

static struct session_span next_name(const char **path)
{
    struct session_span name = {*path, strcspn(*path, ".")};
    *path += name.length;
    if (**path == '.')
        (*path)++;
    return name;
}

/* A private property is "\0class\0name", a protected one "\0*\0name". */
static bool is_named(struct session_span key, struct session_span name)
{
    if (key.length > 0 && *key.start == '\0') {
        const char *second = memchr(key.start + 1, '\0', key.length - 1);
        if (second == NULL)
            return false;
        key.length -= (size_t)(second + 1 - key.start);
        key.start = second + 1;
    }
    return key.length == name.length && memcmp(key.start, name.start, name.length) == 0;
}

static bool take_key(struct session_reader *reader, struct session_span *key)
{
    if (take(reader, 'i'))
        return take_scalar(reader, key);
    return take(reader, 's') && take_string(reader, key) && take(reader, ';');
}

/* Reads all members, so that the reader is behind them; *value is at the named one, if there is
 * one. */
static bool find_member(struct session_reader *reader, size_t count, struct session_span name,
                        struct session_reader *value, unsigned depth)
{
    if (!take(reader, '{'))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct session_span key;
        if (!take_key(reader, &key))
            return false;
        const char *begin = reader->at;
        if (!skip_value(reader, depth + 1))
            return false;
        if (is_named(key, name))
            *value = (struct session_reader){begin, reader->at};
    }
    return take(reader, '}');
}

/* Takes over the reference to `value`. */
static enum session_result user_of_json(json_t *value, char user[USER_ID_SIZE])
{
    enum user_id_kind kind = value != NULL ? user_id_from_json(user, value) : USER_ID_INVALID;
    json_decref(value);
    return kind == USER_ID_USER ? SESSION_USER : SESSION_NOT_READ;
}

static enum session_result user_of_text(struct session_span text, char user[USER_ID_SIZE])
{
    return text.length == 0 ? SESSION_NOBODY
                            : user_of_json(json_stringn(text.start, text.length), user);
}

static enum session_result user_of_number(struct session_span digits, char user[USER_ID_SIZE])
{
    char text[NUMBER_MAX + 1], *end;
    memcpy(text, digits.start, digits.length);
    text[digits.length] = '\0';
    errno = 0;
    long long number = strtoll(text, &end, 10);
    return errno != 0 || *end != '\0' ? SESSION_NOT_READ : user_of_json(json_integer(number), user);
}

/* What stands at the end of the path. */
static enum session_result user_of_value(struct session_reader *value, char user[USER_ID_SIZE])
{
    struct session_span span;
    if (take(value, 'N'))
        return SESSION_NOBODY;
    if (take(value, 'b'))
        return take_scalar(value, &span) && *span.start == '0' ? SESSION_NOBODY : SESSION_NOT_READ;
    if (take(value, 'i'))
        return take_scalar(value, &span) ? user_of_number(span, user) : SESSION_NOT_READ;
    if (take(value, 's'))
        return take_string(value, &span) ? user_of_text(span, user) : SESSION_NOT_READ;
    return SESSION_NOT_READ;
}

/* Goes down from an array or object that is at the reader. */
static enum session_result follow(struct session_reader reader, const char *path,
                                  char user[USER_ID_SIZE])
{
    for (unsigned depth = 0; *path != '\0'; depth++) {
        struct session_reader value = {NULL, NULL};
        struct session_span name = next_name(&path);
        size_t count;
        char kind = reader.at < reader.end ? *reader.at++ : '\0';
        if (kind == 'N')
            return SESSION_NOBODY;
        if ((kind != 'a' && kind != 'O') || !take_head(&reader, kind, &count) ||
            !find_member(&reader, count, name, &value, depth))
            return SESSION_NOT_READ;
        if (value.at == NULL)
            return SESSION_NOBODY;
        reader = value;
    }
    return user_of_value(&reader, user);
}

/* ---- the formats ---- */

static enum session_result read_serialized(struct session_reader reader, const char *path,
                                           char user[USER_ID_SIZE])
{
    struct session_reader all = reader;
    if (!skip_value(&all, 0) || all.at != all.end)
        return SESSION_NOT_READ;
    return follow(reader, path, user);
}

static enum session_result read_php(struct session_reader reader, const char *path,
                                    char user[USER_ID_SIZE])
{
    struct session_span name = next_name(&path);
    struct session_reader value = {NULL, NULL};
    while (reader.at < reader.end) {
        bool undefined = take(&reader, '!');
        const char *bar = memchr(reader.at, '|', (size_t)(reader.end - reader.at));
        if (bar == NULL)
            return SESSION_NOT_READ;
        struct session_span key = {reader.at, (size_t)(bar - reader.at)};
        reader.at = bar + 1;
        const char *begin = reader.at;
        if (!undefined && !skip_value(&reader, 0))
            return SESSION_NOT_READ;
        if (!undefined && is_named(key, name))
            value = (struct session_reader){begin, reader.at};
    }
    return value.at == NULL ? SESSION_NOBODY : follow(value, path, user);
}

static enum session_result read_json(struct session_reader reader, const char *path,
                                     char user[USER_ID_SIZE])
{
    json_t *root = json_loadb(reader.at, (size_t)(reader.end - reader.at), 0, NULL);
    const json_t *value = root;
    enum session_result result = SESSION_NOT_READ;
    bool found = json_is_object(root);
    while (found && *path != '\0' && json_is_object(value)) {
        struct session_span name = next_name(&path);
        value = json_object_getn(value, name.start, name.length);
    }
    if (found && (value == NULL || json_is_null(value) || json_is_false(value) ||
                  (json_is_string(value) && json_string_length(value) == 0)))
        result = SESSION_NOBODY;
    else if (found && *path == '\0' && user_id_from_json(user, value) == USER_ID_USER)
        result = SESSION_USER;
    json_decref(root);
    return result;
}

enum session_result session_text_user(const char *text, size_t length, enum session_format format,
                                      const char *path, char user[USER_ID_SIZE])
{
    struct session_reader reader = {text, text + length};
    user[0] = '\0';
    if (length == 0)
        return SESSION_NOBODY;
    if (format == SESSION_PHP)
        return read_php(reader, path, user);
    if (format == SESSION_PHP_SERIALIZE)
        return read_serialized(reader, path, user);
    return read_json(reader, path, user);
}
