/* GET /explain (docs/protocol.md section 6): why an event did or did not arrive, and what became of
 * posts on a topic, for holders of the admin token. Looked for when it is asked, within bounds. */
#ifndef ESN_EXPLAIN_H
#define ESN_EXPLAIN_H

struct connection;
struct http_request;

void explain_answer(struct connection *connection, const struct http_request *request);

#endif
