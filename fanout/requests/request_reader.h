/* Reads requests off a connection that speaks HTTP, and has each answered before the next one. */
#ifndef ESN_REQUEST_READER_H
#define ESN_REQUEST_READER_H

#include "net/connection.h"

struct http_request;

extern const struct connection_user request_reader_user;

/* Has a whole request answered, and frees it. */
void request_reader_answer(struct connection *connection, struct http_request *request);

#endif
