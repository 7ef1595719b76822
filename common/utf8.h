/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. Pure. */
#ifndef ESN_UTF8_H
#define ESN_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the first character of text[0..length), its number in *code_point; 0 when it is not
 * valid. */
size_t utf8_decode(const char *text, size_t length, uint32_t *code_point);

/* Leaves out a byte order mark (U+FEFF) that an editor or a text file brought: RFC 8259, section 8.1,
 * lets who reads pass it over. */
void utf8_skip_mark(const char **text, size_t *length);

bool utf8_is_valid(const char *text, size_t length);

/* True when these bytes, of which utf8_decode() makes nothing, may be a character whose rest is still to come. */
bool utf8_is_beginning(const char *text, size_t length);

/* How many of the first bytes stand for themselves in our canonical JSON strings: ASCII but for
 * control characters, '"', '\\' and the apostrophe. */
size_t utf8_plain_run(const char *text, size_t length);

static inline bool utf8_is_control(char byte)
{
    return (unsigned char)byte < 0x20 || byte == 0x7f;
}
/* How many of the first bytes are no control characters. */
size_t utf8_control_free_run(const char *text, size_t length);

#endif
