#include "handler_reply.h"

#include "cors.h"

#include <string.h>

struct handler_reach handler_reply_reach(const struct handler_request *request)
{
    return (struct handler_reach){.origins = handler_request_origins(request),
                                  .origin = handler_request_variable(request, "HTTP_ORIGIN")};
}

void handler_reply_write_head(struct bytes *out, int status, const char *reason,
                              struct handler_reach reach)
{
    bytes_append_text(out, "Status: ");
    bytes_append_number(out, (uint64_t)status);
    bytes_append_text(out, " ");
    bytes_append_text(out, reason);
    bytes_append_text(out, "\r\n");
    cors_append_allow(out, reach.origins, reach.origin);
    bytes_append_text(out, "Cache-Control: no-store\r\n"
                           "X-Content-Type-Options: nosniff\r\n");
}

bool handler_reply_send(struct handler_request *request, const struct handler_reply *reply)
{
    if (reply->body != NULL && reply->body->failed)
        return handler_reply_send_error(request, 500, "Out of memory", NULL, NULL);
    struct bytes head = BYTES_EMPTY;
    handler_reply_write_head(&head, reply->status, reply->reason, handler_reply_reach(request));
    if (reply->headers != NULL)
        bytes_append_text(&head, reply->headers);
    if (reply->body != NULL) {
        bytes_append_text(&head, "Content-Type: application/json\r\nContent-Length: ");
        bytes_append_number(&head, reply->body->length);
        bytes_append_text(&head, "\r\n");
    }
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

void handler_reply_send_preflight(struct handler_request *request)
{
    struct bytes headers = BYTES_EMPTY;
    cors_append_preflight(&headers,
                          handler_request_variable(request, "HTTP_ACCESS_CONTROL_REQUEST_HEADERS"));
    const struct handler_reply reply = {
        .status = 204, .reason = "No Content", .headers = bytes_terminate(&headers)};
    (void)handler_reply_send(request, &reply);
    bytes_free(&headers);
}

bool handler_reply_refuse_body(struct handler_request *request, enum handler_body verdict)
{
    static const struct {
        int status;
        const char *reason;
    } faults[] = {
        [HANDLER_BODY_TOO_LARGE] = {413, "Payload Too Large"},
        [HANDLER_BODY_NO_LENGTH] = {411, "Length Required"},
        [HANDLER_BODY_BAD_LENGTH] = {400, "Invalid Content-Length"},
        [HANDLER_BODY_SHORT] = {400, "Body shorter than announced"},
        [HANDLER_BODY_NO_MEMORY] = {500, "Out of memory"},
    };
    if (verdict == HANDLER_BODY_WHOLE)
        return false;
    (void)handler_reply_send_error(request, faults[verdict].status, faults[verdict].reason, NULL,
                                   NULL);
    return true;
}
