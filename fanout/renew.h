/* POST /alive: a stream's time starts anew (docs/protocol.md section 5). */
#ifndef ESN_RENEW_H
#define ESN_RENEW_H

struct connection;
struct http_request;

void renew_answer(struct connection *connection, const struct http_request *request);

#endif
