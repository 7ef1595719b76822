#include "credentials.h"

#include "query.h"

#include <string.h>
#include <strings.h>

const char *credentials_bearer(const char *authorization)
{
    static const char scheme[] = "Bearer ";
    if (authorization == NULL || strncasecmp(authorization, scheme, sizeof scheme - 1) != 0)
        return NULL;
    authorization += sizeof scheme - 1;
    return authorization + strspn(authorization, " ");
}

size_t credentials_find(const struct secret_list *tokens, const char *query,
                        const char *authorization)
{
    const char *bearer = credentials_bearer(authorization);
    struct bytes value = BYTES_EMPTY;
    size_t place = tokens->count;
    if (query_find_secret(query, "token", &value))
        place = secret_list_find(tokens, value.data, value.length);
    if (place == tokens->count && bearer != NULL)
        place = secret_list_find(tokens, bearer, strlen(bearer));
    bytes_free(&value);
    return place;
}
