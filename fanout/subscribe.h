/* POST /: a request becomes a held stream (docs/protocol.md section 2), and a stream ceases to be
 * one.
 */
#ifndef ESN_SUBSCRIBE_H
#define ESN_SUBSCRIBE_H

#include <stdbool.h>

struct connection;
struct http_request;

/* POST with a body, or any method with a ticket: answers 400 with the reason, or begins the stream.
 */
void subscribe_answer(struct connection *connection, const struct http_request *request);
/* Takes the stream out of the index, of presence and of the table of streams, and tells who watches
 * its client id. The connection itself goes on. */
void subscribe_leave(struct connection *connection);
/* Tells the client how many streams the client ids have that it watches. False without memory. */
bool subscribe_send_available(struct connection *connection);

#endif
