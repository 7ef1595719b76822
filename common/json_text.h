/* JSON as text (RFC 8259): checks it and rewrites it as canonical ASCII without ever turning values
 * into C types, so that numbers of any size, lone surrogates, doubled keys and NUL escapes come
 * through unchanged, which no tree-building parser among Debian's libraries does
 * (docs/dependencies.md). Pure: no I/O, no allocation but the output's. */
#ifndef ESN_JSON_TEXT_H
#define ESN_JSON_TEXT_H

#include "bytes.h"

#include <stdbool.h>
#include <stddef.h>

struct json_span {
    const char *start; /* borrowed from the text it was found in; NULL: absent */
    size_t length;
};

/* True when text[0..length) is exactly one JSON value, in valid UTF-8, nested at most max_depth
 * (and never more than 100,000) arrays and objects deep. Otherwise *fault (when given) points to a
 * static sentence that says what is wrong. Uses no recursion. */
bool json_text_check(const char *text, size_t length, unsigned max_depth, const char **fault);

/* Finds the value of a member of a checked object text; the last one wins when the key is doubled,
 * as in JavaScript. `key` is plain ASCII; escapes inside the text's keys are honoured. Absent, or
 * text is no object: {NULL, 0}. */
struct json_span json_text_member(struct json_span object, const char *key);
/* The same for several keys in one walk over the text: found[i] is the value of keys[i]. */
void json_text_members(struct json_span object, const char *const *keys, struct json_span *found,
                       size_t count);

/* The elements of a checked array when all of them are strings without an escape: found[i] is what stands between
 * the quotes. How many; 0 when there is none, another thing among them, or more than `most`. */
size_t json_text_plain_strings(struct json_span array, struct json_span *found, size_t most);

/* How many values and names a tree of the text would hold, give or take one: to be asked before one
 * is built of what a stranger sent, since a tree takes fifty times the memory of `[[],[],...` and
 * fifty times the time of this. The text need not be JSON. */
size_t json_text_weight(const char *text, size_t length);

/* First non-blank byte of a checked value: '{', '[', '"', 't', 'f', 'n', '-' or a digit. */
char json_text_kind(struct json_span value);

/* Appends a checked value without white space, in pure ASCII, apostrophes as \u0027, everything
 * else untouched. */
void json_text_write_ascii(struct bytes *out, struct json_span value);

#endif
