/* What is asked of /token: a body, a Cookie header and, in either, a refresh token; and addresses
 * of Redis. The first byte says how many of the next belong to the body. */
#include "redis/redis_url.h"
#include "refresh_token.h"
#include "token_request.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const unsigned char key[JWS_SIGNER_KEY_SIZE] = "a key";

static void must(int holds)
{
    if (!holds)
        abort();
}

/* Whatever can be read is written alike when it is ours. */
static void read_token(const char *text, size_t length)
{
    struct refresh_token token;
    char again[REFRESH_TOKEN_SIZE];
    bool is_ours;
    if (!refresh_token_read(&token, text, length, key, &is_ours))
        return;
    must(strlen(token.family) == REFRESH_FAMILY_SIZE - 1 && token.number > 0);
    must(refresh_token_write(again, &token, key));
    must(!is_ours || (strlen(again) == length && memcmp(again, text, length) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct token_request request;
    struct redis_url url;
    size_t body = size > 0 ? data[0] : 0;
    if (size == 0)
        return 0;
    if (body > size - 1)
        body = size - 1;
    const char *text = (const char *)data + 1;
    char *rest = calloc(1, size - body);
    must(rest != NULL);
    memcpy(rest, text + body, size - 1 - body);
    const char *fault = token_request_read(&request, text, body, data[0] % 2 == 0 ? rest : NULL);
    must((fault == NULL) == ((request.bind_key != NULL) != (request.refresh_token != NULL)) ||
         fault != NULL);
    if (fault == NULL && request.refresh_token != NULL)
        read_token(request.refresh_token, request.refresh_token_length);
    read_token(text, size - 1);
    token_request_free(&request);
    (void)token_request_is_of_site(rest, rest, rest);
    must(redis_url_read(&url, rest) != NULL || url.socket[0] == '/' || url.address.host[0] != '\0');
    free(rest);
    return 0;
}
