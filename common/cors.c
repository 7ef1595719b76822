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
