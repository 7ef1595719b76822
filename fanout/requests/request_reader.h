/* Reads requests off a connection that speaks HTTP, and has each answered before the next one. */
#ifndef ESN_REQUEST_READER_H
#define ESN_REQUEST_READER_H

#include "net/connection.h"

struct bytes;
struct http_request;

extern const struct connection_user request_reader_user;

/* Has a whole request answered, and frees it. */
void request_reader_answer(struct connection *connection, struct http_request *request);

/* For another program that goes on with the connection: appends what came of a request that is not
 * whole, to be given to it as input. False: it cannot be told. */
bool request_reader_begun(const struct connection *connection, struct bytes *out);

#endif
