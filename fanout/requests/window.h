/* GET /window: a page for operators, with what it is made of, from files that are compiled in. It has
 * nothing to hide: what it shows it asks for, with the admin token that its reader gives it. */
#ifndef ESN_WINDOW_H
#define ESN_WINDOW_H

struct connection;
struct http_request;

/* Of any path that begins with /window. 404 without an admin token to look in with. */
void window_answer(struct connection *connection, const struct http_request *request);

#endif
