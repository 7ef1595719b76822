#include "requests/window.h"

#include "http/http_reply.h"
#include "http/http_request.h"
#include "net/connection.h"
#include "requests/elsewhere.h"
#include "requests/service.h"
#include "requests/window_files.h"

#include <string.h>

/* Nothing but what this daemon itself gives, and nothing inline (CSP level 3). */
#define POLICY                                                                                     \
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "           \
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "                     \
    "frame-ancestors 'none'\r\nReferrer-Policy: no-referrer"

static const struct window_file *find_file(const char *path)
{
    for (const struct window_file *file = window_files; file->path != NULL; file++)
        if (strcmp(file->path, path) == 0)
            return file;
    return NULL;
}

void window_answer(struct connection *connection, const struct http_request *request)
{
    const struct window_file *file =
        find_file(elsewhere_plain_path(connection->net->config, http_request_path(request)));

    if (file == NULL || service_of(connection)->admin_tokens.count == 0)
        http_reply_error(connection, request, 404, "Not found");
    else
        http_reply_text_with(connection, request, file->type, POLICY, (const char *)file->bytes,
                             file->size);
}
