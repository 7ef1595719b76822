#include "sealed_text.h"

#include "hex.h"
#include "secret.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

/* NONCE TAG CIPHERTEXT. NIST SP 800-38D, sections 5.2.1.1 and 8.2.2: a random nonce of 96 bits, for
 * far less than 2^32 texts. */
enum { NONCE = 12, TAG = 16, HEAD = NONCE + TAG };

static bool encrypt(unsigned char *out, const char *text, size_t length, const unsigned char *key)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int size = 0, rest = 0;
    bool good = context != NULL && secret_random(out, NONCE) &&
                EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), NULL, key, out) == 1 &&
                EVP_EncryptUpdate(context, out + HEAD, &size, (const unsigned char *)text,
                                  (int)length) == 1 &&
                EVP_EncryptFinal_ex(context, out + HEAD + size, &rest) == 1 &&
                EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, TAG, out + NONCE) == 1;
    EVP_CIPHER_CTX_free(context);
    return good && (size_t)size + (size_t)rest == length;
}

static bool decrypt(char *text, unsigned char *sealed, size_t length, const unsigned char *key)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int size = 0, rest = 0;
    bool good =
        context != NULL && EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), NULL, key, sealed) == 1 &&
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, TAG, sealed + NONCE) == 1 &&
        EVP_DecryptUpdate(context, (unsigned char *)text, &size, sealed + HEAD, (int)length) == 1 &&
        EVP_DecryptFinal_ex(context, (unsigned char *)text + size, &rest) == 1;
    EVP_CIPHER_CTX_free(context);
    return good;
}

char *sealed_text_make(const char *text, const unsigned char key[SEALED_TEXT_KEY_SIZE])
{
    unsigned char bytes[HEAD + SEALED_TEXT_MAX];
    size_t length = strlen(text);
    if (length > SEALED_TEXT_MAX || !encrypt(bytes, text, length, key))
        return NULL;
    char *sealed = malloc(2 * (HEAD + length) + 1);
    if (sealed != NULL)
        hex_write(sealed, bytes, HEAD + length);
    return sealed;
}

bool sealed_text_open(char text[SEALED_TEXT_MAX + 1], const char *sealed,
                      const unsigned char key[SEALED_TEXT_KEY_SIZE])
{
    unsigned char bytes[HEAD + SEALED_TEXT_MAX];
    size_t digits = strlen(sealed);
    text[0] = '\0';
    if (digits < 2 * HEAD || digits > 2 * sizeof bytes || digits % 2 != 0 ||
        !hex_read(bytes, digits / 2, sealed))
        return false;
    size_t length = digits / 2 - HEAD;
    bool good = decrypt(text, bytes, length, key);
    text[good ? length : 0] = '\0';
    return good;
}
