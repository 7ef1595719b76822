/* JSON as text: what is rewritten is ASCII, means the same, and rewriting it again changes nothing.
 * A library that builds trees is the other opinion. */
#include "json_text.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DEPTH = 2000 }; /* the library takes 2048 */

static json_t *load(const char *text, size_t length)
{
    return json_loadb(text, length, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}

static void check_ascii(const struct bytes *written)
{
    for (size_t i = 0; i < written->length; i++) {
        unsigned char c = (unsigned char)written->data[i];
        if (c < 0x20 || c > 0x7f || c == '\'')
            abort();
    }
    if (!json_text_check(written->data, written->length, DEPTH, NULL))
        abort();
}

static void check_same_value(const char *text, size_t length, const struct bytes *written)
{
    json_t *before = load(text, length), *after = load(written->data, written->length);

    /* The library refuses some values, such as 1e999: then both. */
    if ((before == NULL) != (after == NULL) || (before != NULL && !json_equal(before, after)))
        abort();
    json_decref(before);
    json_decref(after);
}

static void check_members(const char *text, size_t length)
{
    static const char *const keys[] = {"", "a", "e", "ep", "type"};
    const struct json_span whole = {text, length};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct json_span value = json_text_member(whole, keys[i]);
        if (value.start != NULL &&
            (value.start < text || value.start + value.length > text + length ||
             !json_text_check(value.start, value.length, DEPTH, NULL)))
            abort();
    }
}

static void check_taken(const char *text, size_t length)
{
    struct bytes written = BYTES_EMPTY, again = BYTES_EMPTY;

    json_text_write_ascii(&written, (struct json_span){text, length});
    if (written.failed)
        abort();
    check_ascii(&written);
    json_text_write_ascii(&again, (struct json_span){written.data, written.length});
    if (again.length != written.length || memcmp(again.data, written.data, again.length) != 0)
        abort();
    check_same_value(text, length, &written);
    check_members(text, length);
    bytes_free(&written);
    bytes_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data, *fault = NULL;

    if (json_text_check(text, size, DEPTH, &fault)) {
        check_taken(text, size);
        return 0;
    }
    if (fault == NULL)
        abort();
    /* It passes over a NUL behind a number. */
    json_t *tree = memchr(text, '\0', size) != NULL ? NULL : load(text, size);
    if (tree != NULL && strcmp(fault, "the text is nested too deep") != 0)
        abort(); /* the other one takes it */
    json_decref(tree);
    return 0;
}
