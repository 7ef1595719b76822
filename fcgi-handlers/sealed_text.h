/* A short text that is kept where others may read it: encrypted and authenticated (AES-256-GCM), as
 * hexadecimal. */
#ifndef ESN_SEALED_TEXT_H
#define ESN_SEALED_TEXT_H

#include <stdbool.h>
#include <stddef.h>

enum { SEALED_TEXT_KEY_SIZE = 32, SEALED_TEXT_MAX = 255 /* bytes of the text */ };

/* The caller frees; NULL: no memory, OpenSSL failed, or the text is too long. */
char *sealed_text_make(const char *text, const unsigned char key[SEALED_TEXT_KEY_SIZE]);
/* False when it was not sealed with this key, or was changed. */
bool sealed_text_open(char text[SEALED_TEXT_MAX + 1], const char *sealed,
                      const unsigned char key[SEALED_TEXT_KEY_SIZE]);

#endif
