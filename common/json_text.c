#include "json_text.h"

#include "hex.h"
#include "utf8.h"

#include <string.h>

enum { DEEPEST = 100000 };

/* Walks over a text. Faults are static sentences, NULL while all is well. */
struct reader {
    const char *at;
    const char *end;
    const char *fault;
};

static const char unfinished[] = "the text ends too early";

static bool fail(struct reader *reader, const char *fault)
{
    reader->fault = fault;
    return false;
}

static void skip_blanks(struct reader *reader)
{
    while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\n' ||
                                        *reader->at == '\r' || *reader->at == '\t'))
        reader->at++;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* ---- checking ---- */

static bool check_escape(struct reader *reader)
{
    if (reader->end - reader->at < 2)
        return fail(reader, unfinished);
    char kind = reader->at[1];
    reader->at += 2;
    if (kind != 'u')
        return (kind != '\0' && strchr("\"\\/bfnrt", kind) != NULL) ||
               fail(reader, "a string has an unknown escape");
    if (reader->end - reader->at < 4)
        return fail(reader, unfinished);
    for (int i = 0; i < 4; i++, reader->at++) {
        if (!is_hex(*reader->at))
            return fail(reader, "a \\u escape has not four hexadecimal digits");
    }
    return true;
}

/* At the opening quote; ends behind the closing one. */
static bool check_string(struct reader *reader)
{
    reader->at++;
    for (;;) {
        reader->at += utf8_plain_run(reader->at, (size_t)(reader->end - reader->at));
        if (reader->at == reader->end)
            return fail(reader, unfinished);
        unsigned char c = (unsigned char)*reader->at;
        if (c == '"') {
            reader->at++;
            return true;
        }
        if (c == '\\') {
            if (!check_escape(reader))
                return false;
        } else if (c < 0x20) {
            return fail(reader, "a string has a bare control character");
        } else {
            uint32_t code_point;
            size_t size = utf8_decode(reader->at, (size_t)(reader->end - reader->at), &code_point);
            if (size == 0)
                return fail(reader, "the text is not valid UTF-8");
            reader->at += size;
        }
    }
}

static bool check_digits(struct reader *reader)
{
    if (reader->at == reader->end || !is_digit(*reader->at))
        return fail(reader, "a number is not well formed");
    while (reader->at < reader->end && is_digit(*reader->at))
        reader->at++;
    return true;
}

static bool check_number(struct reader *reader)
{
    if (*reader->at == '-')
        reader->at++;
    if (reader->at < reader->end && *reader->at == '0')
        reader->at++;
    else if (!check_digits(reader))
        return false;
    if (reader->at < reader->end && *reader->at == '.') {
        reader->at++;
        if (!check_digits(reader))
            return false;
    }
    if (reader->at < reader->end && (*reader->at == 'e' || *reader->at == 'E')) {
        reader->at++;
        if (reader->at < reader->end && (*reader->at == '+' || *reader->at == '-'))
            reader->at++;
        return check_digits(reader);
    }
    return true;
}

static bool check_word(struct reader *reader, const char *word)
{
    size_t length = strlen(word);
    if ((size_t)(reader->end - reader->at) < length || memcmp(reader->at, word, length) != 0)
        return fail(reader, "there is something that is no JSON value");
    reader->at += length;
    return true;
}

static bool check_scalar(struct reader *reader)
{
    switch (*reader->at) {
    case '"':
        return check_string(reader);
    case 't':
        return check_word(reader, "true");
    case 'f':
        return check_word(reader, "false");
    case 'n':
        return check_word(reader, "null");
    default:
        if (*reader->at == '-' || is_digit(*reader->at))
            return check_number(reader);
        return fail(reader, "there is something that is no JSON value");
    }
}

/* One bit for each open array or object: set for an object. */
struct nesting {
    unsigned depth;
    unsigned deepest;
    unsigned char objects[DEEPEST / 8 + 1];
};

static bool nest(struct reader *reader, struct nesting *nesting, bool object)
{
    if (nesting->depth == nesting->deepest)
        return fail(reader, "the text is nested too deep");
    unsigned char bit = (unsigned char)(1U << (nesting->depth & 7));
    unsigned char *byte = &nesting->objects[nesting->depth >> 3];
    *byte = (unsigned char)(object ? *byte | bit : *byte & ~bit);
    nesting->depth++;
    reader->at++;
    skip_blanks(reader);
    return true;
}

static bool in_object(const struct nesting *nesting)
{
    unsigned top = nesting->depth - 1;
    return (nesting->objects[top >> 3] >> (top & 7) & 1) != 0;
}

