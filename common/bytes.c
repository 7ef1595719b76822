#include "bytes.h"

#include "digits.h"
#include "utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SMALLEST_CAPACITY = 64 };

void bytes_free(struct bytes *bytes)
{
    free(bytes->data);
    *bytes = BYTES_EMPTY;
}

void bytes_clear(struct bytes *bytes)
{
    bytes->length = 0;
    bytes->failed = false;
}

bool bytes_reserve(struct bytes *bytes, size_t extra)
{
    if (bytes->failed)
        return false;
    if (extra <= bytes->capacity - bytes->length)
        return true;
    size_t wanted = bytes->length + extra;
    size_t capacity = bytes->capacity < SMALLEST_CAPACITY ? SMALLEST_CAPACITY : bytes->capacity;
    while (capacity < wanted && capacity <= SIZE_MAX / 2)
        capacity *= 2;
    char *data = wanted < extra || capacity < wanted ? NULL : realloc(bytes->data, capacity);
    if (data == NULL) {
        bytes->failed = true;
        return false;
    }
    bytes->data = data;
    bytes->capacity = capacity;
    return true;
}

void bytes_append(struct bytes *bytes, const void *data, size_t length)
{
    bool has_room = !bytes->failed && length <= bytes->capacity - bytes->length;
    if (length == 0 || !(has_room || bytes_reserve(bytes, length)))
        return;
    memcpy(bytes->data + bytes->length, data, length);
    bytes->length += length;
}

void bytes_append_number(struct bytes *bytes, uint64_t number)
{
    char digits[DIGITS_DECIMAL_MOST];
    bytes_append(bytes, digits, digits_write_decimal(digits, number));
}

/* Most of what is formatted fits into the room there is, so that it is formatted once. */
void bytes_append_format(struct bytes *bytes, const char *format, ...)
{
    va_list arguments;
    size_t room = bytes->failed ? 0 : bytes->capacity - bytes->length;
    va_start(arguments, format);
    int length = vsnprintf(room > 0 ? bytes->data + bytes->length : NULL, room, format, arguments);
    va_end(arguments);
    if (length < 0) {
        bytes->failed = true;
        return;
    }
    if ((size_t)length >= room) {
        /* One byte more for the NUL that vsnprintf(3) insists on. */
        if (!bytes_reserve(bytes, (size_t)length + 1))
            return;
        va_start(arguments, format);
        (void)vsnprintf(bytes->data + bytes->length, (size_t)length + 1, format, arguments);
        va_end(arguments);
    }
    bytes->length += (size_t)length;
}

static void append_unit(struct bytes *bytes, uint32_t unit)
{
    static const char hex[] = "0123456789abcdef";
    const char escape[6] = {
        '\\', 'u', hex[unit >> 12 & 15], hex[unit >> 8 & 15], hex[unit >> 4 & 15], hex[unit & 15]};
    bytes_append(bytes, escape, sizeof escape);
}

void bytes_append_json_escape(struct bytes *bytes, uint32_t code_point)
{
    if (code_point < 0x10000) {
        append_unit(bytes, code_point);
        return;
    }
    append_unit(bytes, 0xd800 + ((code_point - 0x10000) >> 10));
    append_unit(bytes, 0xdc00 + ((code_point - 0x10000) & 0x3ff));
}

/* Appends the escape of the first character of text[0..length); returns its size in bytes. */
static size_t append_escaped(struct bytes *bytes, const char *text, size_t length)
{
    uint32_t code_point = 0xfffd;
    size_t size = utf8_decode(text, length, &code_point);
    if (code_point == '"' || code_point == '\\') {
        const char escape[2] = {'\\', (char)code_point};
        bytes_append(bytes, escape, sizeof escape);
    } else {
        bytes_append_json_escape(bytes, code_point);
    }
    return size == 0 ? 1 : size;
}

void bytes_append_json_string(struct bytes *bytes, const char *text, size_t length)
{
    bytes_append(bytes, "\"", 1);
    for (size_t at = 0; at < length;) {
        size_t run = utf8_plain_run(text + at, length - at);
        bytes_append(bytes, text + at, run);
        at += run;
        if (at < length)
            at += append_escaped(bytes, text + at, length - at);
    }
    bytes_append(bytes, "\"", 1);
}

const char *bytes_terminate(struct bytes *bytes)
{
    if (!bytes_reserve(bytes, 1))
        return NULL;
    bytes->data[bytes->length] = '\0';
    return bytes->data;
}
