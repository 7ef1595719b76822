/* Structured fields of HTTP (RFC 8941), as far as signatures need them: keys, strings, integers,
 * byte sequences. Each function takes one item off the front of the text and moves on behind it;
 * false, with the text anywhere, when there is none of that kind. Pure. */
#ifndef ESN_STRUCTURED_FIELD_H
#define ESN_STRUCTURED_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STRUCTURED_FIELD_KEY_SIZE = 65, STRUCTURED_FIELD_STRING_SIZE = 257 };

struct structured_field {
    const char *at;
    const char *end;
};

bool structured_field_ended(const struct structured_field *field);
/* Takes the character when it is the next one. */
bool structured_field_take(struct structured_field *field, char wanted);
/* Blanks between the items of a list: SP alone inside of parentheses, SP and HTAB around commas. */
void structured_field_skip_blanks(struct structured_field *field);
/* Section 4.2.3.3. */
bool structured_field_key(struct structured_field *field, char out[STRUCTURED_FIELD_KEY_SIZE]);
/* Section 4.2.5, without its quotes and escapes; one longer than fits is none. */
bool structured_field_string(struct structured_field *field,
                             char out[STRUCTURED_FIELD_STRING_SIZE]);
/* Section 4.2.4, whole numbers of up to 15 digits. */
bool structured_field_integer(struct structured_field *field, int64_t *out);
/* Section 4.2.7: `:base64:`. *length: in the room of `out`, out the bytes. */
bool structured_field_bytes(struct structured_field *field, unsigned char *out, size_t *length);

#endif
