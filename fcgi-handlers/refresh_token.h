/* Refresh tokens as texts: which family they are of, the how-manieth of it, and a code that only we
 * can make. Pure. */
#ifndef ESN_REFRESH_TOKEN_H
#define ESN_REFRESH_TOKEN_H

#include "identity/jws_signer.h"
#include "refresh_store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { REFRESH_TOKEN_SIZE = 112 /* with its NUL */ };

struct refresh_token {
    char family[REFRESH_FAMILY_SIZE];
    uint32_t number; /* in its family, from 1 */
};

/* The same text for the same family, number and key. False: OpenSSL failed. */
bool refresh_token_write(char text[REFRESH_TOKEN_SIZE], const struct refresh_token *token,
                         const unsigned char key[JWS_SIGNER_KEY_SIZE]);
/* False when it is none. *is_ours: it was made with this key, as all of one family are. */
bool refresh_token_read(struct refresh_token *token, const char *text, size_t length,
                        const unsigned char key[JWS_SIGNER_KEY_SIZE], bool *is_ours);

#endif
