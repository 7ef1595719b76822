/* What a client asks for while it holds a stream that goes both ways (docs/protocol.md section 8)
 * is done, and answered by one of the broker's own frames. */
#ifndef ESN_CLIENT_REQUESTS_H
#define ESN_CLIENT_REQUESTS_H

#include <stdbool.h>
#include <stddef.h>

struct connection;

/* Counts one message; false when these are more than max_messages a minute. */
bool client_requests_count(struct connection *connection);
/* Does what the message says and answers it. Without memory for the answer the connection is
 * closed. */
void client_requests_take(struct connection *connection, const char *text, size_t length);
/* Queues an `error` frame; false without memory. reason: ASCII that stands in JSON as it is. */
bool client_requests_refuse(struct connection *connection, const char *reason);

#endif