/* A key and its colon, up to the value. */
static bool check_key(struct reader *reader)
{
    skip_blanks(reader);
    if (reader->at == reader->end)
        return fail(reader, unfinished);
    if (*reader->at != '"')
        return fail(reader, "a key of an object is not a string");
    if (!check_string(reader))
        return false;
    skip_blanks(reader);
    if (reader->at == reader->end)
        return fail(reader, unfinished);
    if (*reader->at != ':')
        return fail(reader, "a key of an object is not followed by a colon");
    reader->at++;
    return true;
}

/* Behind a value: closes what ends here and goes to where the next value begins, or to depth 0. */
static bool check_after_value(struct reader *reader, struct nesting *nesting)
{
    while (nesting->depth > 0) {
        skip_blanks(reader);
        if (reader->at == reader->end)
            return fail(reader, unfinished);
        bool object = in_object(nesting);
        char c = *reader->at++;
        if (c == ',')
            return object ? check_key(reader) : true;
        if (c != (object ? '}' : ']'))
            return fail(reader, object ? "a member of an object is followed by neither , nor }"
                                       : "an element of an array is followed by neither , nor ]");
        nesting->depth--;
    }
    return true;
}

/* One value, or the opening of an array or object up to its first value. *complete: a value ended
 * here. */
static bool check_value(struct reader *reader, struct nesting *nesting, bool *complete)
{
    skip_blanks(reader);
    if (reader->at == reader->end)
        return fail(reader, unfinished);
    char c = *reader->at;
    *complete = true;
    if (c != '{' && c != '[')
        return check_scalar(reader);
    if (!nest(reader, nesting, c == '{'))
        return false;
    if (reader->at < reader->end && *reader->at == (c == '{' ? '}' : ']')) {
        reader->at++;
        nesting->depth--;
        return true;
    }
    *complete = false;
    return c == '[' || check_key(reader);
}

bool json_text_check(const char *text, size_t length, unsigned max_depth, const char **fault)
{
    struct reader reader = {.at = text, .end = text + length};
    struct nesting nesting;
    nesting.depth = 0;
    nesting.deepest = max_depth < DEEPEST ? max_depth : DEEPEST;
    bool complete = false;
    while (!(complete && nesting.depth == 0)) {
        if (!check_value(&reader, &nesting, &complete) ||
            (complete && !check_after_value(&reader, &nesting)))
            break;
    }
    skip_blanks(&reader);
    if (reader.fault == NULL && reader.at < reader.end)
        reader.fault = "something follows the JSON value";
    if (fault != NULL)
        *fault = reader.fault;
    return reader.fault == NULL;
}

/* ---- finding, in checked text ---- */

/* A quote behind an odd number of backslashes is escaped. `start`: behind the opening quote. */
static bool is_escaped(const char *start, const char *quote)
{
    const char *at = quote;
    while (at > start && at[-1] == '\\')
        at--;
    return ((quote - at) & 1) != 0;
}

static void skip_string(struct reader *reader)
{
    const char *start = ++reader->at;
    const char *quote;
    do {
        quote = memchr(reader->at, '"', (size_t)(reader->end - reader->at));
        reader->at = quote == NULL ? reader->end : quote + 1;
    } while (quote != NULL && is_escaped(start, quote));
}

static void skip_value(struct reader *reader)
{
    unsigned depth = 0;
    for (; reader->at < reader->end; reader->at++) {
        switch (*reader->at) {
        case '"':
            skip_string(reader);
            reader->at--;
            break;
        case '{':
        case '[':
            depth++;
            break;
        case '}':
        case ']':
            if (depth-- == 0)
                return;
            break;
        case ',':
            if (depth == 0)
                return;
            break;
        default:
            break;
        }
    }
}

/* The next character of a checked string's inside, 256 and more for all that is not ASCII. */
static unsigned next_character(const char **at)
{
    static const char names[] = "bfnrt", meanings[] = "\b\f\n\r\t";
    unsigned char c = (unsigned char)*(*at)++;
    if (c >= 0x80)
        return 256;
    if (c != '\\')
        return c;
    char escape = *(*at)++;
    if (escape == 'u') {
        unsigned unit = 0;
        for (int i = 0; i < 4; i++)
            unit = unit << 4 | (unsigned)hex_value(*(*at)++);
        return unit;
    }
    const char *name = strchr(names, escape);
    return (unsigned char)(name == NULL ? escape : meanings[name - names]);
}

/* `quoted` runs from quote to quote. */
static bool is_key(const char *quoted, const char *quoted_end, const char *key)
{
    const char *at = quoted + 1;
    if (*key != '\0' && *at != *key && *at != '\\') /* most are told apart by their first letter */
        return false;
    while (at < quoted_end - 1) {
        unsigned character = next_character(&at);
        if (*key == '\0' || character != (unsigned char)*key++)
            return false;
    }
    return *key == '\0';
}

