/* A growable run of bytes. A failed allocation is remembered (`failed`) and later appends do nothing,
 * so that a writer checks once, at the end. */
#ifndef ESN_BYTES_H
#define ESN_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    char *data; /* owned; not terminated by NUL */
    size_t length;
    size_t capacity;
    bool failed; /* an allocation failed: the content is incomplete */
};

#define BYTES_EMPTY ((struct bytes){0})

/* Frees the content and leaves an empty, usable buffer. */
void bytes_free(struct bytes *bytes);
/* Forgets the content but keeps the memory; also clears `failed`. */
void bytes_clear(struct bytes *bytes);
/* Makes room for `extra` more bytes; false (and `failed`) when there is no memory. */
bool bytes_reserve(struct bytes *bytes, size_t extra);
void bytes_append(struct bytes *bytes, const void *data, size_t length);
/* Here, so that the compiler counts what is a literal. */
static inline void bytes_append_text(struct bytes *bytes, const char *text)
{
    bytes_append(bytes, text, strlen(text));
}
void bytes_append_number(struct bytes *bytes, uint64_t number);
void bytes_append_format(struct bytes *bytes, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Appends a JSON string with its quotes in pure ASCII: control characters, '"', '\\', the apostrophe and all beyond
 * ASCII are escaped (\uXXXX, surrogate pairs above U+FFFF). `text` must be valid UTF-8. */
void bytes_append_json_string(struct bytes *bytes, const char *text, size_t length);
/* Appends \uXXXX, or a surrogate pair of them, for a code point. */
void bytes_append_json_escape(struct bytes *bytes, uint32_t code_point);
/* Appends a NUL that `length` does not count; returns data (never NULL unless failed). */
const char *bytes_terminate(struct bytes *bytes);

#endif
