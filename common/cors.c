#include "cors.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { LONGEST_LIST = 1024 };

static const char known[] =
    "Authorization, Content-Type, Last-Event-ID, X-Requested-With, Cache-Control";

/* Characters of field names (RFC 9110, section 5.6.2), and what stands between them. The list goes
 * into a header of the answer, so nothing else may. */
static bool is_list_of_names(const char *text)
{
    static const char allowed[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ, \t";
    size_t length = strspn(text, allowed);
    return length > 0 && text[length] == '\0' && length <= LONGEST_LIST;
}

bool cors_is_public(char *const *origins)
{
    return origins == NULL || (origins[0] != NULL && strcmp(origins[0], "*") == 0);
}

static bool is_listed(char *const *origins, const char *origin)
{
    for (; *origins != NULL; origins++)
        if (strcmp(*origins, origin) == 0)
            return true;
    return false;
}

bool cors_allows(char *const *origins, const char *origin)
{
    return origin == NULL || cors_is_public(origins) || is_listed(origins, origin);
}

void cors_append_allow(struct bytes *out, char *const *origins, const char *origin)
{
    if (cors_is_public(origins)) {
        bytes_append_text(out, "Access-Control-Allow-Origin: *\r\n");
        return;
    }
    bytes_append_text(out, "Vary: Origin\r\n");
    if (origin == NULL || !is_listed(origins, origin))
        return;
    bytes_append_text(out, "Access-Control-Allow-Origin: ");
    bytes_append_text(out, origin);
    bytes_append_text(out, "\r\nAccess-Control-Allow-Credentials: true\r\n");
}

/* Scheme, host in lower case, and a port that is not the scheme's own (RFC 6454, section 6.2). */
bool cors_is_origin(const char *text)
{
    static const char host[] = "abcdefghijklmnopqrstuvwxyz0123456789.-_[]:";
    const char *at = strncmp(text, "https://", 8) == 0  ? text + 8
                     : strncmp(text, "http://", 7) == 0 ? text + 7
                                                        : NULL;
    if (at == NULL || *at == '\0' || at[strspn(at, host)] != '\0')
        return false;
    const char *port = strrchr(at, ':');
    if (port == NULL || port[strspn(port, ":0123456789")] != '\0')
        return true;
    return port[1] != '\0' && strcmp(port, at == text + 8 ? ":443" : ":80") != 0;
}

void cors_append_preflight(struct bytes *out, const char *asked)
{
    bytes_append_text(out, "Access-Control-Allow-Methods: GET, POST, DELETE, OPTIONS\r\n"
                           "Access-Control-Allow-Headers: ");
    bytes_append_text(out, known);
    if (asked != NULL && is_list_of_names(asked)) {
        bytes_append_text(out, ", ");
        bytes_append_text(out, asked);
    }
    bytes_append_text(out, "\r\nAccess-Control-Max-Age: 86400\r\n"
                           "Vary: Access-Control-Request-Headers\r\n");
}