static struct json_span trimmed(const char *start, const char *end)
{
    while (end > start && strchr(" \n\r\t", end[-1]) != NULL)
        end--;
    return (struct json_span){.start = start, .length = (size_t)(end - start)};
}

void json_text_members(struct json_span object, const char *const *keys, struct json_span *found,
                       size_t count)
{
    memset(found, 0, count * sizeof *found);
    if (json_text_kind(object) != '{')
        return;
    struct reader reader = {.at = object.start, .end = object.start + object.length};
    skip_blanks(&reader);
    reader.at++;
    for (;;) {
        skip_blanks(&reader);
        if (reader.at >= reader.end || *reader.at != '"')
            return;
        const char *quoted = reader.at;
        skip_string(&reader);
        const char *quoted_end = reader.at;
        skip_blanks(&reader);
        reader.at++;
        skip_blanks(&reader);
        const char *start = reader.at;
        skip_value(&reader);
        for (size_t i = 0; i < count; i++)
            if (is_key(quoted, quoted_end, keys[i]))
                found[i] = trimmed(start, reader.at);
        if (reader.at >= reader.end || *reader.at != ',')
            return;
        reader.at++;
    }
}

struct json_span json_text_member(struct json_span object, const char *key)
{
    struct json_span found;
    json_text_members(object, &key, &found, 1);
    return found;
}

size_t json_text_plain_strings(struct json_span array, struct json_span *found, size_t most)
{
    if (json_text_kind(array) != '[')
        return 0;
    struct reader reader = {.at = array.start, .end = array.start + array.length};
    size_t count = 0;
    skip_blanks(&reader);
    do {
        reader.at++; /* of the bracket, or the comma */
        skip_blanks(&reader);
        if (*reader.at != '"' || count == most)
            return 0;
        const char *start = reader.at;
        skip_string(&reader);
        found[count] =
            (struct json_span){.start = start + 1, .length = (size_t)(reader.at - start) - 2};
        if (memchr(found[count].start, '\\', found[count].length) != NULL)
            return 0;
        count++;
        skip_blanks(&reader);
    } while (*reader.at == ',');
    return count;
}

char json_text_kind(struct json_span value)
{
    if (value.start == NULL)
        return '\0';
    struct reader reader = {.at = value.start, .end = value.start + value.length};
    skip_blanks(&reader);
    return reader.at < reader.end ? *reader.at : '\0';
}

/* ---- writing, of checked text ---- */

static void write_string(struct bytes *out, struct reader *reader)
{
    bytes_append(out, "\"", 1);
    reader->at++;
    while (reader->at < reader->end && *reader->at != '"') {
        size_t run = utf8_plain_run(reader->at, (size_t)(reader->end - reader->at));
        size_t taken = run;
        if (run > 0) {
            bytes_append(out, reader->at, run);
        } else if (*reader->at == '\\') {
            taken = 2;
            bytes_append(out, reader->at, taken);
        } else {
            uint32_t code_point = 0xfffd;
            taken = utf8_decode(reader->at, (size_t)(reader->end - reader->at), &code_point);
            taken += taken == 0;
            bytes_append_json_escape(out, code_point);
        }
        reader->at += taken;
    }
    bytes_append(out, "\"", 1);
    reader->at++;
}

void json_text_write_ascii(struct bytes *out, struct json_span value)
{
    struct reader reader = {.at = value.start, .end = value.start + value.length};
    bytes_reserve(out, value.length);
    while (reader.at < reader.end) {
        const char *start = reader.at;
        while (reader.at < reader.end && *reader.at != '"' && *reader.at != ' ' &&
               *reader.at != '\n' && *reader.at != '\r' && *reader.at != '\t')
            reader.at++;
        bytes_append(out, start, (size_t)(reader.at - start));
        skip_blanks(&reader);
        if (reader.at < reader.end && *reader.at == '"')
            write_string(out, &reader);
    }
}

/* ---- weighing ---- */

/* The end of a string that begins behind `at`, or the text's. */
static const char *string_end(const char *at, const char *end)
{
    while (at < end && *at != '"')
        at += *at == '\\' && at + 1 < end ? 2 : 1;
    return at;
}

size_t json_text_weight(const char *text, size_t length)
{
    const char *end = text + length;
    size_t weight = 0;
    for (const char *at = text; at < end; at += at < end) {
        if (*at == '"')
            at = string_end(at + 1, end);
        else
            weight += *at == ',' || *at == ':' || *at == '[' || *at == '{';
    }
    return weight;
}
