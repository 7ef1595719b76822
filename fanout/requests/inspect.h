/* GET /state, /memory: looking in, for holders of the admin token (docs/protocol.md
 * section 6). */
#ifndef ESN_INSPECT_H
#define ESN_INSPECT_H

struct connection;
struct http_request;

void inspect_state(struct connection *connection, const struct http_request *request);

#endif
