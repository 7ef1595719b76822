/* Sets of keys, as files and servers give them: JWK Sets, PEM, raw secrets. */
#include "identity/jose_keys.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char error[JOSE_KEYS_ERROR_SIZE] = "";
    struct jose_keys *keys = jose_keys_parse((const char *)data, size, error);
    if (keys == NULL ? error[0] == '\0'
                     : jose_keys_count(keys) == 0 || jose_keys_count(keys) > JOSE_KEYS_MAX)
        abort();
    jose_keys_free(&keys);
    error[0] = '\0';
    keys = jose_keys_parse_public_set((const char *)data, size, error);
    if (keys == NULL ? error[0] == '\0' : jose_keys_count(keys) == 0)
        abort();
    jose_keys_free(&keys);
    return 0;
}
