#include "identity/structured_field.h"

#include <openssl/evp.h>
#include <string.h>

enum { INTEGER_DIGITS_MAX = 15, BASE64_MAX = 1024 };

bool structured_field_ended(const struct structured_field *field)
{
    return field->at == field->end;
}

bool structured_field_take(struct structured_field *field, char wanted)
{
    if (field->at == field->end || *field->at != wanted)
        return false;
    field->at++;
    return true;
}

void structured_field_skip_blanks(struct structured_field *field)
{
    while (field->at < field->end && (*field->at == ' ' || *field->at == '\t'))
        field->at++;
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool structured_field_key(struct structured_field *field, char out[STRUCTURED_FIELD_KEY_SIZE])
{
    size_t length = 0;
    while (field->at < field->end && length < STRUCTURED_FIELD_KEY_SIZE) {
        char c = *field->at;
        bool begins = is_lower(c) || c == '*';
        if (!begins && (length == 0 || (!is_digit(c) && c != '_' && c != '-' && c != '.')))
            break;
        out[length++] = c;
        field->at++;
    }
    if (length == 0 || length == STRUCTURED_FIELD_KEY_SIZE)
        return false;
    out[length] = '\0';
    return true;
}

bool structured_field_string(struct structured_field *field, char out[STRUCTURED_FIELD_STRING_SIZE])
{
    size_t length = 0;
    if (!structured_field_take(field, '"'))
        return false;
    while (field->at < field->end && length + 1 < STRUCTURED_FIELD_STRING_SIZE) {
        char c = *field->at++;
        if (c == '"') {
            out[length] = '\0';
            return true;
        }
        if (c == '\\') {
            if (field->at == field->end || (*field->at != '"' && *field->at != '\\'))
                return false;
            c = *field->at++;
        }
        if (c < 0x20 || c == 0x7f)
            return false;
        out[length++] = c;
    }
    return false;
}

bool structured_field_integer(struct structured_field *field, int64_t *out)
{
    bool negative = structured_field_take(field, '-');
    int64_t value = 0;
    unsigned digits = 0;
    for (; field->at < field->end && is_digit(*field->at); field->at++) {
        if (++digits > INTEGER_DIGITS_MAX)
            return false;
        value = value * 10 + (*field->at - '0');
    }
    *out = negative ? -value : value;
    return digits > 0 && (field->at == field->end || *field->at != '.');
}

bool structured_field_bytes(struct structured_field *field, unsigned char *out, size_t *length)
{
    unsigned char decoded[BASE64_MAX];
    if (!structured_field_take(field, ':'))
        return false;
    const char *end = memchr(field->at, ':', (size_t)(field->end - field->at));
    size_t size = end != NULL ? (size_t)(end - field->at) : 1;
    if (size % 4 != 0 || size > BASE64_MAX)
        return false;
    size_t filling = 0;
    while (filling < 2 && filling < size && field->at[size - 1 - filling] == '=')
        filling++;
    /* EVP_DecodeBlock() takes '=' anywhere, and blanks around. */
    for (size_t i = 0; i < size - filling; i++)
        if (field->at[i] == '=' || field->at[i] <= ' ')
            return false;
    int count =
        size > 0 ? EVP_DecodeBlock(decoded, (const unsigned char *)field->at, (int)size) : 0;
    if (count < 0 || (size_t)count - filling > *length)
        return false;
    *length = (size_t)count - filling;
    memcpy(out, decoded, *length);
    field->at = end + 1;
    return true;
}
