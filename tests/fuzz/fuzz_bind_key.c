/* Bind keys: any bytes as a key, as a ciphertext, as a padded block, and as the text that an
 * application encrypts. Only the last can be taken, or a block that is padded as PKCS#1 says. */
#include "bind_key.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW = 1700000000, BLOCK = 256, RAW = -1 };

static EVP_PKEY *key;
static struct bind_key_reader *readers[2]; /* by padding */

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* A new pair for this process; its files are gone when it has been read. */
static void open_readers(void)
{
    char folder[] = "/tmp/esn-fuzz-XXXXXX", private_file[64], public_file[64];
    char error[BIND_KEY_ERROR_SIZE];

    must(mkdtemp(folder) != NULL);
    (void)snprintf(private_file, sizeof private_file, "%s/private", folder);
    (void)snprintf(public_file, sizeof public_file, "%s/public", folder);
    must(bind_key_generate(private_file, public_file, 8 * BLOCK, error));
    for (int padding = 0; padding < 2; padding++) {
        const struct bind_key_options options = {private_file, (enum bind_key_padding)padding, 3,
                                                 0};
        readers[padding] = bind_key_reader_open(&options, error);
        must(readers[padding] != NULL);
    }
    FILE *file = fopen(private_file, "r");
    must(file != NULL && (key = PEM_read_PrivateKey(file, NULL, NULL, NULL)) != NULL);
    must(fclose(file) == 0 && unlink(private_file) == 0 && unlink(public_file) == 0);
    must(rmdir(folder) == 0);
}

static bool is_taken(int padding, const char *text, size_t length, char user[USER_ID_SIZE])
{
    bool taken = bind_key_read(readers[padding], text, length, NOW, user, NULL);

    must(taken ? user_id_kind(user, strlen(user)) != USER_ID_INVALID : user[0] == '\0');
    return taken;
}

/* False when there is no such ciphertext. */
static bool encrypt(int padding, const void *text, size_t length, char out[BLOCK * 2])
{
    static const int names[] = {RSA_PKCS1_PADDING, RSA_PKCS1_OAEP_PADDING};
    unsigned char cipher[BLOCK];
    size_t size = sizeof cipher;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
    bool done = context != NULL && EVP_PKEY_encrypt_init(context) > 0 &&
                EVP_PKEY_CTX_set_rsa_padding(context, padding == RAW ? RSA_NO_PADDING
                                                                     : names[padding]) > 0 &&
                EVP_PKEY_encrypt(context, cipher, &size, text, length) > 0;

    EVP_PKEY_CTX_free(context);
    if (done)
        (void)EVP_EncodeBlock((unsigned char *)out, cipher, BLOCK);
    return done;
}

static bool is_padded(const unsigned char block[BLOCK])
{
    return block[0] == 0 && block[1] == 2 && memchr(block + 2, 0, 8) == NULL &&
           memchr(block + 10, 0, BLOCK - 10) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned char block[BLOCK] = {0};
    char text[BLOCK * 2], users[2][USER_ID_SIZE];
    bool taken[2] = {false, false};

    if (key == NULL)
        open_readers();
    memcpy(block, data, size < BLOCK ? size : BLOCK);
    (void)EVP_EncodeBlock((unsigned char *)text, block, BLOCK);
    for (int padding = 0; padding < 2; padding++) {
        must(!is_taken(padding, (const char *)data, size, users[0]));
        must(!is_taken(padding, text, strlen(text), users[0]));
    }
    if (encrypt(RAW, block, BLOCK, text) && is_taken(BIND_KEY_PKCS1, text, strlen(text), users[0]))
        must(is_padded(block));
    for (int padding = 0; padding < 2; padding++) {
        if (!encrypt(padding, data, size, text))
            return 0; /* too long for this padding */
        taken[padding] = is_taken(padding, text, strlen(text), users[padding]);
    }
    must(taken[0] == taken[1] && strcmp(users[0], users[1]) == 0);
    return 0;
}
