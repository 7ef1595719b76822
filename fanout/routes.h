/* Which request is answered by whom. */
#ifndef ESN_ROUTES_H
#define ESN_ROUTES_H

struct connection;
struct http_request;

/* Answers a whole request, or makes a stream of it. */
void routes_answer(struct connection *connection, const struct http_request *request);

#endif
