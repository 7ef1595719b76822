/* One HTTP exchange at a time, over TCP or a unix socket. The only file that knows libcurl is
 * http_client.c. */
#ifndef ESN_HTTP_CLIENT_H
#define ESN_HTTP_CLIENT_H

#include "bytes.h"

enum { HTTP_CLIENT_ERROR_SIZE = 512 };

struct http_client_request {
    const char *url;          /* http:// or https:// */
    const char *socket_path;  /* NULL: by TCP */
    const char *token;        /* for Authorization: Bearer; NULL: none */
    const char *body;         /* posted; NULL: GET */
    const char *content_type; /* of the body; NULL: JSON */
    size_t body_length;
    /* Gets the body of a 200 piece by piece, for as long as it goes on; false ends the exchange.
     * NULL: the body is gathered in the answer, and the exchange has half a minute. */
    bool (*take)(void *context, const char *data, size_t length);
    void *context;
};

struct http_client_answer {
    long status;
    struct bytes body;
    bool ended_by_taker;
    char error[HTTP_CLIENT_ERROR_SIZE]; /* a sentence, when http_client_perform() said false */
};

/* True when a whole answer came (whatever its status) or `take` ended it. The caller frees the
 * answer either way. */
bool http_client_perform(const struct http_client_request *request,
                         struct http_client_answer *answer);
void http_client_answer_free(struct http_client_answer *answer);

/* "text" escaped for a query (freed with free(3)), or NULL without memory. */
char *http_client_escape(const char *text);

#endif
