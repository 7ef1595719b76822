#include "refresh_token.h"

#include "hex.h"
#include "secret.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FAMILY_BYTES = 16, CODE_BYTES = 32, NUMBER_DIGITS = 9 };

bool refresh_token_write(char text[REFRESH_TOKEN_SIZE], const struct refresh_token *token,
                         const unsigned char key[JWS_SIGNER_KEY_SIZE])
{
    unsigned char code[CODE_BYTES];
    unsigned size = sizeof code;
    int length =
        snprintf(text, REFRESH_TOKEN_SIZE, "%s.%" PRIu32 ".", token->family, token->number);
    if (HMAC(EVP_sha256(), key, JWS_SIGNER_KEY_SIZE, (const unsigned char *)text, (size_t)length,
             code, &size) == NULL)
        return false;
    hex_write(text + length, code, sizeof code);
    return true;
}

/* FAMILY.NUMBER.CODE, all of it as it is written. */
static bool has_shape(struct refresh_token *token, const char *text)
{
    unsigned char bytes[CODE_BYTES];
    const char *number = text + 2 * FAMILY_BYTES + 1;
    memcpy(token->family, text, 2 * FAMILY_BYTES);
    token->family[2 * FAMILY_BYTES] = '\0';
    if (!hex_read(bytes, FAMILY_BYTES, token->family) || number[-1] != '.' || *number < '1' ||
        *number > '9')
        return false;
    size_t digits = strspn(number, "0123456789");
    token->number = (uint32_t)strtoul(number, NULL, 10);
    return digits <= NUMBER_DIGITS && number[digits] == '.' &&
           hex_read(bytes, CODE_BYTES, number + digits + 1);
}

bool refresh_token_read(struct refresh_token *token, const char *text, size_t length,
                        const unsigned char key[JWS_SIGNER_KEY_SIZE], bool *is_ours)
{
    char copy[REFRESH_TOKEN_SIZE], own[REFRESH_TOKEN_SIZE];
    *is_ours = false;
    if (length < 2 * FAMILY_BYTES + 2 || length >= sizeof copy ||
        memchr(text, '\0', length) != NULL)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    if (!has_shape(token, copy))
        return false;
    *is_ours = refresh_token_write(own, token, key) && strlen(own) == length &&
               secret_equal(own, copy, length);
    return true;
}
