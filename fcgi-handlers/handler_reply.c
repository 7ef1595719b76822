#include "handler_reply.h"

#include <string.h>

bool handler_reply_send(struct handler_request *request, const struct handler_reply *reply)
{
    struct bytes head = BYTES_EMPTY;
    bytes_append_format(&head,
                        "Status: %d %s\r\n"
                        "Access-Control-Allow-Origin: *\r\n"
                        "Cache-Control: no-store\r\n"
                        "X-Content-Type-Options: nosniff\r\n",
                        reply->status, reply->reason);
    if (reply->headers != NULL)
        bytes_append_text(&head, reply->headers);
    if (reply->body != NULL)
        bytes_append_format(&head, "Content-Type: application/json\r\nContent-Length: %zu\r\n",
                            reply->body->length);
    bytes_append_text(&head, "\r\n");
    bool sent = !head.failed && handler_request_write(request, head.data, head.length);
    if (sent && reply->body != NULL)
        sent = handler_request_write(request, reply->body->data, reply->body->length);
    bytes_free(&head);
    return sent;
}

bool handler_reply_send_error(struct handler_request *request, int status, const char *reason,
                              const char *detail, const char *headers)
{
    struct bytes body = BYTES_EMPTY;
    bytes_append_text(&body, "{\"error\":");
    bytes_append_json_string(&body, reason, strlen(reason));
    if (detail != NULL) {
        bytes_append_text(&body, ",\"detail\":");
        bytes_append_json_string(&body, detail, strlen(detail));
    }
    bytes_append_text(&body, "}\n");
    const struct handler_reply reply = {
        .status = status, .reason = reason, .headers = headers, .body = body.failed ? NULL : &body};
    bool sent = handler_reply_send(request, &reply);
    bytes_free(&body);
    return sent;
}
