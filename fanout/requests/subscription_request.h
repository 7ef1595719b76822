/* What a request subscribes to: it says so by ticket, by body or in its query (docs/protocol.md
 * sections 2, 4 and 8). */
#ifndef ESN_SUBSCRIPTION_REQUEST_H
#define ESN_SUBSCRIPTION_REQUEST_H

#include <stdbool.h>

struct connection;
struct http_request;
struct transport;

bool subscription_request_has_ticket(const struct http_request *request);
/* Answers with the reason why not, or begins a stream of this transport. */
void subscription_request_answer(struct connection *connection, const struct http_request *request,
                                 const struct transport *transport);

#endif
