/* An answer to the web server: CGI headers and a JSON body, with the headers that every answer
 * carries. */
#ifndef ESN_HANDLER_REPLY_H
#define ESN_HANDLER_REPLY_H

#include "handler_request.h"

struct handler_reply {
    int status;
    const char *reason;
    const char *headers;      /* further header lines, each ended by "\r\n"; NULL: none */
    const struct bytes *body; /* JSON; NULL: none */
};

/* Whose pages may read answers: of a request, by the configuration with which it is served. */
struct handler_reach {
    char *const *origins;
    const char *origin; /* NULL: none was said */
};

/* Appends the status line and the headers that every answer carries. */
void handler_reply_write_head(struct bytes *out, int status, const char *reason,
                              struct handler_reach reach);

struct handler_reach handler_reply_reach(const struct handler_request *request);
/* False when the web server is gone. A body for which there was no memory is answered 500. */
bool handler_reply_send(struct handler_request *request, const struct handler_reply *reply);

/* Answers the question that browsers ask first (OPTIONS): any page may post. */
void handler_reply_send_preflight(struct handler_request *request);

/* Answers for a body that could not be read; false, and no answer, for one that could. */
bool handler_reply_refuse_body(struct handler_request *request, enum handler_body verdict);

/* {"error": reason} and, when given, "detail", as body. */
bool handler_reply_send_error(struct handler_request *request, int status, const char *reason,
                              const char *detail, const char *headers);

#endif
